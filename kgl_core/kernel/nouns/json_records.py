"""What a record looks like as JSON."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

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
