"""JSON in columns: metadata, aliases, and the whole record that a change holds."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from kgl_core.graph.entities import Entity
from kgl_core.graph.relationships import Relationship
from kgl_core.kernel.permissions import Actor

_TEXT: Final = frozenset({str})


def write_json(value: Any) -> str:
    """Compact JSON of what the core has checked: ids as text, moments as RFC 3339 with Z."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z).decode()


def read_object(text: str) -> dict[str, Any]:
    """The JSON object in a column. Raises ValueError for anything else."""
    found = orjson.loads(text)
    if type(found) is not dict:
        raise ValueError("it is no JSON object")
    return found


def read_array(text: str) -> list[str]:
    """The JSON array of strings in a column. Raises ValueError for anything else."""
    return _strings(orjson.loads(text))


def _strings(found: Any) -> list[str]:
    if type(found) is not list or not _TEXT.issuperset(map(type, found)):
        raise ValueError("it is no JSON array of strings")
    return found


def write_changed_record(record: Entity | Relationship) -> str:
    """The record after a change, as JSON that `read_changed_record` takes."""
    values = vars(record).copy()
    values["created_by"] = str(record.created_by)
    values["deleted_by"] = None if record.deleted_by is None else str(record.deleted_by)
    return write_json(values)


def read_changed_record(subject: str, text: str) -> Entity | Relationship:
    """The record that `write_changed_record` wrote; a field that did not exist then has its default.

    Raises ValueError, TypeError or KeyError for anything else.
    """
    values = read_object(text)
    if type(values.get("metadata")) is not dict:
        raise ValueError("its metadata is no JSON object")
    for name in ("created_at", "updated_at", "deleted_at"):
        values[name] = None if values.get(name) is None else datetime.fromisoformat(values[name])
    for name in ("created_by", "deleted_by"):
        values[name] = None if values.get(name) is None else Actor.parse(values[name])
    for name in ("id", "source_entity_id", "target_entity_id", "deleted_with"):
        if values.get(name) is not None:
            values[name] = UUID(values[name])
    if subject == "entity":
        values["aliases"] = tuple(_strings(values["aliases"]))
        return Entity(**values)
    return Relationship(**values)
