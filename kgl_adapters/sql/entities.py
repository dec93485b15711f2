"""Entities in their table."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, bindparam

from kgl_adapters.sql.finding import Finder, Lock
from kgl_adapters.sql.records import LOCKS, RecordTable, SqlRecords, by_id
from kgl_adapters.sql.rows import ENTITY_COLUMNS
from kgl_adapters.sql.schema import entities
from kgl_adapters.sql.session import Session
from kgl_adapters.sql.statements import one_of
from kgl_core.entities import End, Entity, EntityFilter, EntitySort
from kgl_core.ids import EntityId
from kgl_core.pages import Position


class EntityTable(RecordTable):
    """The table of entities and the statements on it."""

    def __init__(self, *, is_sqlite: bool) -> None:
        super().__init__(
            entities, ENTITY_COLUMNS, "type", fixed=("id", "created_by", "created_at"), is_sqlite=is_sqlite
        )
        self.get_by_key = self.select.where(self.table.c.key == bindparam("key"), self.is_active)
        table = self.table
        states = {True: self.is_active, False: ~self.is_active}
        self.by_key = {
            lock: {
                is_active: Finder(table, self.columns, [table.c.key], lock, condition)
                for is_active, condition in states.items()
            }
            for lock in LOCKS
        }
        end = (table.c.id, table.c.key, table.c.deleted_at)
        self.end_by_id = Finder(table, end, [table.c.id], "share")
        self.end_by_key = {
            is_active: Finder(table, end, [table.c.key], "share", condition) for is_active, condition in states.items()
        }


_TABLES: Final = {is_sqlite: EntityTable(is_sqlite=is_sqlite) for is_sqlite in (False, True)}


class SqlEntities(SqlRecords[Entity]):
    """A `kgl_core.entities.EntityRepository`."""

    _kind = "entity"
    _of: EntityTable

    def __init__(self, session: Session) -> None:
        super().__init__(session, _TABLES[session.is_sqlite])

    def _read(self, row: Sequence[Any]) -> Entity:
        return self._rows.entity(row)

    def _values(self, record: Entity) -> tuple[Any, ...]:
        return self._rows.entity_values(record)

    def get_by_key(self, key: str) -> Entity | None:
        row = self._session.execute(self._of.get_by_key, {"key": key}).one_or_none()
        return None if row is None else self._read(row)

    def find(self, ids: Collection[UUID], keys: Collection[str] = (), *, lock: Lock = None) -> Sequence[Entity]:
        rows = self._of.by_id[lock].find(self._session, by_id(ids))
        rows += self._find_in_both_states(self._of.by_key[lock], [(key,) for key in sorted(keys)])
        return tuple({entity.id: entity for entity in map(self._read, rows)}.values())

    def ends(self, ids: Collection[UUID], keys: Collection[str] = ()) -> Sequence[End]:
        rows = self._of.end_by_id.find(self._session, by_id(ids))
        rows += self._find_in_both_states(self._of.end_by_key, [(key,) for key in sorted(keys)])
        # One that was restored between those two look-ups is in neither.
        missing = sorted(frozenset(keys).difference(row[1] for row in rows))
        rows += self._of.end_by_key[True].find(self._session, [(key,) for key in missing])
        ends = (End(EntityId(self._rows.read_id(id)), key, deleted_at is None) for id, key, deleted_at in rows)
        return tuple({end.id: end for end in ends}.values())

    def list(self, filter: EntityFilter, sort: EntitySort, after: Position | None, limit: int) -> Sequence[Entity]:
        field = sort.removeprefix("-")
        return self._page(filter, self._of.table.c["sort_name" if field == "name" else field], sort, after, limit)

    def _filtered(self, statement: Select[Any], filter: EntityFilter) -> tuple[Select[Any], dict[str, Any]]:
        statement, parameters = self._restricted(statement, filter)
        statement, more = one_of(statement, self._of.table.c.type, "type", filter.type)
        return statement, parameters | more
