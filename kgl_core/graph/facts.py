"""Facts: what entities and relationships have in common, beside what kgl notes of every record.

What a fact shows of its evidence is kept with it, so that nobody who reads the graph has to look at assertions.
`kgl_core.evidence` writes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

import attrs

from kgl_core.kernel.checked_records import same_json, same_values
from kgl_core.kernel.errors import Deleted, Retired
from kgl_core.kernel.nouns.records import Record
from kgl_core.kernel.nouns.versions import next_version
from kgl_core.kernel.permissions import Actor

PINNED_ACTIVE: Final = "/is_active"
"""What is pinned in a fact that a moderator brought back: no extraction retires it."""


@attrs.frozen(kw_only=True, slots=False)
class Fact(Record):
    """An entity or a relationship.

    ``sources_for`` and ``sources_against`` are how many sources support it and speak against it; whoever creates a fact
    by hand, without naming a source, counts as one. ``pinned`` are the JSON Pointers (RFC 6901) of what was set by hand
    while assertions said something else, or might: evidence does not change it. A fact ``is_retired`` when nothing
    supports it any more: it is as inactive as a deleted one, but new evidence brings it back. ``has_assertions`` says
    whether assertions are kept for it; until then, its own fields are the only one.
    """

    pinned: tuple[str, ...] = ()
    sources_for: int = 1
    sources_against: int = 0
    is_retired: bool = False
    has_assertions: bool = False


F = TypeVar("F", bound=Fact)


def is_deleted(fact: Fact) -> bool:
    """Whether somebody deleted a fact, so that no evidence brings it back."""
    return fact.deleted_at is not None and not fact.is_retired


def is_unsupported(fact: Fact) -> bool:
    """Whether nothing supports an active fact, and nobody pinned it, so that it stays only while others need it."""
    return fact.deleted_at is None and not fact.sources_for and PINNED_ACTIVE not in fact.pinned


def retired(fact: F, now: datetime, by: Actor) -> F:
    """The next version of a fact that nothing supports any more; ``by`` took the last support away."""
    return next_version(fact, now, deleted_at=now, deleted_by=by, is_retired=True)


def active_again(fact: F, now: datetime) -> F:
    """The next version of a retired fact that comes back."""
    return next_version(fact, now, deleted_at=None, deleted_by=None, is_retired=False)


def pointer(*names: str) -> str:
    """The JSON Pointer to a field, or to a name in one (RFC 6901, section 3)."""
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names)


def last_name(pointer: str) -> str:
    """The last name in a JSON Pointer."""
    return pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")


def changed_pointers(fact: Record, after: Any, names: Iterable[str]) -> Sequence[str]:
    """Pointers to the fields of these names that differ in ``after``; metadata is compared name by name."""
    found = []
    for name in names:
        if same_values(fact, after, (name,)):
            continue
        before, now = getattr(fact, name), getattr(after, name)
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            told = {*before, *now}
            found += [pointer(name, inner) for inner in told if not _same_json(before, now, inner)]
        else:
            found.append(pointer(name))
    return sorted(found)


def _same_json(one: Mapping[str, Any], other: Mapping[str, Any], name: str) -> bool:
    """Whether both have the name, with the same value; JSON tells 1 from true and 1.0."""
    if name not in one or name not in other:
        return False
    return same_json(one[name], other[name])


def pinned_by_hand(fact: Record, after: Any, names: Iterable[str]) -> dict[str, Any]:
    """What changes in a fact besides, when these fields are set by hand: they are pinned where it has assertions."""
    if not isinstance(fact, Fact) or not fact.has_assertions:
        return {}
    return {"pinned": tuple(sorted({*fact.pinned, *changed_pointers(fact, after, names)}))}


def brought_back(fact: Record) -> dict[str, Any]:
    """What changes in a fact besides, when a moderator restores it: one without support stays, whatever is said."""
    if not isinstance(fact, Fact) or not (fact.is_retired or (fact.has_assertions and not fact.sources_for)):
        return {}
    return {"is_retired": False, "pinned": tuple(sorted({*fact.pinned, PINNED_ACTIVE}))}


def why_gone(record: Record) -> str:
    """Why a record is inactive, and the way out."""
    if isinstance(record, Fact) and record.is_retired:
        return (
            "is retired, because nothing supports it any more; new evidence brings it back, or a moderator restores it"
        )
    return f"was deleted by {record.deleted_by}; restore it first"


def gone(kind: str, record: Record, *, to_change: bool = False) -> Deleted:
    """The error for a record that is asked for as if it were active."""
    if isinstance(record, Fact) and record.is_retired:
        return Retired(kind, record.id, to_change=to_change)
    return Deleted(kind, record.id, to_change=to_change)


def went_last(fact: Fact) -> tuple[bool, datetime, int]:
    """What sorts facts with one unique value: the active one comes last, before it those that went latest."""
    return (fact.deleted_at is None, fact.deleted_at or fact.created_at, fact.id.int)
