"""The fields of a record that kgl sets: callers may send them back unchanged, but can't change them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from kgl_core.kernel.checked_records import build, rebuild
from kgl_core.kernel.errors import Fault, InvalidInput
from kgl_core.kernel.ids import parse_id
from kgl_core.kernel.nouns.noun import Noun
from kgl_core.kernel.nouns.records import Kept
from kgl_core.kernel.permissions import Actor
from kgl_core.kernel.times import parse_instant

D = TypeVar("D")
_Noun = Noun[Any, D, Any, Any]


def take_noted(noun: _Noun[Any], fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split ``fields`` into the caller's own and those that kgl sets."""
    own = {name: value for name, value in fields.items() if name not in noun.noted}
    return own, {name: fields[name] for name in noun.noted if name in fields}


def read_whole(
    noun: _Noun[D], record: D | Mapping[str, Any]
) -> tuple[Callable[[Mapping[str, Any]], D], Mapping[str, Any]]:
    """How to make the draft that ``record`` is or contains, and the fields that kgl sets which come with it.

    What makes the draft is called with the stored fields: values that stay as they are need not keep today's rules. It
    raises InvalidInput. So does this, for every fault that no stored value could excuse.
    """
    draft = noun.draft
    if isinstance(record, draft):
        made: D = record
        return lambda _: made, {}
    if not isinstance(record, Mapping):
        raise InvalidInput([Fault("", "not_an_object", "give a draft, or a mapping of all fields")])
    own, noted = take_noted(noun, record)
    try:
        built = build(draft, own)
    except InvalidInput as error:
        if not all(isinstance(own.get(fault.pointer[1:].partition("/")[0]), str | list) for fault in error.faults):
            raise
        return lambda stored: rebuild(draft, own, stored), noted
    return lambda _: built, noted


def require_noted(record: Kept, given: Mapping[str, Any]) -> None:
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
    if isinstance(value, tuple):
        return type(given) in (list, tuple) and tuple(given) == value
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
    if isinstance(value, tuple):
        return json.dumps(value, ensure_ascii=False)
    return str(value).lower() if isinstance(value, bool) else str(value)
