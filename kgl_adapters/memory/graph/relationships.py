"""Relationships in a dictionary."""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableMapping, Sequence
from itertools import islice
from typing import Literal
from uuid import UUID

from kgl_adapters.memory.graph.records import MemoryRecords, admits, first_by_id
from kgl_core.graph.entities import Entity
from kgl_core.graph.relationships import Relationship, RelationshipFilter, Triple
from kgl_core.kernel.errors import NotFound


class MemoryRelationships(MemoryRecords[Relationship, RelationshipFilter, Triple]):
    """A `kgl_core.graph.relationships.RelationshipRepository`."""

    _kind, _unique_name = "relationship", "triple"

    def __init__(
        self,
        rows: MutableMapping[UUID, Relationship],
        triples: MutableMapping[Triple, UUID | None],
        entities: Mapping[UUID, Entity],
    ) -> None:
        super().__init__(rows, triples)
        self._entities = entities

    def find(
        self, ids: Collection[UUID], triples: Collection[Triple] = (), *, lock: Literal["update"] | None = None
    ) -> Sequence[Relationship]:
        return self._find(ids, triples)

    def touching(self, entity_id: UUID, limit: int) -> Sequence[Relationship]:
        return first_by_id((row for row in self._rows.values() if row.is_active and _has_end(row, entity_id)), limit)

    def count_touching(self, entity_id: UUID, most: int) -> int:
        found = (row for row in self._rows.values() if row.is_active and _has_end(row, entity_id))
        return sum(1 for _ in islice(found, most))

    def restorable_with(self, entity_id: UUID, after: UUID | None, limit: int) -> Sequence[Relationship]:
        found = (
            row
            for row in self._rows.values()
            if row.deleted_with is not None and _has_end(row, entity_id) and (after is None or row.id > after)
        )
        return first_by_id(found, limit)

    def mark(self, relationships: Sequence[Relationship]) -> None:
        self.replace(relationships)

    def _require_references(self, record: Relationship) -> None:
        for end in record.triple[::2]:
            if end not in self._entities:
                raise NotFound("entity", end)

    def _unique(self, record: Relationship) -> Triple:
        return record.triple

    def _type(self, record: Relationship) -> str:
        return record.relationship_type

    def _admits(self, filter: RelationshipFilter, record: Relationship) -> bool:
        return (
            (filter.entity_id is None or _has_end(record, filter.entity_id))
            and (filter.source_entity_id is None or filter.source_entity_id == record.source_entity_id)
            and (filter.target_entity_id is None or filter.target_entity_id == record.target_entity_id)
            and (not filter.relationship_type or record.relationship_type in filter.relationship_type)
            and admits(filter, record)
        )


def _has_end(relationship: Relationship, entity_id: UUID) -> bool:
    return entity_id in relationship.triple[::2]
