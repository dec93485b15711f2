"""Counts how many entities, relationships, changes and users a store holds."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from kgl_core.access.users import UserFilter
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context


@attrs.frozen
class Count:
    """How many are active, how many deleted, and how many of the active have each type."""

    active: int
    deleted: int
    by_type: Mapping[str, int]


@attrs.frozen
class Stats:
    """How much a knowledge graph holds."""

    entities: Count
    relationships: Count
    changes: int
    users: int


def read_stats(context: Context) -> Stats:
    """The counts at one moment. Raises PermissionDenied unless the actor may read."""
    require(context.actor, Action.READ)
    with context.store.snapshot() as uow:
        entities, relationships = uow.entities.count_by_type(), uow.relationships.count_by_type()
        return Stats(
            entities=Count(sum(entities.values()), uow.entities.count_deleted(), entities),
            relationships=Count(sum(relationships.values()), uow.relationships.count_deleted(), relationships),
            changes=uow.changes.count(),
            users=uow.users.count(UserFilter()),
        )
