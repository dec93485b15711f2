"""Relationships in a dictionary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, MutableMapping, Sequence
from itertools import islice
from typing import Literal
from uuid import UUID

from kgl_adapters.memory.records import admits, detached, page
from kgl_core.graph.entities import Entity
from kgl_core.graph.relationships import Relationship, RelationshipFilter, RelationshipSort, Triple
from kgl_core.kernel.errors import AlreadyExists, NotFound, StaleVersion
from kgl_core.kernel.pages import Position


class MemoryRelationships:
    """A `kgl_core.graph.relationships.RelationshipRepository`."""

    def __init__(
        self,
        rows: MutableMapping[UUID, Relationship],
        triples: MutableMapping[Triple, UUID | None],
        entities: Mapping[UUID, Entity],
    ) -> None:
        self._rows, self._triples, self._entities = rows, triples, entities

    def get(self, id: UUID) -> Relationship | None:
        relationship = self._rows.get(id)
        return None if relationship is None else detached(relationship)

    def find(
        self, ids: Collection[UUID], triples: Collection[Triple] = (), *, lock: Literal["update"] | None = None
    ) -> Sequence[Relationship]:
        found = {id: self._rows[id] for id in ids if id in self._rows}
        if triples:
            wanted = frozenset(triples)
            active = {id for triple in wanted if (id := self._triples.get(triple)) is not None}
            deleted = {id for id, row in self._rows.items() if not row.is_active and row.triple in wanted}
            found.update({id: self._rows[id] for id in active | deleted})
        return [detached(relationship) for relationship in found.values()]

    def touching(self, entity_id: UUID, limit: int) -> Sequence[Relationship]:
        found = [row for row in self._rows.values() if row.is_active and entity_id in row.triple[::2]]
        return [detached(row) for row in sorted(found, key=lambda row: row.id)[:limit]]

    def count_touching(self, entity_id: UUID, most: int) -> int:
        found = (row for row in self._rows.values() if row.is_active and entity_id in row.triple[::2])
        return sum(1 for _ in islice(found, most))

    def restorable_with(self, entity_id: UUID, after: UUID | None, limit: int) -> Sequence[Relationship]:
        found = [
            row
            for row in self._rows.values()
            if row.deleted_with is not None and entity_id in row.triple[::2] and (after is None or row.id > after)
        ]
        return [detached(row) for row in sorted(found, key=lambda row: row.id)[:limit]]

    def list(
        self, filter: RelationshipFilter, sort: RelationshipSort, after: Position | None, limit: int
    ) -> Sequence[Relationship]:
        return page((row for row in self._rows.values() if _admits(filter, row)), sort, after, limit)

    def count(self, filter: RelationshipFilter) -> int:
        return sum(_admits(filter, row) for row in self._rows.values())

    def count_by_type(self) -> dict[str, int]:
        return dict(sorted(Counter(row.relationship_type for row in self._rows.values() if row.is_active).items()))

    def count_deleted(self) -> int:
        return sum(not row.is_active for row in self._rows.values())

    def scan(self, after: UUID | None, limit: int) -> Sequence[Relationship]:
        ids = sorted(id for id in self._rows if after is None or id > after)
        return [detached(self._rows[id]) for id in ids[:limit]]

    def add(self, relationships: Sequence[Relationship]) -> None:
        triples: dict[Triple, UUID | None] = {}
        rows: dict[UUID, Relationship] = {}
        for relationship in relationships:
            if relationship.id in self._rows or relationship.id in rows:
                raise AlreadyExists("relationship", "id")
            for end in relationship.triple[::2]:
                if end not in self._entities:
                    raise NotFound("entity", end)
            rows[relationship.id] = detached(relationship)
            self._take_triple(relationship, triples)
        self._rows.update(rows)
        self._triples.update(triples)

    def replace(self, relationships: Sequence[Relationship]) -> None:
        triples: dict[Triple, UUID | None] = {}
        for relationship in relationships:
            before = self._rows.get(relationship.id)
            if before is None:
                raise NotFound("relationship", relationship.id)
            if before.version >= relationship.version:
                raise StaleVersion("relationship", relationship.id, relationship.version - 1, before.version)
            if before.is_active:
                triples.setdefault(before.triple, None)
            self._take_triple(relationship, triples)
        self._rows.update({relationship.id: detached(relationship) for relationship in relationships})
        self._triples.update(triples)

    def mark(self, relationships: Sequence[Relationship]) -> None:
        self.replace(relationships)

    def _take_triple(self, relationship: Relationship, triples: dict[Triple, UUID | None]) -> None:
        triple = relationship.triple
        if not relationship.is_active:
            return
        holder = triples[triple] if triple in triples else self._triples.get(triple)
        if holder is not None and holder != relationship.id:
            raise AlreadyExists("relationship", "triple")
        triples[triple] = relationship.id


def _admits(filter: RelationshipFilter, row: Relationship) -> bool:
    return (
        (filter.entity_id is None or filter.entity_id in row.triple[::2])
        and (filter.source_entity_id is None or filter.source_entity_id == row.source_entity_id)
        and (filter.target_entity_id is None or filter.target_entity_id == row.target_entity_id)
        and (not filter.relationship_type or row.relationship_type in filter.relationship_type)
        and admits(filter, row)
    )
