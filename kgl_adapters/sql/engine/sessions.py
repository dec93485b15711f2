"""A connection in use: runs statements, writes many rows at once, and turns driver errors into ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from time import monotonic
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, CursorResult, NestedTransaction, Table, text
from sqlalchemy.exc import DBAPIError, InvalidRequestError
from sqlalchemy.sql import Executable

from kgl_adapters.sql.engine.connections import Connections, Values, closed, once_more
from kgl_adapters.sql.engine.driver_errors import translate
from kgl_adapters.sql.engine.encoding import Encoding
from kgl_adapters.sql.engine.engines import end_snapshot
from kgl_adapters.sql.engine.idle_connections import cursor_of
from kgl_adapters.sql.engine.many_rows import copy_or_undo, copy_rows, insert_or_remove
from kgl_adapters.sql.engine.queries import Query
from kgl_core.kernel.store_errors import StatementTimeout, StoreFault, StoreUnavailable

T = TypeVar("T")
Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]

_LOOK_EVERY: Final = 10_000
"""How many of its instructions SQLite runs, which is less than a millisecond, before it looks at the time."""
_SETTING: Final = Query(text("SELECT set_config(:name, :value, true)"), is_sqlite=False)


class Session:
    """The statements of a unit of work. Every method raises the core's errors, chained to the driver's.

    A writer is given the ``connection`` that its transaction is on. A reader opens its own with its first statement:
    one for a snapshot, or one without a transaction, unless the driver runs the statement by itself. As long as nothing
    depends on it, a connection that turns out to be lost is replaced, and the statement tried once more.
    """

    def __init__(
        self,
        connections: Connections,
        encoding: Encoding,
        connection: Connection | None = None,
        *,
        in_snapshot: bool = False,
    ) -> None:
        self._connections = connections
        self._connection = connection
        self._is_writing = connection is not None
        self._in_snapshot = in_snapshot
        self._repeats = not self._is_writing
        self._ends_at: float | None = None
        self._settings: dict[str, str] = {}
        self.is_sqlite = encoding.is_sqlite
        self.encoding = encoding
        self.where = connections.where

    @property
    def connection(self) -> Connection:
        """The connection, opened when there is none yet."""
        if self._connection is None:
            if self._in_snapshot:
                self._connection = self._connections.begin_snapshot(self._settings)
            else:
                self._connection = self._connections.open()
        return self._connection

    def close(self) -> None:
        """Give back what was opened."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            with closed(connection):
                if self._in_snapshot and not connection.invalidated:
                    with suppress(connection.dialect.loaded_dbapi.Error):  # nothing was written, so nothing can be lost
                        end_snapshot(connection)

    def limit_time(self) -> None:
        """Let all that is fetched from now on take no longer than a statement may. StatementTimeout is raised then.

        For reads whose cost nobody can foresee. PostgreSQL ends a statement by itself, but no row of statements.
        """
        if self._ends_at is None and self._connections.statement_max_s is not None:
            self._ends_at = monotonic() + self._connections.statement_max_s

    def lift_limit(self) -> None:
        """Let what is fetched from now on take any time again."""
        self._ends_at = None

    def execute(self, statement: Executable, parameters: Parameters | None = None) -> CursorResult[*tuple[Any, ...]]:
        """Run a statement, or one for each of many parameters."""
        self.require_transaction()
        return self._run(partial(self._execute, statement, parameters))

    def fetch(self, query: Query, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """The rows that a query finds."""
        self.require_transaction()
        if self._is_late():
            raise StatementTimeout
        values = query.values(parameters)
        if self._connection is None and not self._in_snapshot and not (self.is_sqlite and self._ends_at):
            return self._connections.fetch(query.text, values)
        return self._run(partial(self._fetch, query.text, values))

    def set_locally(self, name: str, value: str) -> None:
        """Set one of PostgreSQL's settings until the transaction or the snapshot ends. SQLite has none of them."""
        if self.is_sqlite or self._settings.get(name) == value:
            return
        self._settings[name] = value
        if self._connection is not None:  # else it is sent along when this begins
            self.fetch(_SETTING, {"name": name, "value": value})

    def _run(self, run: Callable[[], T]) -> T:
        if not self._repeats:
            return run()
        found = once_more(run)
        self._repeats = not self._in_snapshot  # what follows has to see the same state
        return found

    def _execute(self, statement: Executable, parameters: Parameters | None) -> CursorResult[*tuple[Any, ...]]:
        try:
            return self.connection.execute(statement, parameters)
        except DBAPIError as error:
            if self._repeats:
                self.close()
            raise translate(error, self.where) from error

    def _fetch(self, text: str, values: Values) -> list[tuple[Any, ...]]:
        connection = self.connection
        proxy = connection.connection
        try:
            with self._interrupted(proxy.driver_connection):
                rows: list[tuple[Any, ...]] = cursor_of(proxy).execute(text, values).fetchall()
            return rows
        except connection.dialect.loaded_dbapi.Error as error:
            self._connections.note_if_lost(connection, proxy.driver_connection, error)
            if self._repeats:
                self.close()
            raise translate(error, self.where) from error

    def _is_late(self) -> bool:
        return self._ends_at is not None and monotonic() > self._ends_at

    @contextmanager
    def _interrupted(self, driver: Any) -> Iterator[None]:
        """A block in which SQLite, which knows no limit in time, is ended when that is over."""
        if self._ends_at is None or not self.is_sqlite:
            yield
            return
        driver.set_progress_handler(self._is_late, _LOOK_EVERY)
        try:
            yield
        finally:
            driver.set_progress_handler(None, 0)

    def insert(
        self,
        table: Table,
        columns: Sequence[str],
        items: Sequence[T],
        write: Callable[[T], tuple[Any, ...]],
        *,
        may_refuse: bool = True,
    ) -> None:
        """Insert a row for each of the items, as fast as the driver can: all of them or none.

        ``write`` gives the values of an item, in the order of ``columns``. It is called while PostgreSQL stores the
        rows that it was sent before. If the table refuses one, the unit of work can go on. Where it never does, pass
        ``may_refuse=False``: that saves PostgreSQL a savepoint, and any error there undoes the whole transaction.
        """
        if not items:
            return
        names = ", ".join(f'"{column}"' for column in columns)
        marks = ", ".join("?" if self.is_sqlite else "%s" for _ in columns)
        statement = f"INSERT INTO {table.fullname} ({names}) VALUES ({marks})"  # noqa: S608  # names of our own
        if len(items) == 1:
            self.write(statement, write(items[0]))
            return
        with self._driver_cursor() as cursor:
            if self.is_sqlite:
                insert_or_remove(cursor, table.name, statement, [*map(write, items)])
            else:
                copy = copy_or_undo if may_refuse else copy_rows
                copy(cursor, f"COPY {table.fullname} ({names}) FROM STDIN", map(write, items))

    def write(self, statement: str, parameters: tuple[Any, ...] | Sequence[tuple[Any, ...]] = ()) -> int:
        """Run a statement in the driver's own SQL, once or for each of a list of parameters; how many rows it wrote."""
        with self._driver_cursor() as cursor:
            (cursor.execute if type(parameters) is tuple else cursor.executemany)(statement, parameters)
            return int(cursor.rowcount)

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
            # A connection that is lost now, or was left in the middle by Ctrl-C, undoes more than this.
            with suppress(DBAPIError, InvalidRequestError):
                if not self.is_undone:
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
        """Raise StoreFault where an earlier error has undone the transaction: what follows would be kept without it.

        Where that error was the loss of the connection, raise StoreUnavailable.
        """
        if self._is_writing and self.connection.invalidated:
            raise StoreUnavailable(f"{self.where} has lost the connection of this transaction; try all of it again")
        if self.is_undone:
            raise StoreFault("an earlier error, which undid the whole transaction")

    def lookup(self, statement: str, values: Iterable[tuple[Any, ...]] = ((),)) -> list[tuple[Any, ...]]:
        """The rows that a statement in the driver's own SQL returns, which runs once for each of ``values``."""
        with self._driver_cursor() as cursor:
            return [row for value in values for row in cursor.execute(statement, value)]

    @contextmanager
    def _driver_cursor(self) -> Iterator[Any]:
        """A cursor of the driver; its errors are translated."""
        self.require_transaction()
        connection = self.connection
        driver = connection.connection.driver_connection
        cursor: Any = connection.connection.cursor()
        try:
            yield cursor
        except connection.dialect.loaded_dbapi.Error as error:
            self._connections.note_if_lost(connection, driver, error)
            raise translate(error, self.where) from error
        finally:
            cursor.close()
