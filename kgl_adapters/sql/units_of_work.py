"""A SQL store: its units of work, each on a connection of the pool."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, TypeVar

from sqlalchemy import Engine, NestedTransaction, Transaction
from sqlalchemy.exc import DBAPIError

from kgl_adapters.sql.access.refresh_tokens import SqlRefreshTokens
from kgl_adapters.sql.access.revocations import SqlRevocations
from kgl_adapters.sql.access.throttling import SqlCounters
from kgl_adapters.sql.engine import engines
from kgl_adapters.sql.engine.connections import Connections, closed
from kgl_adapters.sql.engine.driver_errors import translate
from kgl_adapters.sql.engine.encoding import ENCODINGS
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.evidence.assertions import SqlAssertions
from kgl_adapters.sql.exploration.names import SqlNames
from kgl_adapters.sql.exploration.patterns import SqlPatterns
from kgl_adapters.sql.exploration.walks import SqlWalks
from kgl_adapters.sql.graph.additions import Additions
from kgl_adapters.sql.graph.changes import SqlChangeLog
from kgl_adapters.sql.graph.entities import SqlEntities
from kgl_adapters.sql.graph.relationships import SqlRelationships
from kgl_adapters.sql.kernel.idempotency import SqlAnswers
from kgl_adapters.sql.repositories import NOUN_TABLES, REPOSITORIES
from kgl_adapters.sql.storage.checking import SqlInspection
from kgl_adapters.sql.storage.dry_runs import Rehearsal, scratch_engine
from kgl_adapters.sql.storage.replica_lag import Replica, Writers
from kgl_adapters.sql.storage.replica_sessions import ReplicatedSession
from kgl_core.access.oauth_clients import CLIENT, ClientRepository
from kgl_core.access.users import USER, UserRepository
from kgl_core.graph.entities import ENTITY
from kgl_core.graph.journal.changes import Change, Observer
from kgl_core.kernel.nouns.noun import Noun
from kgl_core.kernel.nouns.records import Kept
from kgl_core.kernel.nouns.repositories import Repository
from kgl_core.kernel.store_errors import CommitUnknown, StoreBusy, StoreUnavailable
from kgl_core.kernel.units_of_work import UnitOfWork

R = TypeVar("R", bound=Kept)
F = TypeVar("F")
V = TypeVar("V")


_POSTGRES_TABLES: Final = {noun: tables[False] for noun, tables in NOUN_TABLES.items()}


class SqlUnitOfWork:
    """The repositories on one connection, within a transaction or a savepoint, or neither for reads.

    ``graph`` is the session for entities and relationships, if that is another one. ``observer`` is told of the changes
    that are committed. ``entities`` is the repository of the unit of work that this one is within.
    """

    def __init__(
        self,
        session: Session,
        transaction: Transaction | None = None,
        *,
        graph: Session | None = None,
        observer: Observer | None = None,
        entities: SqlEntities | None = None,
    ) -> None:
        self._session, self._transaction, self._observer = session, transaction, observer
        self._entities = entities
        self._graph = graph or session
        # Collected only for an observer: an atomic load may have millions.
        self._appended: list[Change] = []
        self._on_append = None if observer is None else self._appended.extend

    def of(self, noun: Noun[R, Any, F, V]) -> Repository[R, F, V]:
        session = self._graph if noun.is_versioned else self._session
        made: Any = self.entities if noun is ENTITY else REPOSITORIES[noun](session)
        repository: Repository[R, F, V] = made
        return repository

    @property
    def entities(self) -> SqlEntities:
        if self._entities is None:
            self._entities = SqlEntities(self._graph)
        return self._entities  # always the same: it knows what it has locked

    @property
    def relationships(self) -> SqlRelationships:
        return SqlRelationships(self._graph)

    @property
    def assertions(self) -> SqlAssertions:
        return SqlAssertions(self._session)

    @property
    def changes(self) -> SqlChangeLog:
        return SqlChangeLog(self._session, self._on_append)

    @property
    def users(self) -> UserRepository:
        return self.of(USER)

    @property
    def clients(self) -> ClientRepository:
        return self.of(CLIENT)

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

    @property
    def walks(self) -> SqlWalks:
        return SqlWalks(self._graph)

    @property
    def patterns(self) -> SqlPatterns:
        return SqlPatterns(self._graph)

    @property
    def names(self) -> SqlNames:
        return SqlNames(self._graph)

    @property
    def inspection(self) -> SqlInspection:
        return SqlInspection(self._session)

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
        if self._observer is not None:
            self._observer(self._appended)

    @contextmanager
    def begin(self) -> Iterator[SqlUnitOfWork]:
        with self._session.savepoint() as savepoint:
            try:
                yield SqlUnitOfWork(self._session, savepoint, observer=self._on_append, entities=self.entities)
            finally:
                self.entities.forget_locked()  # which may be taken back
            if savepoint.is_active:
                savepoint.rollback()

    @contextmanager
    def reading(self) -> Iterator[SqlUnitOfWork]:
        try:
            yield self
        finally:
            self._graph.lift_limit()


class _Reading(SqlUnitOfWork):
    """A unit of work that only reads. It is a class because a generator is slower, and most calls are reads."""

    def __enter__(self) -> SqlUnitOfWork:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()
        if self._graph is not self._session:
            self._graph.close()


class SqlStore:
    """A `Store` over an engine. If it has a ``replica``, that answers reads of the graph.

    ``observer`` is told of the changes that are committed.
    """

    def __init__(self, engine: Engine, observer: Observer | None = None) -> None:
        self.engine, self.observer = engine, observer
        self.replica: Replica | None = None
        self.connections = Connections(engine)
        self._encoding = ENCODINGS[engine.dialect.name == "sqlite"]
        # SQLite's own waiting is polling, in which one of many threads can starve.
        self._turn = threading.Lock() if engine.dialect.name == "sqlite" else None

    def replicate(self, engine: Engine, writers: Writers, **options: Any) -> Replica:
        """Let the standby behind this engine answer reads of entities and relationships; see `Replica`."""
        self.replica = Replica(engine, self.connections, writers, **options)
        return self.replica

    def begin(self, *, adds_only: bool = False) -> AbstractContextManager[UnitOfWork]:
        if adds_only and not self._encoding.is_sqlite:
            adding: AbstractContextManager[Any] = Additions(
                self.connections, _POSTGRES_TABLES, self._note_write, self.observer
            )
            return adding
        return self._begin()

    @contextmanager
    def _begin(self) -> Iterator[SqlUnitOfWork]:
        try:
            with self._writing():
                connection, transaction = self.connections.begin()
                with closed(connection):
                    session = Session(self.connections, self._encoding, connection)
                    yield SqlUnitOfWork(session, transaction, observer=self.observer)
        finally:
            self._note_write()

    def read(self) -> AbstractContextManager[SqlUnitOfWork]:
        self.connections.require_open()
        session = Session(self.connections, self._encoding)
        if self.replica is None or not self.replica.may_answer():
            return _Reading(session)
        return _Reading(session, graph=ReplicatedSession(self.connections, self._encoding, self.replica))

    def snapshot(self) -> AbstractContextManager[SqlUnitOfWork]:
        self.connections.require_open()
        session = Session(self.connections, self._encoding, in_snapshot=True)
        if self.replica is None or not self.replica.may_answer():
            return _Reading(session)
        graph = ReplicatedSession(self.connections, self._encoding, self.replica, in_snapshot=True)
        return _Reading(session, graph=graph)

    @contextmanager
    def snapshot_at_place(self) -> Iterator[tuple[SqlUnitOfWork, str]]:
        if self.replica is not None and self.replica.may_answer():
            up_to = self.replica.complete_up_to
            session = ReplicatedSession(self.connections, self._encoding, self.replica, in_snapshot=True)
            with _Reading(session) as uow:
                yield uow, uow.changes.end(up_to).cursor
            return
        # The question comes first: what is complete by then is in the snapshot, and not the other way round.
        with self.read() as uow:
            up_to = uow.changes.complete_up_to()
        with self.snapshot() as uow:
            yield uow, uow.changes.end(up_to).cursor

    @contextmanager
    def rehearse(self) -> Iterator[UnitOfWork]:
        engine = scratch_engine()
        try:
            with self.snapshot() as below:
                yield Rehearsal(below, SqlStore(engine))
        finally:
            engine.dispose()

    def close(self) -> None:
        self.connections.close()
        if self.replica is not None:
            self.replica.close()

    def _note_write(self) -> None:
        if self.replica is not None:
            self.replica.writers.note()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """On SQLite, let only one thread of this process write at a time. Raises StoreBusy."""
        if self._turn is None:
            yield
            return
        if not self._turn.acquire(timeout=engines.WAIT_MAX_S):
            raise StoreBusy(f"the write lock of {self.connections.where}")
        try:
            yield
        finally:
            self._turn.release()
