"""The fields of a record that kgl sets: callers may send them back unchanged, but can't change them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

import attrs

from kgl_core.graph.entities import Entity, EntityDraft
from kgl_core.graph.relationships import Relationship, RelationshipDraft
from kgl_core.kernel.checked_records import build, rebuild, rules_of
from kgl_core.kernel.errors import Fault, InvalidInput
from kgl_core.kernel.ids import parse_id
from kgl_core.kernel.permissions import Actor
from kgl_core.kernel.times import parse_instant

Record = Entity | Relationship

D = TypeVar("D", EntityDraft, RelationshipDraft)


def _kept(record: type, draft: type) -> tuple[str, ...]:
    own = rules_of(draft)
    return (*(field.name for field in attrs.fields(record) if field.name not in own), "is_active")


KEPT: Final[Mapping[type, tuple[str, ...]]] = {
    EntityDraft: _kept(Entity, EntityDraft),
    RelationshipDraft: _kept(Relationship, RelationshipDraft),
}
"""The fields that kgl sets, by the class of the draft."""


def take_kept(draft: type, fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split ``fields`` into the caller's own and those in KEPT."""
    kept = KEPT[draft]
    own = {name: value for name, value in fields.items() if name not in kept}
    return own, {name: fields[name] for name in kept if name in fields}


def read_whole(
    draft: type[D], record: D | Mapping[str, Any]
) -> tuple[Callable[[Mapping[str, Any]], D], Mapping[str, Any]]:
    """How to make the draft that ``record`` is or contains, and the fields in KEPT that come with it.

    What makes the draft is called with the stored fields: values that stay as they are need not keep today's rules. It
    raises InvalidInput. So does this, for every fault that no stored value could excuse.
    """
    if isinstance(record, draft):
        return lambda _: record, {}
    if not isinstance(record, Mapping):
        raise InvalidInput([Fault("", "not_an_object", "give a draft, or a mapping of all fields")])
    own, kept = take_kept(draft, record)
    try:
        built = build(draft, own)
    except InvalidInput as error:
        if not all(isinstance(own.get(fault.pointer[1:].partition("/")[0]), str | list) for fault in error.faults):
            raise
        return lambda stored: rebuild(draft, own, stored), kept
    return lambda _: built, kept


def require_kept(record: Record, given: Mapping[str, Any]) -> None:
    """Raise InvalidInput unless every value in ``given``, as Python or as JSON has it, is the record's own."""
    faults = [
        Fault(
            f"/{name}", "immutable", f"kgl sets it, and it is {_shown(value)} now; send it unchanged, or leave it out"
        )
        for name, sent in given.items()
        if not _is(value := getattr(record, name), sent)
    ]
    if faults:
        raise InvalidInput(faults)


def _is(value: Any, given: Any) -> bool:
    """Whether ``given`` is another spelling of ``value``."""
    if isinstance(value, UUID):
        return parse_id(given) == value
    if isinstance(value, datetime):
        return _instant(given) == value
    if isinstance(value, Actor):
        return bool(given == value or given == {"kind": value.kind, "id": value.id})
    return given is value or (type(value) is int and type(given) in (int, float) and given == value)


def _instant(given: Any) -> datetime | None:
    if type(given) is str:
        given = parse_instant(given)
    return given if isinstance(given, datetime) and given.tzinfo is not None else None


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Actor):
        return json.dumps({"kind": value.kind, "id": None if value.id is None else str(value.id)})
    return str(value).lower() if isinstance(value, bool) else str(value)
