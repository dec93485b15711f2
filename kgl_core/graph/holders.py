"""Finds the record that holds a key or a triple which another one wants."""

from __future__ import annotations

from kgl_core.graph.relationships import Relationship
from kgl_core.kernel.taken_values import Holder
from kgl_core.kernel.units_of_work import UnitOfWork


def holder_of_key(uow: UnitOfWork, key: str | None) -> Holder:
    """The active entity with this key."""
    found = None if key is None else uow.entities.get_by_key(key)
    return None if found is None or found.key is None else (found.key, found.id)


def holder_of_triple(uow: UnitOfWork, relationship: Relationship) -> Holder:
    """The active relationship with the same source, type and target."""
    for found in uow.relationships.find([], [relationship.triple]):
        if found.is_active:
            return " ".join(map(str, found.triple)), found.id
    return None
