"""Entities in a dictionary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, MutableMapping, Sequence
from itertools import islice
from typing import Literal
from uuid import UUID

import attrs

from kgl_adapters.memory.records import admits, detached, page
from kgl_core.graph.entities import End, Entity, EntityFilter, EntitySort
from kgl_core.kernel.errors import AlreadyExists, NotFound, StaleVersion
from kgl_core.kernel.pages import Position


class MemoryEntities:
    """A `kgl_core.graph.entities.EntityRepository`."""

    def __init__(self, rows: MutableMapping[UUID, Entity], keys: MutableMapping[str, UUID | None]) -> None:
        self._rows, self._keys = rows, keys

    def get(self, id: UUID) -> Entity | None:
        entity = self._rows.get(id)
        return None if entity is None else detached(entity)

    def get_by_key(self, key: str) -> Entity | None:
        id = self._keys.get(key)
        return None if id is None else self.get(id)

    def find(
        self, ids: Collection[UUID], keys: Collection[str] = (), *, lock: Literal["update", "share"] | None = None
    ) -> Sequence[Entity]:
        found = {id: self._rows[id] for id in ids if id in self._rows}
        if keys:
            wanted = frozenset(keys)
            active = {id for key in wanted if (id := self._keys.get(key)) is not None}
            deleted = {id for id, row in self._rows.items() if row.key in wanted and not row.is_active}
            found.update({id: self._rows[id] for id in active | deleted})
        return [detached(entity) for entity in found.values()]

    def ends(self, ids: Collection[UUID], keys: Collection[str] = ()) -> Sequence[End]:
        return [End(entity.id, entity.key, entity.is_active) for entity in self.find(ids, keys)]

    def find_by_sort_name(self, sort_names: Collection[str], limit: int) -> Sequence[Entity]:
        wanted = frozenset(sort_names)
        return [detached(row) for row in islice((r for r in self._rows.values() if r.sort_name in wanted), limit)]

    def list(self, filter: EntityFilter, sort: EntitySort, after: Position | None, limit: int) -> Sequence[Entity]:
        return page((row for row in self._rows.values() if _admits(filter, row)), sort, after, limit)

    def count(self, filter: EntityFilter) -> int:
        return sum(_admits(filter, row) for row in self._rows.values())

    def count_by_type(self) -> dict[str, int]:
        return dict(sorted(Counter(row.type for row in self._rows.values() if row.is_active).items()))

    def count_deleted(self) -> int:
        return sum(not row.is_active for row in self._rows.values())

    def scan(self, after: UUID | None, limit: int) -> Sequence[Entity]:
        ids = sorted(id for id in self._rows if after is None or id > after)
        return [detached(self._rows[id]) for id in ids[:limit]]

    def add(self, entities: Sequence[Entity]) -> None:
        keys: dict[str, UUID | None] = {}
        rows: dict[UUID, Entity] = {}
        for entity in entities:
            if entity.id in self._rows or entity.id in rows:
                raise AlreadyExists("entity", "id")
            rows[entity.id] = detached(entity)
            self._take_key(entity, keys)
        self._rows.update(rows)
        self._keys.update(keys)

    def clear_keys(self, ids: Collection[UUID]) -> None:
        for id in ids:
            entity = self._rows.get(id)
            if entity is None or entity.key is None:
                continue
            if entity.is_active:
                self._keys[entity.key] = None
            self._rows[id] = attrs.evolve(entity, key=None)

    def replace(self, entities: Sequence[Entity]) -> None:
        keys: dict[str, UUID | None] = {}
        for entity in entities:
            before = self._rows.get(entity.id)
            if before is None:
                raise NotFound("entity", entity.id)
            if before.version >= entity.version:
                raise StaleVersion("entity", entity.id, entity.version - 1, before.version)
            if before.is_active and before.key is not None:
                keys.setdefault(before.key, None)
            self._take_key(entity, keys)
        self._rows.update({entity.id: detached(entity) for entity in entities})
        self._keys.update(keys)

    def _take_key(self, entity: Entity, keys: dict[str, UUID | None]) -> None:
        if entity.key is None or not entity.is_active:
            return
        holder = keys[entity.key] if entity.key in keys else self._keys.get(entity.key)
        if holder is not None and holder != entity.id:
            raise AlreadyExists("entity", "key")
        keys[entity.key] = entity.id


def _admits(filter: EntityFilter, entity: Entity) -> bool:
    return (not filter.type or entity.type in filter.type) and admits(filter, entity)
