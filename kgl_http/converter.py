"""Domain to JSON: the one place that knows what records look like outside.

orjson writes ids, moments and enums by itself, so that they pass through. The other direction needs no converter:
a body is checked by the rules of the class that it becomes (``kgl_core.rules.build``).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn, override

from kgl_core.changes import Change
from kgl_core.clients import Client
from kgl_core.entities import Entity
from kgl_core.permissions import Actor
from kgl_core.relationships import Relationship
from kgl_core.users import User


def make_converter() -> Converter:
    """A converter that turns what use cases return into values that orjson writes."""
    converter = Converter()
    for passed in (UUID, datetime, StrEnum):
        converter.register_unstructure_hook(passed, _same)
    converter.register_unstructure_hook(Actor, _actor)
    converter.register_unstructure_hook(Entity, _entity)
    converter.register_unstructure_hook(Relationship, _relationship)
    hidden = make_dict_unstructure_fn(
        User, converter, password_hash=override(omit=True), auth_version=override(omit=True)
    )
    converter.register_unstructure_hook(User, hidden)
    client = make_dict_unstructure_fn(
        Client, converter, secret_hash=override(omit=True), auth_version=override(omit=True)
    )
    converter.register_unstructure_hook(Client, client)
    converter.register_unstructure_hook(Change, _change(converter))
    return converter


def _same(value: Any) -> Any:
    return value


def _actor(actor: Actor) -> dict[str, Any]:
    return {"kind": actor.kind, "id": actor.id}


# Written out, because pages are made of these: generated, they take three times as long.


def _entity(entity: Entity) -> dict[str, Any]:
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
        "created_by": _actor(entity.created_by),
        "created_at": entity.created_at,
        "updated_at": entity.updated_at,
        "version": entity.version,
        "deleted_at": entity.deleted_at,
        "deleted_by": None if entity.deleted_by is None else _actor(entity.deleted_by),
        "is_active": entity.is_active,
    }


def _relationship(relationship: Relationship) -> dict[str, Any]:
    return {
        "id": relationship.id,
        "source_entity_id": relationship.source_entity_id,
        "relationship_type": relationship.relationship_type,
        "target_entity_id": relationship.target_entity_id,
        "confidence": relationship.confidence,
        "source": relationship.source,
        "source_type": relationship.source_type,
        "metadata": relationship.metadata,
        "created_by": _actor(relationship.created_by),
        "created_at": relationship.created_at,
        "updated_at": relationship.updated_at,
        "version": relationship.version,
        "deleted_at": relationship.deleted_at,
        "deleted_by": None if relationship.deleted_by is None else _actor(relationship.deleted_by),
        "deleted_with": relationship.deleted_with,
        "is_active": relationship.is_active,
    }


def _change(converter: Converter) -> Callable[[Change], dict[str, Any]]:
    def unstructured(change: Change) -> dict[str, Any]:
        return {
            "cursor": change.cursor,
            "at": change.at,
            "actor": _actor(change.actor),
            "action": change.action,
            "kind": "entity" if isinstance(change.record, Entity) else "relationship",
            "record": converter.unstructure(change.record),
        }

    return unstructured


unstructure: Final = make_converter().unstructure
