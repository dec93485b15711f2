"""Units of work on connections of a pool."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from sqlalchemy import Connection, Engine, NestedTransaction, Transaction
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from kgl_adapters.sql import engine as engines
from kgl_adapters.sql.answers import SqlAnswers
from kgl_adapters.sql.changes import SqlChangeLog
from kgl_adapters.sql.clients import SqlClients
from kgl_adapters.sql.counters import SqlCounters
from kgl_adapters.sql.creation import CREATION
from kgl_adapters.sql.engine import begin, shown
from kgl_adapters.sql.entities import SqlEntities
from kgl_adapters.sql.errors import translate
from kgl_adapters.sql.refresh_tokens import SqlRefreshTokens
from kgl_adapters.sql.relationships import SqlRelationships
from kgl_adapters.sql.revocations import SqlRevocations
from kgl_adapters.sql.rows import Rows
from kgl_adapters.sql.session import Session
from kgl_adapters.sql.users import SqlUsers
from kgl_core.changes import Change
from kgl_core.entities import Entity
from kgl_core.errors import CommitUnknown, StoreBusy, StoreClosed, StoreUnavailable
from kgl_core.unit_of_work import create_in


class SqlUnitOfWork:
    """The repositories over one connection, within a transaction, a savepoint, or neither when only read."""

    def __init__(self, session: Session, transaction: Transaction | None = None) -> None:
        self._session, self._transaction = session, transaction

    @property
    def entities(self) -> SqlEntities:
        return SqlEntities(self._session)

    @property
    def relationships(self) -> SqlRelationships:
        return SqlRelationships(self._session)

    @property
    def changes(self) -> SqlChangeLog:
        return SqlChangeLog(self._session)

    @property
    def users(self) -> SqlUsers:
        return SqlUsers(self._session)

    @property
    def clients(self) -> SqlClients:
        return SqlClients(self._session)

    @property
    def refresh_tokens(self) -> SqlRefreshTokens:
        return SqlRefreshTokens(self._session)

    @property
    def revocations(self) -> SqlRevocations:
        return SqlRevocations(self._session)

    @property
    def counters(self) -> SqlCounters:
        return SqlCounters(self._session)

    @property
    def answers(self) -> SqlAnswers:
        return SqlAnswers(self._session)

    def commit(self) -> None:
        if self._transaction is not None:
            self._session.require_committable()
            try:
                self._transaction.commit()
            except DBAPIError as error:
                ours = translate(error, self._session.where)
                is_whole = not (self._session.is_sqlite or isinstance(self._transaction, NestedTransaction))
                if is_whole and isinstance(ours, StoreUnavailable):
                    # The server may have kept all before its answer was lost; a savepoint's work is lost for certain.
                    raise CommitUnknown from error
                raise ours from error

    @contextmanager
    def begin(self) -> Iterator[SqlUnitOfWork]:
        with self._session.savepoint() as savepoint:
            yield SqlUnitOfWork(self._session, savepoint)
            if savepoint.is_active:
                savepoint.rollback()


class _Reading:
    """A connection for one reading call. A class, because most calls are this one and a generator costs them more."""

    __slots__ = ("_connection", "_store")

    def __init__(self, store: SqlStore) -> None:
        self._store = store

    def __enter__(self) -> SqlUnitOfWork:
        self._connection = self._store.connect()
        return self._store.unit_of_work(self._connection)

    def __exit__(self, *_: object) -> None:
        self._connection.close()


class SqlStore:
    """A `kgl_core.unit_of_work.Store` over an engine. ``where`` names its database in errors, without the password."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._rows = Rows(is_sqlite=engine.dialect.name == "sqlite")
        self._where = shown(engine.url)
        # SQLite's own waiting is polling, in which one of many threads can starve.
        self._turn = threading.Lock() if engine.dialect.name == "sqlite" else None
        self._is_closed = False

    @contextmanager
    def begin(self) -> Iterator[SqlUnitOfWork]:
        with self._writing(), self._connected() as connection:
            yield self.unit_of_work(connection, self._begin(connection, writing=True))

    def create(self, entity: Entity, change: Change) -> None:
        if self._rows.is_sqlite:
            create_in(self, entity, change)
            return
        values = (*self._rows.entity_values(entity), *self._rows.change_values(change))
        with self._connected() as connection:
            Session(connection, self._rows, self._where, is_in_transaction=False).run_alone(CREATION, values)

    def read(self) -> AbstractContextManager[SqlUnitOfWork]:
        return _Reading(self)

    @contextmanager
    def snapshot(self) -> Iterator[SqlUnitOfWork]:
        with self._connected() as connection:
            self._begin(connection, writing=False)
            yield self.unit_of_work(connection)

    def close(self) -> None:
        self._is_closed = True
        self.engine.dispose()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """On SQLite, the turn of one writer among this process's threads, taken before a connection is."""
        if self._turn is None:
            yield
            return
        if not self._turn.acquire(timeout=engines.WAIT_MAX_S):
            raise StoreBusy(f"the write lock of {self._where}")
        try:
            yield
        finally:
            self._turn.release()

    def connect(self) -> Connection:
        """A connection of the pool; closed, it undoes what is open."""
        if self._is_closed:
            raise StoreClosed
        try:
            return self.engine.connect()
        except (DBAPIError, PoolTimeout) as error:
            raise translate(error, self._where) from error

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """A connection of the pool for the block, after which what is open is undone."""
        connection = self.connect()
        try:
            yield connection
        finally:
            # A loss here changes nothing: what was committed is kept, the server undoes the rest, and the work knows
            # its own error. The pool throws a lost connection away.
            with suppress(DBAPIError):
                connection.close()

    def _begin(self, connection: Connection, *, writing: bool) -> Transaction:
        try:
            return begin(connection, writing=writing)
        except DBAPIError as error:
            raise translate(error, self._where) from error

    def unit_of_work(self, connection: Connection, transaction: Transaction | None = None) -> SqlUnitOfWork:
        return SqlUnitOfWork(
            Session(connection, self._rows, self._where, is_in_transaction=transaction is not None), transaction
        )
