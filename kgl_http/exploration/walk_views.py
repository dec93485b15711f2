"""What the answers of walks look like as JSON, and which fields of their records they show."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Annotated, Any, Final
from uuid import UUID

import attrs

from kgl_core.exploration.exploring import Graph
from kgl_core.exploration.neighborhoods import Neighbor
from kgl_core.exploration.subgraphs import Cap
from kgl_core.graph.entities import Entity
from kgl_core.graph.relationships import Relationship
from kgl_http.api.json_views import unstructure, unstructure_part
from kgl_http.openapi.shown_fields import Shown

WalkedEntity = Annotated[Entity, Shown("WalkedEntity", ("id",))]
WalkedNeighbor = Annotated[Entity, Shown("WalkedNeighbor", ("id", "distance"), {"distance": int})]
WalkedRelationship = Annotated[
    Relationship, Shown("WalkedRelationship", ("id", "source_entity_id", "target_entity_id"))
]

COMMON_META: Final = {"next_cursor": str | None, "limit": int, "truncated": Cap | None}
SUBGRAPH_META: Final = {"truncated": Cap | None, "missing_ids": tuple[UUID, ...]}


@attrs.frozen(kw_only=True)
class NeighborhoodAnswer:
    """The entities around one, by distance, and the relationships between them; only the fields that are asked for.

    The ids of records and of ends, and the distance, are always there.
    """

    entities: tuple[WalkedNeighbor, ...]
    relationships: tuple[WalkedRelationship, ...]


@attrs.frozen(kw_only=True)
class SubgraphAnswer:
    """Entities and the relationships between them; only the fields that are asked for.

    The ids of records and of ends are always there.
    """

    entities: tuple[WalkedEntity, ...]
    relationships: tuple[WalkedRelationship, ...]


@attrs.frozen(kw_only=True)
class RelationshipsAnswer:
    """Relationships; only the fields that are asked for, but always the ids of records and of ends."""

    relationships: tuple[WalkedRelationship, ...]


def walking(graph: Graph[Entity, Relationship], fields: Collection[str] | None) -> Graph[Any, Any]:
    """Walks whose answers have these fields of records, or all."""
    return graph if fields is None else graph.showing(*of_records(fields))


def of_records(fields: Collection[str]) -> Sequence[str]:
    """Those of the fields that records have. The distance belongs to an answer, not to a record."""
    return [name for name in fields if name != "distance"]


def shown_records(entities: Iterable[Any], relationships: Iterable[Any]) -> dict[str, Any]:
    """Entities and relationships, or parts of them, as JSON."""
    return {"entities": [*map(shown_record, entities)], "relationships": [*map(shown_record, relationships)]}


def shown_neighborhood(neighbors: Collection[Neighbor[Any]], relationships: Iterable[Any]) -> dict[str, Any]:
    """A neighborhood as JSON: its entities tell how far away they are."""
    entities = [{**shown_record(each.entity), "distance": each.distance} for each in neighbors]
    return {"entities": entities, "relationships": [*map(shown_record, relationships)]}


def shown_record(record: Any) -> Mapping[str, Any]:
    """A record, or a part of one, as JSON."""
    return unstructure_part(record) if isinstance(record, dict) else unstructure(record)
