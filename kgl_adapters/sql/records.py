"""What the tables of entities and of relationships have in common: versions, soft deletion, pages, locks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final, Generic, Literal, TypeVar
from uuid import UUID

from sqlalchemy import BindParameter, ColumnElement, Select, Table, bindparam, func, select, update

from kgl_adapters.sql.session import Session
from kgl_adapters.sql.statements import changed_later, chunks, paged, restricted, scanned
from kgl_core.entities import Entity, EntityFilter
from kgl_core.errors import NotFound, StaleVersion, TransactionConflict
from kgl_core.pages import Position
from kgl_core.relationships import Relationship, RelationshipFilter

R = TypeVar("R", bound=Entity | Relationship)
Lock = Literal["update", "share"] | None
VALUES: Final[BindParameter[Any]] = bindparam("values", expanding=True)


class RecordTable:
    """A table of records and the statements on it, made once. ``fixed`` are the columns that no update touches."""

    def __init__(self, table: Table, columns: Sequence[str], type_column: str, fixed: Sequence[str]) -> None:
        self.table = table
        self.columns: Sequence[ColumnElement[Any]] = [table.c[name] for name in columns]
        self.is_active = table.c.deleted_at.is_(None)
        self.inserted = tuple(column.name for column in table.c)
        self.updated = tuple(name for name in self.inserted if name not in fixed)
        self.select = select(*self.columns)
        self.get = self.select.where(table.c.id == bindparam("id"))
        self.replace = (
            update(table)
            .where(table.c.id == bindparam("at_id"), table.c.version < bindparam("version"))
            .values({name: bindparam(name) for name in self.updated})
        )
        self.version = select(table.c.version).where(table.c.id == bindparam("id"))
        type_ = table.c[type_column]
        self.count_by_type = select(type_, func.count()).where(self.is_active).group_by(type_).order_by(type_)
        self.count = select(func.count()).select_from(table)
        self.count_deleted = self.count.where(table.c.deleted_at.is_not(None))


class SqlRecords(Generic[R]):
    """The part of a repository that does not depend on what its records are."""

    _kind: ClassVar[str]
    _of: ClassVar[RecordTable]

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rows = session.rows

    def _read(self, row: Sequence[Any]) -> R:
        raise NotImplementedError

    def _values(self, record: R) -> tuple[Any, ...]:
        """The record's values in the order of the table's columns."""
        raise NotImplementedError

    def _filtered(self, statement: Select[Any], filter: Any) -> tuple[Select[Any], dict[str, Any]]:
        raise NotImplementedError

    def get(self, id: UUID) -> R | None:
        row = self._session.execute(self._of.get, {"id": self._rows.id(id)}).one_or_none()
        return None if row is None else self._read(row)

    def count_by_type(self) -> dict[str, int]:
        return {row[0]: row[1] for row in self._session.execute(self._of.count_by_type)}

    def count_deleted(self) -> int:
        return int(self._session.execute(self._of.count_deleted).scalar_one())

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
        if self._session.execute(self._of.replace, parameters).rowcount != len(records):
            self._raise_stale(records)

    def _raise_stale(self, records: Sequence[R]) -> None:
        for record in records:
            found = self._session.execute(self._of.version, {"id": self._rows.id(record.id)}).scalar_one_or_none()
            if found is None:
                raise NotFound(self._kind, record.id)
            # A record that was replaced is at its new version by now; a stale one is at another, or was before it.
            if found != record.version or len(records) == 1:
                raise StaleVersion(self._kind, record.id, record.version - 1, found)
        raise TransactionConflict

    def _page(
        self, filter: Any, column: ColumnElement[Any], sort: str, after: Position | None, limit: int
    ) -> Sequence[R]:
        statement, parameters = self._filtered(self._of.select, filter)
        statement, more = paged(statement, self._of.table, column, sort, after, limit, self._rows)
        return [self._read(row) for row in self._session.execute(statement, parameters | more)]

    def count(self, filter: Any) -> int:
        statement, parameters = self._filtered(self._of.count, filter)
        return int(self._session.execute(statement, parameters).scalar_one())

    def _restricted(
        self, statement: Select[Any], filter: EntityFilter | RelationshipFilter
    ) -> tuple[Select[Any], dict[str, Any]]:
        return restricted(statement, self._of.table, filter, self._rows)

    def _locked(self, lock: Lock, columns: Sequence[ColumnElement[Any]] | None = None) -> Select[Any]:
        """A select whose rows `_fetch` reads: locked in the order of their ids, or not at all."""
        columns, table = columns or self._of.columns, self._of.table
        if lock is None:
            return select(*columns)
        statement = select(*columns, changed_later(table, is_sqlite=self._session.is_sqlite)).order_by(table.c.id)
        if lock == "share":
            return statement.with_for_update(read=True, of=table)
        return statement.with_for_update(key_share=True, of=table)

    def _fetch(self, statement: Select[Any], parameters: dict[str, Any], lock: Lock) -> list[Sequence[Any]]:
        """The rows of a `_locked` statement. Raises TransactionConflict for one that a later transaction wrote."""
        return self._unflagged(self._session.execute(statement, parameters), lock)

    def _fetch_each(
        self, statement: Select[Any], values: Iterable[Any], lock: Lock, convert: Any = None
    ) -> list[Sequence[Any]]:
        """As `_fetch`, with VALUES bound to ``values``, some at a time."""
        found: list[Sequence[Any]] = []
        for chunk in chunks(values):
            found += self._fetch(statement, {"values": [convert(v) for v in chunk] if convert else chunk}, lock)
        return found

    @staticmethod
    def _unflagged(rows: Iterable[Sequence[Any]], lock: Lock) -> list[Sequence[Any]]:
        if lock is None:
            return list(rows)
        found = list(rows)
        if any(row[-1] for row in found):
            raise TransactionConflict
        return [row[:-1] for row in found]
