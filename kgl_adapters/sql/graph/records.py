"""What entities and relationships have in common in tables: versions, soft deletion, pages and locks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final, Generic, TypeVar
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Select, Table, bindparam, func, literal_column, select, update

from kgl_adapters.sql.engine.queries import Query
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.graph.lookups import Combinations, Finder, Lock
from kgl_adapters.sql.graph.rows import GRAPH_ROWS
from kgl_adapters.sql.listings import Condition, Listing
from kgl_adapters.sql.schema import table_for
from kgl_adapters.sql.statements import scanned
from kgl_core.graph.entities import Entity
from kgl_core.graph.relationships import Relationship
from kgl_core.graph.shared_fields import RecordFilter
from kgl_core.kernel.errors import NotFound, StaleVersion
from kgl_core.kernel.pages import Position

R = TypeVar("R", bound=Entity | Relationship)
LOCKS: Final[tuple[Lock, ...]] = (None, "update", "share")


def lock_order(ids: Iterable[UUID]) -> list[tuple[UUID]]:
    """The ids sorted in the order in which every transaction locks, as the values that `Finder` takes."""
    return [(id,) for id in sorted(ids, key=lambda id: id.int)]


class RecordTable:
    """A table of records and the statements on it, made once.

    No update changes the ``fixed`` columns. ``filtered`` maps filters of these records alone to their columns.
    """

    def __init__(
        self,
        table: Table,
        columns: Sequence[str],
        type_column: str,
        fixed: Sequence[str],
        filtered: Mapping[str, Sequence[str]],
        *,
        is_sqlite: bool,
    ) -> None:
        table = table_for(table, is_sqlite=is_sqlite)
        self.table = table
        self.columns: Sequence[ColumnElement[Any]] = [table.c[name] for name in columns]
        self.is_active = table.c.deleted_at.is_(None)
        self.inserted = tuple(column.name for column in table.c)
        self.updated = tuple(name for name in self.inserted if name not in fixed)
        self.select = select(*self.columns)
        self.by_id = {lock: Finder(table, self.columns, [table.c.id], lock) for lock in LOCKS}
        self.get = Query(self.select.where(table.c.id == bindparam("id")), is_sqlite=is_sqlite)
        conditions = {name: Condition([table.c[column] for column in filtered[name]]) for name in filtered}
        self.listing = Listing(table, self.columns, conditions, is_sqlite=is_sqlite)
        self.replace = (
            update(table)
            .where(table.c.id == bindparam("at_id"), table.c.version < bindparam("version"))
            .values({name: bindparam(name) for name in self.updated})
        )
        type_ = table.c[type_column]
        self.count_by_type = select(type_, func.count()).where(self.is_active).group_by(type_).order_by(type_)
        self.count = select(func.count()).select_from(table)
        self.any_deleted: Select[Any] = select(literal_column("1")).where(table.c.deleted_at.is_not(None)).limit(1)
        self.count_deleted = self.count.where(table.c.deleted_at.is_not(None))

    def finders_of_states(self, columns: Sequence[ColumnElement[Any]], by: Sequence[Column[Any]]) -> dict[bool, Finder]:
        """Finders of the active rows (True) and of the deleted (False), since unique values have an index for each."""
        return {
            is_active: Finder(self.table, columns, by, None, condition)
            for is_active, condition in {True: self.is_active, False: ~self.is_active}.items()
        }


class SqlRecords(Generic[R]):
    """A repository of entities or of relationships."""

    _kind: ClassVar[str]

    def __init__(
        self,
        session: Session,
        of: RecordTable,
        read: Callable[[Sequence[Any]], R],
        values: Callable[[R], tuple[Any, ...]],
    ) -> None:
        """``read`` converts a row to a record, ``values`` a record to the values of the table's columns."""
        self._session = session
        self._of = of
        self._rows = GRAPH_ROWS[session.is_sqlite]
        self._read, self._values = read, values

    def get(self, id: UUID) -> R | None:
        found = self._session.fetch(self._of.get, {"id": self._rows.id(id)})
        return self._read(found[0]) if found else None

    def count_by_type(self) -> dict[str, int]:
        return {row[0]: row[1] for row in self._session.execute(self._of.count_by_type)}

    def count_deleted(self) -> int:
        return int(self._session.execute(self._of.count_deleted).scalar_one())

    def _find_in_both_states(self, finders: Mapping[bool, Finder], values: Combinations) -> list[Sequence[Any]]:
        """The active and the deleted rows that have any of ``values``.

        The active first: the second look-up then finds a row that is deleted between the two.
        """
        if not values:
            return []
        found = finders[True].find(self._session, values)
        if self._session.execute(self._of.any_deleted).first() is not None:
            found += finders[False].find(self._session, values)
        return found

    def scan(self, after: UUID | None, limit: int) -> Sequence[R]:
        statement, parameters = scanned(self._of.select, self._of.table, after, limit, self._rows)
        return [self._read(row) for row in self._session.execute(statement, parameters)]

    def add(self, records: Sequence[R]) -> None:
        self._session.insert(self._of.table, self._of.inserted, [self._values(record) for record in records])

    def replace(self, records: Sequence[R]) -> None:
        if not records:
            return
        parameters = []
        for record in records:
            values = dict(zip(self._of.inserted, self._values(record), strict=True))
            parameters.append({"at_id": values["id"], **{name: values[name] for name in self._of.updated}})
        with self._session.all_or_none(records) as savepoint:
            is_complete = self._session.execute(self._of.replace, parameters).rowcount == len(records)
            if savepoint is not None and not is_complete:
                savepoint.rollback()
        if not is_complete:
            raise self._stale(records)

    def _stale(self, records: Sequence[R]) -> NotFound | StaleVersion:
        found = self._of.by_id[None].find(self._session, lock_order(record.id for record in records))
        versions = {kept.id: kept.version for kept in map(self._read, found)}
        for record in records:
            if record.id not in versions:
                return NotFound(self._kind, record.id)
            if versions[record.id] >= record.version:
                return StaleVersion(self._kind, record.id, record.version - 1, versions[record.id])
        raise AssertionError("a replacement failed that nothing stood in the way of")

    def _page(self, filter: RecordFilter, sort: str, after: Position | None, limit: int) -> Sequence[R]:
        return [*map(self._read, self._of.listing.page(self._session, filter, sort, after, limit))]

    def count(self, filter: RecordFilter) -> int:
        return self._of.listing.count(self._session, filter)
