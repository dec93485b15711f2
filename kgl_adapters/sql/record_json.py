"""Records as JSON: as a change tells what a record was afterwards."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from kgl_core.entities import Entity
from kgl_core.permissions import Actor
from kgl_core.relationships import Relationship


def dump_json(value: Any) -> str:
    """Compact JSON of what the core has checked: ids as text, moments as RFC 3339 with Z."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z).decode()


def write_record(record: Entity | Relationship) -> str:
    """A record as JSON that `read_record` takes."""
    return dump_json(_entity_json(record) if isinstance(record, Entity) else _relationship_json(record))


def _entity_json(entity: Entity) -> dict[str, Any]:
    return {
        "id": entity.id,
        "type": entity.type,
        "name": entity.name,
        "aliases": entity.aliases,
        "key": entity.key,
        "confidence": entity.confidence,
        "source": entity.source,
        "source_type": entity.source_type,
        "metadata": entity.metadata,
        "created_by": str(entity.created_by),
        "created_at": entity.created_at,
        "updated_at": entity.updated_at,
        "version": entity.version,
        "deleted_at": entity.deleted_at,
        "deleted_by": None if entity.deleted_by is None else str(entity.deleted_by),
    }


def _relationship_json(relationship: Relationship) -> dict[str, Any]:
    return {
        "id": relationship.id,
        "source_entity_id": relationship.source_entity_id,
        "relationship_type": relationship.relationship_type,
        "target_entity_id": relationship.target_entity_id,
        "confidence": relationship.confidence,
        "source": relationship.source,
        "source_type": relationship.source_type,
        "metadata": relationship.metadata,
        "created_by": str(relationship.created_by),
        "created_at": relationship.created_at,
        "updated_at": relationship.updated_at,
        "version": relationship.version,
        "deleted_at": relationship.deleted_at,
        "deleted_by": None if relationship.deleted_by is None else str(relationship.deleted_by),
        "deleted_with": relationship.deleted_with,
    }


def read_record(subject: str, values: dict[str, Any]) -> Entity | Relationship:
    """The record that `write_record` wrote as JSON of ``values``; a field that did not exist then has its default."""
    for name in ("created_at", "updated_at", "deleted_at"):
        values[name] = None if values.get(name) is None else datetime.fromisoformat(values[name])
    for name in ("created_by", "deleted_by"):
        values[name] = None if values.get(name) is None else Actor.parse(values[name])
    for name in ("id", "source_entity_id", "target_entity_id", "deleted_with"):
        if values.get(name) is not None:
            values[name] = UUID(values[name])
    if subject == "entity":
        values["aliases"] = tuple(values["aliases"])
        return Entity(**values)
    return Relationship(**values)
