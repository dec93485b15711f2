"""Relationships in a dictionary."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final
from uuid import UUID

from kgl_adapters.memory.kernel.repository import MemoryRepository, Shelves
from kgl_core.graph.relationships import RELATIONSHIP, Relationship, RelationshipFilter, Triple

END_GROUPS: Final[Mapping[str, str]] = {"out": "source_entity_id", "in": "target_entity_id"}
"""The names of a shelf's groups: by these fields, the relationships that leave or enter an entity."""


class MemoryRelationships(MemoryRepository[Relationship, RelationshipFilter, Triple]):
    """A `kgl_core.graph.relationships.RelationshipRepository`."""

    def __init__(self, shelves: Shelves) -> None:
        super().__init__(RELATIONSHIP, shelves)

    def add(self, records: Sequence[Relationship]) -> None:
        super().add(records)
        groups = self._shelf.groups
        added: dict[tuple[str, UUID], list[UUID]] = {}
        for record in records:
            for name in END_GROUPS.values():
                added.setdefault((name, getattr(record, name)), []).append(record.id)
        for key, ids in added.items():
            groups[key] = (*(groups.get(key) or ()), *ids)

    def touching(self, entity_id: UUID, limit: int) -> Sequence[Relationship]:
        return self._first_by_id((row for row in self._rows() if row.is_active and _has_end(row, entity_id)), limit)

    def joined(self, entity_ids: Collection[UUID]) -> set[UUID]:
        wanted = frozenset(entity_ids)
        return {end for row in self._rows() if row.is_active for end in row.ends if end in wanted} if wanted else set()

    def restorable_with(self, entity_id: UUID, after: UUID | None, limit: int) -> Sequence[Relationship]:
        found = (
            row
            for row in self._rows()
            if row.deleted_with is not None and _has_end(row, entity_id) and (after is None or row.id > after)
        )
        return self._first_by_id(found, limit)

    def mark(self, relationships: Sequence[Relationship]) -> None:
        self.replace(relationships)


def _has_end(relationship: Relationship, entity_id: UUID) -> bool:
    return entity_id in relationship.ends
