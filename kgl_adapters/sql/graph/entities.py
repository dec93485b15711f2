"""Entities in their table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from operator import attrgetter
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, update

from kgl_adapters.sql.engine.queries import Query
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.graph.names import NameIndex, NamesBeside, with_names
from kgl_adapters.sql.kernel.lookups import Finder, LockingFinder, among, texts
from kgl_adapters.sql.kernel.noun_table import NounTable
from kgl_adapters.sql.kernel.repository import SqlRepository
from kgl_core.graph.entities import ENTITY, End, Entity, EntityFilter
from kgl_core.kernel.ids import EntityId
from kgl_core.kernel.nouns.repositories import Lock


class EntityTable(NounTable[Entity, EntityFilter, str]):
    """The table of entities and the statements on it."""

    beside = NamesBeside()

    def __init__(self, *, is_sqlite: bool) -> None:
        super().__init__(ENTITY, is_sqlite=is_sqlite)
        table = self.table
        has_name = among(table.c.sort_name, "sort_names", is_sqlite=is_sqlite)
        self.by_sort_name = Query(self.select.where(has_name).limit(bindparam("limit")), is_sqlite=is_sqlite)
        end = (table.c.id, table.c.key, table.c.deleted_at)
        self.end_by_id = Finder(table, end, [table.c.id], "share")
        self.end_by_key = self.finders(end, [table.c.key])
        self.locking_end = None if is_sqlite else LockingFinder(table, end, [table.c.key], "share")
        self.clear_key = update(table).where(table.c.id == bindparam("at_id")).values(key=None)


ENTITY_TABLES: Final = {is_sqlite: EntityTable(is_sqlite=is_sqlite) for is_sqlite in (False, True)}
_REPLACE_WITH_NAMES: Final = with_names(ENTITY_TABLES[False].replace.text)


class SqlEntities(SqlRepository[Entity, EntityFilter, str]):
    """A `kgl_core.graph.entities.EntityRepository`."""

    _of: EntityTable

    def __init__(self, session: Session) -> None:
        super().__init__(session, ENTITY_TABLES[session.is_sqlite])
        self._locked: dict[UUID, Entity] = {}  # which the index of names has as they are here

    def get(self, id: UUID, *, lock: Lock = None) -> Entity | None:
        found = super().get(id, lock=lock)
        if lock == "update" and found is not None:
            self._locked[id] = found
        return found

    def find(self, ids: Collection[UUID], values: Collection[str] = (), *, lock: Lock = None) -> Sequence[Entity]:
        found = super().find(ids, values, lock=lock)
        if lock == "update":
            self._locked.update({entity.id: entity for entity in found})
        return found

    def add(self, records: Sequence[Entity]) -> None:
        super().add(records)
        NameIndex(self._session).add(records)

    def _replace_rows(self, records: Sequence[Entity], rows: Sequence[tuple[Any, ...]]) -> int:
        before: dict[UUID, Entity] = {
            record.id: self._locked.pop(record.id) for record in records if record.id in self._locked
        }
        names = NameIndex(self._session)
        if len(before) == len(records) == 1 and not self._session.is_sqlite:
            if beside := names.beside(records[0], before[records[0].id]):
                [(count,)] = self._session.lookup(_REPLACE_WITH_NAMES, [(*rows[0], *beside)])
                return int(count)
            return super()._replace_rows(records, rows)
        count = super()._replace_rows(records, rows)
        names.replace(records, before)
        return count

    def forget_locked(self) -> None:
        """Trust no longer that the index of names has what was read and locked."""
        self._locked.clear()

    def index_names(self, entities: Sequence[Entity]) -> None:
        NameIndex(self._session).replace(entities)

    def tidy_names(self) -> None:
        NameIndex(self._session).tidy()

    def ends(self, ids: Collection[UUID], keys: Collection[str] = ()) -> Sequence[End]:
        of = self._of
        locking = of.locking_end if keys else None
        return self._find(of.end_by_id, of.end_by_key, locking, self._read_end, _key_of, ids, keys)

    def clear_keys(self, ids: Collection[UUID]) -> None:
        if ids:
            self._session.execute(self._of.clear_key, [{"at_id": self._encoding.id(id)} for id in sorted(ids)])

    def _read_end(self, row: Sequence[Any]) -> End:
        id, key, deleted_at = row
        return End(EntityId(self._encoding.read_id(id)), key, deleted_at is None)

    def find_by_sort_name(self, sort_names: Collection[str], limit: int) -> Sequence[Entity]:
        wanted = texts([*sort_names], is_sqlite=self._session.is_sqlite)
        return [*map(self._of.read, self._session.fetch(self._of.by_sort_name, {"sort_names": wanted, "limit": limit}))]


_key_of: Callable[[End], Any] = attrgetter("key")
