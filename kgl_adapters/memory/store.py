"""A store in dictionaries, with one writer at a time. Readers see what is committed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from kgl_adapters.memory.access.oauth_clients import MemoryClients
from kgl_adapters.memory.access.refresh_tokens import MemoryRefreshTokens
from kgl_adapters.memory.access.revocations import MemoryRevocations
from kgl_adapters.memory.access.throttling import MemoryCounters
from kgl_adapters.memory.access.users import MemoryUsers
from kgl_adapters.memory.graph.changes import MemoryChangeLog
from kgl_adapters.memory.graph.entities import MemoryEntities
from kgl_adapters.memory.graph.relationships import MemoryRelationships
from kgl_adapters.memory.idempotency import MemoryAnswers
from kgl_adapters.memory.storage.checking import MemoryInspection
from kgl_adapters.memory.tables import Tables
from kgl_core.graph.changes import Change
from kgl_core.graph.entities import Entity
from kgl_core.kernel.store_errors import StoreBusy, StoreClosed
from kgl_core.kernel.units_of_work import create_in

WRITER_WAIT_S = 10.0


class MemoryUnitOfWork:
    """The repositories over one set of tables. `commit` merges a layer into the tables below it."""

    def __init__(self, tables: Tables, below: Tables | None = None, mutex: threading.RLock | None = None) -> None:
        self._tables, self._below, self._mutex = tables, below, mutex or threading.RLock()
        self.entities = MemoryEntities(tables.entities, tables.keys)
        self.relationships = MemoryRelationships(tables.relationships, tables.triples, tables.entities)
        self.changes = MemoryChangeLog(tables.changes)
        self.users = MemoryUsers(tables.users)
        self.clients = MemoryClients(tables.clients)
        self.refresh_tokens = MemoryRefreshTokens(tables.refresh_tokens)
        self.revocations = MemoryRevocations(tables.revocations)
        self.counters = MemoryCounters(tables.counters)
        self.answers = MemoryAnswers(tables.answers)
        self.inspection = MemoryInspection(tables)

    def commit(self) -> None:
        if self._below is not None:
            with self._mutex:
                self._below.merge(self._tables)

    @contextmanager
    def begin(self) -> Iterator[MemoryUnitOfWork]:
        yield MemoryUnitOfWork(self._tables.layer(), self._tables)


class MemoryStore:
    """A `kgl_core.kernel.units_of_work.Store` in memory. Its contents end with the object."""

    def __init__(self) -> None:
        self._tables = Tables()
        self._writer = threading.Lock()
        self._mutex = threading.RLock()
        self._is_closed = False

    @contextmanager
    def begin(self) -> Iterator[MemoryUnitOfWork]:
        self._check_open()
        if not self._writer.acquire(timeout=WRITER_WAIT_S):
            raise StoreBusy("the memory store's write lock")
        try:
            yield MemoryUnitOfWork(self._tables.layer(), self._tables, self._mutex)
        finally:
            self._writer.release()

    def create(self, entity: Entity, change: Change) -> None:
        create_in(self, entity, change)

    @contextmanager
    def read(self) -> Iterator[MemoryUnitOfWork]:
        self._check_open()
        with self._mutex:
            yield MemoryUnitOfWork(self._tables)

    @contextmanager
    def snapshot(self) -> Iterator[MemoryUnitOfWork]:
        self._check_open()
        with self._mutex:
            tables = self._tables.copy()
        yield MemoryUnitOfWork(tables)

    @contextmanager
    def snapshot_at_place(self) -> Iterator[tuple[MemoryUnitOfWork, str]]:
        with self.snapshot() as uow:
            yield uow, uow.changes.end().cursor

    @contextmanager
    def rehearse(self) -> Iterator[MemoryUnitOfWork]:
        with self.snapshot() as uow:
            yield uow  # over a copy of all rows, which is written to as well as read

    def close(self) -> None:
        self._is_closed = True

    def _check_open(self) -> None:
        if self._is_closed:
            raise StoreClosed
