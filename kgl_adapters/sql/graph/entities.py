"""Entities in their table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import ARRAY, any_, bindparam, update

from kgl_adapters.sql.engine.queries import Query
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.graph.lookups import Finder, Lock, LockingFinder
from kgl_adapters.sql.graph.records import LOCKS, RecordTable, SqlRecords, lock_order
from kgl_adapters.sql.graph.rows import ENTITY_COLUMNS, GRAPH_ROWS
from kgl_adapters.sql.schema import entities
from kgl_adapters.sql.types import TEXT
from kgl_core.graph.entities import End, Entity, EntityFilter, EntitySort
from kgl_core.kernel.ids import EntityId
from kgl_core.kernel.pages import Position

E = TypeVar("E", Entity, End)


class EntityTable(RecordTable):
    """The table of entities and the statements on it."""

    def __init__(self, *, is_sqlite: bool) -> None:
        super().__init__(
            entities,
            ENTITY_COLUMNS,
            "type",
            fixed=("id", "created_by", "created_at"),
            filtered={"type": ["type"]},
            is_sqlite=is_sqlite,
        )
        self.get_by_key = self.select.where(self.table.c.key == bindparam("key"), self.is_active)
        table = self.table
        sort_names: Any = bindparam("sort_names", type_=TEXT if is_sqlite else ARRAY(TEXT))
        has_name = table.c.sort_name == (sort_names if is_sqlite else any_(sort_names))
        self.by_sort_name = Query(self.select.where(has_name).limit(bindparam("limit")), is_sqlite=is_sqlite)
        end = (table.c.id, table.c.key, table.c.deleted_at)
        self.by_key = self.finders_of_states(self.columns, [table.c.key])
        self.locking = {lock: LockingFinder(table, self.columns, [table.c.key], lock) for lock in LOCKS if lock}
        self.end_by_id = Finder(table, end, [table.c.id], "share")
        self.end_by_key = self.finders_of_states(end, [table.c.key])
        self.locking_end = LockingFinder(table, end, [table.c.key], "share")
        self.clear_key = update(table).where(table.c.id == bindparam("at_id")).values(key=None)


_TABLES: Final = {is_sqlite: EntityTable(is_sqlite=is_sqlite) for is_sqlite in (False, True)}


class SqlEntities(SqlRecords[Entity]):
    """A `kgl_core.graph.entities.EntityRepository`."""

    _kind = "entity"
    _of: EntityTable

    def __init__(self, session: Session) -> None:
        rows = GRAPH_ROWS[session.is_sqlite]
        super().__init__(session, _TABLES[session.is_sqlite], rows.entity, rows.entity_values)

    def get_by_key(self, key: str) -> Entity | None:
        row = self._session.execute(self._of.get_by_key, {"key": key}).one_or_none()
        return None if row is None else self._read(row)

    def find(self, ids: Collection[UUID], keys: Collection[str] = (), *, lock: Lock = None) -> Sequence[Entity]:
        of = self._of
        return self._named(of.by_id[lock], of.by_key, of.locking[lock] if lock else None, self._read, ids, keys)

    def ends(self, ids: Collection[UUID], keys: Collection[str] = ()) -> Sequence[End]:
        of = self._of
        return self._named(of.end_by_id, of.end_by_key, of.locking_end, self._read_end, ids, keys)

    def clear_keys(self, ids: Collection[UUID]) -> None:
        if ids:
            self._session.execute(self._of.clear_key, [{"at_id": self._rows.id(id)} for id in sorted(ids)])

    def _read_end(self, row: Sequence[Any]) -> End:
        id, key, deleted_at = row
        return End(EntityId(self._rows.read_id(id)), key, deleted_at is None)

    def _named(
        self,
        by_id: Finder,
        by_key: Mapping[bool, Finder],
        locking: LockingFinder | None,
        read: Callable[[Sequence[Any]], E],
        ids: Collection[UUID],
        keys: Collection[str],
    ) -> Sequence[E]:
        """The rows with these ids or keys, each once, converted by ``read``."""
        values = [(key,) for key in sorted(keys)]
        if locking is None or not keys or self._session.is_sqlite:
            rows = by_id.find(self._session, lock_order(ids)) + self._find_in_both_states(by_key, values)
            return tuple({each.id: each for each in map(read, rows)}.values())
        ids, keys = frozenset(ids), frozenset(keys)
        while True:
            found = tuple(map(read, locking.find(self._session, ids, values)))
            if all(each.key in keys or each.id in ids for each in found):
                return found
            # A key was taken from an entity while this waited for it, and perhaps given to another.

    def find_by_sort_name(self, sort_names: Collection[str], limit: int) -> Sequence[Entity]:
        rows: list[Sequence[Any]] = []
        # SQLite has no arrays, but a look-up costs it next to nothing.
        groups = [[name] for name in sort_names] if self._session.is_sqlite else [list(sort_names)]
        for group in groups:
            parameters = {"sort_names": group[0] if self._session.is_sqlite else group, "limit": limit - len(rows)}
            rows += self._session.fetch(self._of.by_sort_name, parameters)
            if len(rows) >= limit:
                break
        return [*map(self._read, rows)]

    def list(self, filter: EntityFilter, sort: EntitySort, after: Position | None, limit: int) -> Sequence[Entity]:
        return self._page(filter, sort.replace("name", "sort_name"), after, limit)
