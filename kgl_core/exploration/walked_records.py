"""The records that walks name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from kgl_core.graph.entities import ENTITY, Entity
from kgl_core.graph.facts import gone
from kgl_core.graph.relationships import Relationship
from kgl_core.kernel.nouns.records import found
from kgl_core.kernel.units_of_work import UnitOfWork

R = TypeVar("R", Entity, Relationship)


def by_id(records: Iterable[R]) -> dict[UUID, R]:
    """The records by their ids."""
    return {record.id: record for record in records}


def records_of(repository: Any, ids: Iterable[UUID]) -> tuple[Any, ...]:
    """The records with these ids, in this order, each once."""
    known = by_id(repository.find(frozenset(ids)))
    return tuple(known[id] for id in dict.fromkeys(ids))


def require_active(uow: UnitOfWork, ids: Sequence[UUID]) -> Sequence[Entity]:
    """The entities with these ids, in their order. Raises NotFound, Deleted."""
    known = by_id(uow.entities.find(frozenset(ids))) if len(ids) > 1 else {id: uow.entities.get(id) for id in ids}
    entities = [found(known.get(id), ENTITY.name, id) for id in ids]
    for entity in entities:
        if entity.deleted_at is not None:
            raise gone(ENTITY.name, entity)
    return entities
