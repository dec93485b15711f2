"""Entities in a dictionary."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import islice
from typing import Literal
from uuid import UUID

import attrs

from kgl_adapters.memory.graph.records import MemoryRecords, admits, detached
from kgl_core.graph.entities import End, Entity, EntityFilter


class MemoryEntities(MemoryRecords[Entity, EntityFilter, str]):
    """A `kgl_core.graph.entities.EntityRepository`."""

    _kind, _unique_name = "entity", "key"

    def get_by_key(self, key: str) -> Entity | None:
        id = self._holders.get(key)
        return None if id is None else self.get(id)

    def find(
        self, ids: Collection[UUID], keys: Collection[str] = (), *, lock: Literal["update", "share"] | None = None
    ) -> Sequence[Entity]:
        return self._find(ids, keys)

    def ends(self, ids: Collection[UUID], keys: Collection[str] = ()) -> Sequence[End]:
        return [End(entity.id, entity.key, entity.is_active) for entity in self._find(ids, keys)]

    def find_by_sort_name(self, sort_names: Collection[str], limit: int) -> Sequence[Entity]:
        wanted = frozenset(sort_names)
        return [detached(row) for row in islice((r for r in self._rows.values() if r.sort_name in wanted), limit)]

    def clear_keys(self, ids: Collection[UUID]) -> None:
        for id in ids:
            entity = self._rows.get(id)
            if entity is None or entity.key is None:
                continue
            if entity.is_active:
                self._holders[entity.key] = None
            self._rows[id] = attrs.evolve(entity, key=None)

    def _unique(self, record: Entity) -> str | None:
        return record.key

    def _type(self, record: Entity) -> str:
        return record.type

    def _admits(self, filter: EntityFilter, record: Entity) -> bool:
        return (not filter.type or record.type in filter.type) and admits(filter, record)
