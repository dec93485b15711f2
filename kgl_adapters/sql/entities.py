"""Entities in their table."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, bindparam

from kgl_adapters.sql.records import VALUES, Lock, RecordTable, SqlRecords
from kgl_adapters.sql.rows import ENTITY_COLUMNS
from kgl_adapters.sql.schema import entities
from kgl_adapters.sql.statements import one_of
from kgl_core.entities import End, Entity, EntityFilter, EntitySort
from kgl_core.ids import EntityId
from kgl_core.pages import Position

_TABLE: Final = RecordTable(entities, ENTITY_COLUMNS, "type", fixed=("id", "created_by", "created_at"))
_GET_BY_KEY: Final = _TABLE.select.where(entities.c.key == bindparam("key"), _TABLE.is_active)
_END: Final = (entities.c.id, entities.c.key, entities.c.deleted_at)


class SqlEntities(SqlRecords[Entity]):
    """A `kgl_core.entities.EntityRepository`."""

    _kind = "entity"
    _of = _TABLE

    def _read(self, row: Sequence[Any]) -> Entity:
        return self._rows.entity(row)

    def _values(self, record: Entity) -> tuple[Any, ...]:
        return self._rows.entity_values(record)

    def get_by_key(self, key: str) -> Entity | None:
        row = self._session.execute(_GET_BY_KEY, {"key": key}).one_or_none()
        return None if row is None else self._read(row)

    def find(self, ids: Collection[UUID], keys: Collection[str] = (), *, lock: Lock = None) -> Sequence[Entity]:
        found = map(self._read, self._find(_TABLE.columns, ids, keys, lock))
        return tuple({entity.id: entity for entity in found}.values())

    def ends(self, ids: Collection[UUID], keys: Collection[str] = ()) -> Sequence[End]:
        found = self._find(_END, ids, keys, "share")
        ends = (End(EntityId(self._rows.read_id(id)), key, deleted_at is None) for id, key, deleted_at in found)
        return tuple({end.id: end for end in ends}.values())

    def _find(
        self, columns: Sequence[ColumnElement[Any]], ids: Collection[UUID], keys: Collection[str], lock: Lock
    ) -> list[Sequence[Any]]:
        statement = self._locked(lock, columns)
        found = self._fetch_each(statement.where(entities.c.id.in_(VALUES)), sorted(ids), lock, self._rows.id)
        # One statement for each partial index on the key: a condition with "or" would use neither.
        for state in (_TABLE.is_active, ~_TABLE.is_active):
            found += self._fetch_each(statement.where(entities.c.key.in_(VALUES), state), sorted(keys), lock)
        return found

    def list(self, filter: EntityFilter, sort: EntitySort, after: Position | None, limit: int) -> Sequence[Entity]:
        field = sort.removeprefix("-")
        return self._page(filter, entities.c["sort_name" if field == "name" else field], sort, after, limit)

    def _filtered(self, statement: Select[Any], filter: EntityFilter) -> tuple[Select[Any], dict[str, Any]]:
        statement, parameters = self._restricted(statement, filter)
        statement, more = one_of(statement, entities.c.type, "type", filter.type)
        return statement, parameters | more
