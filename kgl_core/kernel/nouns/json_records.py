"""What a record looks like as JSON, in answers and in lines of an export."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from kgl_core.kernel.nouns.noun import AnyNoun
from kgl_core.kernel.permissions import Actor

JsonRecord = Mapping[str, Any]
"""A record as its JSON has it, for orjson to write. A store may give values in it that are JSON already."""


def json_actor(actor: Actor) -> dict[str, Any]:
    """Who acts, as JSON."""
    return {"kind": actor.kind, "id": actor.id}


def json_record(record: Any, hidden: Collection[str]) -> dict[str, Any]:
    """A record that can be restored once it is deleted, as JSON, without the fields that are ``hidden``."""
    fields: dict[str, Any] = vars(record).copy()
    fields["created_by"] = json_actor(record.created_by)
    fields["is_active"] = record.deleted_at is None
    for name in hidden:
        del fields[name]
    if record.deleted_by is not None:
        fields["deleted_by"] = json_actor(record.deleted_by)
    return fields


def json_line(record: Any, noun: AnyNoun) -> dict[str, Any]:
    """A record that can be restored once it is deleted, as a line of an export.

    It has what callers say of the record unless that is empty, and no versions, times and actors.
    """
    fields = vars(record)
    line: dict[str, Any] = {"kind": noun.name, "id": str(record.id)}
    for name in noun.said:
        value = fields[name]
        kind = type(value)
        if value is None or (not value and (kind is tuple or kind is dict)):
            continue
        line[name] = list(value) if kind is tuple else str(value) if kind is UUID else value
    if record.deleted_at is not None:
        line["is_active"] = False
        line.update((name, str(fields[name])) for name in noun.said_of_deleted if fields[name] is not None)
    return line
