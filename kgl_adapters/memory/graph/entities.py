"""Entities in a dictionary."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from uuid import UUID

import attrs

from kgl_adapters.memory.kernel.repository import MemoryRepository, Shelves
from kgl_core.graph.entities import ENTITY, End, Entity, EntityFilter


class MemoryEntities(MemoryRepository[Entity, EntityFilter, str]):
    """A `kgl_core.graph.entities.EntityRepository`."""

    def __init__(self, shelves: Shelves) -> None:
        super().__init__(ENTITY, shelves)

    def ends(self, ids: Collection[UUID], keys: Collection[str] = ()) -> Sequence[End]:
        return [End(entity.id, entity.key, entity.is_active) for entity in self.find(ids, keys)]

    def passing(self, filter: EntityFilter) -> Iterator[Entity]:
        """The entities that pass a filter, as they are stored: whoever gives them out copies them."""
        return self._admitted(filter)

    def find_by_sort_name(self, sort_names: Collection[str], limit: int) -> Sequence[Entity]:
        wanted = frozenset(sort_names)
        return [self._detached(row) for row in islice((r for r in self._rows() if r.sort_name in wanted), limit)]

    def index_names(self, entities: Sequence[Entity]) -> None:
        """Do nothing: names are looked for in the entities themselves."""

    def tidy_names(self) -> None:
        """Do nothing, as `index_names`."""

    def clear_keys(self, ids: Collection[UUID]) -> None:
        for id in ids:
            entity = self._shelf.rows.get(id)
            if entity is None or entity.key is None:
                continue
            if entity.is_active:
                self._shelf.holders[entity.key] = None
            self._shelf.rows[id] = attrs.evolve(entity, key=None)
