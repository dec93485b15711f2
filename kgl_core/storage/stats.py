"""Counts how many entities, relationships, changes and users a store holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from kgl_core.access.users import UserFilter
from kgl_core.graph.nouns import GRAPH_NOUNS
from kgl_core.kernel.nouns.repositories import Repository
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


COUNTED: Final = tuple(noun for noun in GRAPH_NOUNS if noun.plural in attrs.fields_dict(Stats))
"""The nouns of the graph that are counted: those with a field in `Stats`, which is named as their plural."""


def read_stats(context: Context) -> Stats:
    """The counts at one moment. Raises PermissionDenied unless the actor may read."""
    require(context.actor, Action.READ)
    with context.store.snapshot() as uow:
        return Stats(
            **{noun.plural: _count(uow.of(noun)) for noun in COUNTED},
            changes=uow.changes.count(),
            users=uow.users.count(UserFilter()),
        )


def _count(repository: Repository[Any, Any, Any]) -> Count:
    by_type = repository.count_by_type()
    return Count(sum(by_type.values()), repository.count_deleted(), by_type)
