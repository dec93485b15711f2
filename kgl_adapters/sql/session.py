"""A connection in use: runs statements, writes many rows at once, and turns driver errors into ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

from sqlalchemy import Connection, CursorResult, NestedTransaction, Table
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import Executable

from kgl_adapters.sql.connections import Connections, cursor_of
from kgl_adapters.sql.errors import translate
from kgl_adapters.sql.query import Query
from kgl_adapters.sql.rows import Rows
from kgl_core.errors import StoreFault

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]


class Session:
    """The statements of a unit of work. Every method raises the core's errors, chained to the driver's.

    In a transaction they all run on ``connection``. Without one, what the driver runs by itself is lent a connection
    each time, and the first other statement opens one for itself and those that follow.
    """

    def __init__(
        self, connections: Connections, rows: Rows, connection: Connection | None = None, *, is_writing: bool = False
    ) -> None:
        self._connections = connections
        self._connection = connection
        self._is_writing = is_writing
        self.is_sqlite = rows.is_sqlite
        self.rows = rows
        self.where = connections.where

    @property
    def connection(self) -> Connection:
        """The connection, opened when there is none yet."""
        if self._connection is None:
            self._connection = self._connections.open()
        return self._connection

    def close(self) -> None:
        """Give back what was opened."""
        if self._connection is not None:
            self._connection.close()

    def execute(self, statement: Executable, parameters: Parameters | None = None) -> CursorResult[*tuple[Any, ...]]:
        """Run a statement, or one for each of many parameters."""
        self.require_transaction()
        try:
            return self.connection.execute(statement, parameters)
        except DBAPIError as error:
            raise translate(error, self.where) from error

    def fetch(self, query: Query, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The rows that a query finds."""
        self.require_transaction()
        values = {**query.constants, **parameters} if query.constants else parameters
        if self._connection is None:
            return self._connections.fetch(query.text, values)
        proxy = self._connection.connection
        try:
            rows: list[tuple[Any, ...]] = cursor_of(proxy).execute(query.text, values).fetchall()
            return rows
        except self._connection.dialect.loaded_dbapi.Error as error:
            if self._connection.dialect.is_disconnect(error, proxy.driver_connection, None):
                with suppress(DBAPIError):  # it fails at once; SQLAlchemy then lets go of all that are as old
                    self._connection.exec_driver_sql("SELECT 1")
            raise translate(error, self.where) from error

    def insert(self, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows whose values are in the order of ``columns``, as fast as the driver can."""
        if not rows:
            return
        self.require_transaction()
        names = ", ".join(f'"{column}"' for column in columns)
        if not self.is_sqlite and len(rows) > 1:
            with self.savepoint():
                self._copy(f"COPY {table.fullname} ({names}) FROM STDIN", rows)
            return
        marks = ", ".join("?" if self.is_sqlite else "%s" for _ in columns)
        statement = f"INSERT INTO {table.fullname} ({names}) VALUES ({marks})"  # noqa: S608  # names of our own
        with self.all_or_none(rows):
            self.run(statement, list(rows) if len(rows) > 1 else rows[0])

    def run(self, statement: str, parameters: Any = ()) -> CursorResult[*tuple[Any, ...]]:
        """Run a statement in the driver's own SQL, once or for each of a list of parameters."""
        self.require_transaction()
        try:
            return self.connection.exec_driver_sql(statement, parameters)
        except DBAPIError as error:
            raise translate(error, self.where) from error

    @contextmanager
    def savepoint(self) -> Iterator[NestedTransaction]:
        """A savepoint that is released at the end of the block, and rolled back when the block raises."""
        self.require_transaction()
        try:
            savepoint = self.connection.begin_nested()
        except DBAPIError as error:
            raise translate(error, self.where) from error
        try:
            yield savepoint
        except BaseException:
            if not self.is_undone:
                with suppress(DBAPIError):  # a connection that is lost now undoes more than this
                    savepoint.rollback()
            raise
        if savepoint.is_active:
            try:
                savepoint.commit()
            except DBAPIError as error:
                raise translate(error, self.where) from error

    def all_or_none(self, rows: Sequence[object]) -> AbstractContextManager[NestedTransaction | None]:
        """A savepoint around what writes several rows, so that a refused one takes the others back."""
        return self.savepoint() if len(rows) > 1 else nullcontext()

    @property
    def is_undone(self) -> bool:
        """Whether SQLite has undone the whole transaction by itself, as it does when the disk is full."""
        if not (self.is_sqlite and self._is_writing):
            return False
        driver: Any = self.connection.connection.driver_connection
        return not driver.in_transaction

    def require_committable(self) -> None:
        """Raise StoreFault where a commit would keep nothing and not say so, because a statement has failed."""
        self.require_transaction()
        if not self.is_sqlite:
            driver: Any = self.connection.connection.driver_connection
            if driver.info.transaction_status.name == "INERROR":
                raise StoreFault("an earlier error, which undid the whole transaction")

    def require_transaction(self) -> None:
        """Raise StoreFault where an earlier error has undone the transaction: what follows would be kept without it."""
        if self.is_undone:
            raise StoreFault("an earlier error, which undid the whole transaction")

    def lookup(self, statement: str, values: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """The rows that a statement in SQLite's own SQL finds for each of ``values``.

        SQLite runs in this process: many small statements cost it less than building one large one.
        """
        cursor: Any = self.connection.connection.cursor()
        try:
            return [row for value in values for row in cursor.execute(statement, value)]
        except self.connection.dialect.loaded_dbapi.Error as error:
            raise translate(error, self.where) from error
        finally:
            cursor.close()

    def _copy(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        cursor: Any = self.connection.connection.cursor()
        try:
            with cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(row)
        except self.connection.dialect.loaded_dbapi.Error as error:
            raise translate(error, self.where) from error
        finally:
            cursor.close()
