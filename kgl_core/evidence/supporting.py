"""What a fact shows of the assertions about it: its confidence, its source, and which of several values holds.

Where sources say different things of one field, or of one name in its metadata, one wins: what was said directly before
what an extractor found, then that of the highest rank (see `Origins`), then the most certain, then the newest. The
others stay in their assertions, and win again when what beat them is withdrawn.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, TypeVar
from uuid import UUID

import attrs

from kgl_core.evidence.assertions import Assertion, Location, SourcedAssertion, Stance
from kgl_core.evidence.combining import combined
from kgl_core.evidence.origins.extractors import Extractor
from kgl_core.evidence.origins.sources import Source
from kgl_core.graph.facts import Fact, last_name, pointer
from kgl_core.graph.metadata import METADATA_BYTES_MAX, METADATA_KEYS_MAX
from kgl_core.graph.relationships import Relationship
from kgl_core.kernel.checked_records import same_json
from kgl_core.kernel.permissions import Actor

_ENTITY_FIELDS: Final = ("type", "name", "aliases")
PERIOD: Final = ("valid_from", "valid_to")
"""The fields that come from one assertion together: an end of one and a begin of another are no period."""
_NEVER_EMPTY: Final = frozenset({"type", "name"})

_NOTHING: Final = object()


@attrs.frozen
class Origins:
    """The sources and the extractors that assertions name, as far as they are stored: by id, and by name."""

    sources: Mapping[UUID, Source] = attrs.Factory(dict)
    extractors: Mapping[str, Extractor] = attrs.Factory(dict)

    def rank_of(self, assertion: Assertion) -> int:
        """How far an assertion is trusted before others: the ranks of its source and of its extractor add up."""
        source = None if assertion.source_id is None else self.sources.get(assertion.source_id)
        extractor = None if assertion.extractor is None else self.extractors.get(assertion.extractor)
        return sum(each.rank for each in (source, extractor) if each is not None)


def stated(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The ``values`` of an assertion: those of these fields that are not empty, as JSON has them."""
    found = {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}
    return {name: value for name, value in found.items() if value is not None and value != [] and value != {}}


def stated_by(said: Any) -> dict[str, Any]:
    """The ``values`` that a fact states of itself, or whatever else has the fields of an entity or a relationship."""
    names = PERIOD if hasattr(said, "relationship_type") else _ENTITY_FIELDS
    return stated({name: getattr(said, name) for name in (*names, "metadata", "source_type")})


def shown(fact: Fact, assertions: Iterable[Assertion], origins: Origins) -> dict[str, Any]:
    """What a fact shows of the assertions in force about it: its fields by name, as its record has them.

    What is pinned stays as it is. Without any assertion for it, its confidence and source are unknown and its fields
    stay. An assertion about one value only states that.
    """
    everything = sorted(assertions, key=attrgetter("age"))
    supporting = [each for each in everything if each.is_support]
    against = [each for each in everything if each.stance is Stance.AGAINST and each.about is None]
    changes: dict[str, Any] = {
        "has_assertions": True,
        "sources_for": len({_source(each) for each in supporting}),
        "sources_against": len({_source(each) for each in against}),
        "confidence": combined((_source(each), each.confidence) for each in supporting),
        **_origin(supporting, origins),
    }
    pinned = frozenset(fact.pinned)
    changes = {name: value for name, value in changes.items() if pointer(name) not in pinned}
    if not supporting:
        return changes
    stating = by_strength((each for each in everything if each.stance is Stance.FOR), origins)
    return {**changes, **_values(fact, stating, pinned)}


def _source(assertion: Assertion) -> UUID | Actor:
    """What counts as one source: a source, or the word of one actor."""
    return assertion.source_id or assertion.asserted_by


def _certainty(assertion: Assertion) -> float:
    return -1.0 if assertion.confidence is None else assertion.confidence


def _origin(supporting: Sequence[Assertion], origins: Origins) -> dict[str, Any]:
    """The source that a fact names: that of its strongest assertion, and of equally strong ones of the first."""
    if not supporting:
        return {"source": None, "source_type": None}
    strongest = max(supporting, key=_certainty)
    source = None if strongest.source_id is None else origins.sources[strongest.source_id]
    type_ = strongest.values.get("source_type")
    return {
        "source": None if source is None else source.uri,
        "source_type": source.type if type_ is None and source is not None else type_,
    }


A = TypeVar("A", bound=Assertion)


def by_strength(supporting: Iterable[A], origins: Origins) -> list[A]:
    """The assertions for a fact, those first whose values win."""

    def strength(each: A) -> tuple[Any, ...]:
        return (each.extractor is None, origins.rank_of(each), _certainty(each), *each.age)

    return sorted(supporting, key=strength, reverse=True)


@attrs.frozen(kw_only=True)
class Value:
    """A value that an assertion states of one field of a fact, or of one name in its metadata; or that is pinned there.

    ``pointer`` is the JSON Pointer to it in the fact. ``is_shown`` says whether the fact shows this value.
    ``rank`` is that of its source and its extractor together. ``locations`` are those of the assertion, which are of
    this value alone where it is about nothing else. One that ``is_pinned`` was set by hand and is no assertion's: it
    has neither an id nor an author.
    """

    pointer: str
    value: Any
    is_shown: bool
    is_pinned: bool = False
    assertion_id: UUID | None = None
    source: str | None = None
    extractor: str | None = None
    rank: int | None = None
    confidence: float | None = None
    locations: tuple[Location, ...] = ()
    asserted_by: Actor | None = None
    asserted_at: datetime | None = None


def values_of(fact: Any, assertions: Iterable[SourcedAssertion], origins: Origins) -> list[Value]:
    """The pinned values of a fact, and those that assertions for it state: by pointer, those first that win."""
    found = _pinned_values(fact)
    for each in by_strength((each for each in assertions if each.stance is Stance.FOR), origins):
        told: dict[tuple[str, ...], Any] = {
            (name,): value for name, value in each.values.items() if name not in ("metadata", "source_type")
        }
        told |= {("metadata", name): value for name, value in each.values.get("metadata", {}).items()}
        for path, value in told.items():
            shown_value = _value_at(fact, path)
            is_shown = shown_value is not _NOTHING and same_json(value, shown_value)
            found.append(
                Value(
                    pointer=pointer(*path),
                    value=value,
                    is_shown=is_shown,
                    assertion_id=each.id,
                    source=each.source,
                    extractor=each.extractor,
                    rank=origins.rank_of(each),
                    confidence=each.confidence,
                    locations=each.locations,
                    asserted_by=each.asserted_by,
                    asserted_at=each.asserted_at,
                )
            )
    return sorted(found, key=lambda value: value.pointer)


def _pinned_values(fact: Any) -> list[Value]:
    """The values that were set by hand; where one was taken away by hand, there is none."""
    paths = {each: ("metadata", last_name(each)) if each.count("/") > 1 else (last_name(each),) for each in fact.pinned}
    values = ((pinned, _value_at(fact, path)) for pinned, path in paths.items())
    return [
        Value(pointer=pinned, value=value, is_shown=True, is_pinned=True)
        for pinned, value in values
        if value is not _NOTHING
    ]


def _value_at(fact: Any, path: Sequence[str]) -> Any:
    value = getattr(fact, path[0])
    if len(path) > 1:
        return value.get(path[1], _NOTHING)
    return list(value) if isinstance(value, tuple) else value  # as JSON has it


def _values(fact: Fact, ordered: Sequence[Assertion], pinned: frozenset[str]) -> dict[str, Any]:
    """The values that win, by the names of the fact's fields."""
    changes: dict[str, Any] = {}
    if isinstance(fact, Relationship):
        if pinned.isdisjoint(map(pointer, PERIOD)):  # both ends of a period from one assertion
            values = next((each.values for each in ordered if not each.values.keys().isdisjoint(PERIOD)), {})
            changes = {name: values.get(name) for name in PERIOD}
    else:
        for name in _ENTITY_FIELDS:
            value = next((each.values[name] for each in ordered if name in each.values), None)
            if pointer(name) not in pinned and (value is not None or name not in _NEVER_EMPTY):
                changes[name] = tuple(value or ()) if name == "aliases" else value
    return {**changes, "metadata": _metadata(fact, ordered, pinned)}


def _metadata(fact: Any, ordered: Sequence[Assertion], pinned: frozenset[str]) -> Mapping[str, Any]:
    """The metadata that wins, name by name. Names whose values do not fit beside those that are stronger are left out.

    What does not fit is still in its assertion.
    """
    prefix = pointer("metadata", "")
    found = {name: value for name, value in fact.metadata.items() if pointer("metadata", name) in pinned}
    taken = {*found, *(last_name(each) for each in pinned if each.startswith(prefix))}
    bytes_left, names_left = METADATA_BYTES_MAX - 2, METADATA_KEYS_MAX
    for value in found.values():
        names_left -= _names_in(value) + 1
    bytes_left -= sum(map(_size, found.items()))
    for assertion in ordered:
        for name, value in assertion.values.get("metadata", {}).items():
            if name in taken:
                continue
            size, names = _size((name, value)), _names_in(value) + 1
            if size <= bytes_left and names <= names_left:
                found[name] = value
                bytes_left, names_left = bytes_left - size, names_left - names
            taken.add(name)
    return found


def _size(item: tuple[str, Any]) -> int:
    """The bytes of a name and its value in compact JSON, with a comma."""
    return len(json.dumps(dict([item]), ensure_ascii=False, separators=(",", ":")).encode()) - 1


def _names_in(value: Any) -> int:
    if isinstance(value, Mapping):
        return len(value) + sum(map(_names_in, value.values()))
    return sum(map(_names_in, value)) if isinstance(value, list) else 0
