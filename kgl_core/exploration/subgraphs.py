"""Subgraphs: the relationships among given entities, or among those that a filter finds; and entities at a glance."""

from __future__ import annotations

from typing import Final, Generic, Literal
from uuid import UUID

import attrs

from kgl_core.exploration.neighborhoods import ENTITIES_MAX, RELATIONSHIPS_MAX
from kgl_core.exploration.walked_records import E, R
from kgl_core.exploration.walks import Degree, WalkFilter
from kgl_core.graph.entities import Entity, EntityFilter
from kgl_core.graph.relationships import Relationship
from kgl_core.kernel.checked_records import Built, ruled
from kgl_core.kernel.errors import Fault, InvalidInput
from kgl_core.kernel.field_rules import Each, Id, Integer, Optional

STRONGEST_MAX: Final = 50


@attrs.frozen(kw_only=True)
class SubgraphQuery(WalkFilter):
    """Which subgraph is wanted: the entities with these ``ids``, or those that ``filter`` finds, and what joins them.

    Exactly one of the two is given. Of what the filter finds, the first ``max_entities`` are taken, in the order of
    their creation. ``direction`` does not matter.
    """

    ids: tuple[UUID, ...] | None = ruled(Optional(Each(Id(), ENTITIES_MAX)), default=None)
    filter: EntityFilter | None = ruled(Optional(Built(EntityFilter)), default=None)
    max_entities: int = ruled(Integer(1, ENTITIES_MAX), default=1_000)
    max_relationships: int = ruled(Integer(0, RELATIONSHIPS_MAX), default=10_000)

    def __attrs_post_init__(self) -> None:
        WalkFilter.__attrs_post_init__(self)
        if (self.ids is None) == (self.filter is None):
            raise InvalidInput([Fault("/ids", "not_together", "give either ids or a filter")])


@attrs.frozen(kw_only=True)
class Cap:
    """That an answer does not have everything: ``reason`` is the cap that was met."""

    reason: Literal["max_entities", "max_relationships", "max_steps", "max_candidates", "max_results", "limit"]


@attrs.frozen(kw_only=True)
class Subgraph(Generic[E, R]):
    """Entities and the relationships between them, the strongest first.

    ``missing_ids`` are asked for, but do not exist or are deleted. ``truncated`` is None, or says which cap left
    something out.
    """

    entities: tuple[E, ...]
    relationships: tuple[R, ...]
    missing_ids: tuple[UUID, ...] = ()
    truncated: Cap | None = None


@attrs.frozen(kw_only=True)
class StrongNeighbor:
    """A neighbor, and the relationship that joins it."""

    entity: Entity
    relationship: Relationship


@attrs.frozen(kw_only=True)
class Summary:
    """An entity at a glance: how many relationships it has, its strongest neighbors, and the sources that speak of it.

    ``degree`` is the number of active relationships that leave or enter it, so that one with itself counts twice, as
    is usual in graph theory; ``degrees`` has it by type and direction. ``sources`` are the newest that support it.
    """

    entity: Entity
    degree: int
    degrees: tuple[Degree, ...]
    strongest: tuple[StrongNeighbor, ...]
    sources: tuple[str, ...]
