"""A store in dictionaries, with one writer at a time. Readers see what is committed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final, TypeVar

from kgl_adapters.memory.access.refresh_tokens import MemoryRefreshTokens
from kgl_adapters.memory.access.revocations import MemoryRevocations
from kgl_adapters.memory.access.throttling import MemoryCounters
from kgl_adapters.memory.evidence.assertions import MemoryAssertions
from kgl_adapters.memory.exploration.names import MemoryNames
from kgl_adapters.memory.exploration.patterns import MemoryPatterns
from kgl_adapters.memory.exploration.walks import MemoryWalks
from kgl_adapters.memory.graph.changes import MemoryChangeLog
from kgl_adapters.memory.graph.entities import MemoryEntities
from kgl_adapters.memory.graph.relationships import MemoryRelationships
from kgl_adapters.memory.kernel.idempotency import MemoryAnswers
from kgl_adapters.memory.kernel.repository import MemoryRepository, Shelves
from kgl_adapters.memory.storage.checking import MemoryInspection
from kgl_adapters.memory.tables import Tables
from kgl_core.access.oauth_clients import CLIENT, ClientRepository
from kgl_core.access.users import USER, UserRepository
from kgl_core.evidence.assertions import ASSERTION
from kgl_core.graph.entities import ENTITY
from kgl_core.graph.journal.changes import Observer
from kgl_core.graph.relationships import RELATIONSHIP
from kgl_core.kernel.nouns.noun import AnyNoun, Noun
from kgl_core.kernel.nouns.records import Kept
from kgl_core.kernel.nouns.repositories import Repository
from kgl_core.kernel.store_errors import StoreBusy, StoreClosed

WRITER_WAIT_S = 10.0
R = TypeVar("R", bound=Kept)
F = TypeVar("F")
V = TypeVar("V")
_REPOSITORIES: Final[Mapping[AnyNoun, Callable[[Shelves], Any]]] = {
    ENTITY: MemoryEntities,
    RELATIONSHIP: MemoryRelationships,
    ASSERTION: MemoryAssertions,
}
"""What makes the repositories that can do more than others."""


class MemoryUnitOfWork:
    """The repositories over one set of tables. `commit` merges a layer into the tables below it."""

    def __init__(
        self,
        tables: Tables,
        below: Tables | None = None,
        mutex: threading.RLock | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._tables, self._below, self._mutex = tables, below, mutex or threading.RLock()
        self._observer = observer

    # Made when asked for: most units of work use one or two.

    @property
    def entities(self) -> MemoryEntities:
        return MemoryEntities(self._tables.of)

    @property
    def relationships(self) -> MemoryRelationships:
        return MemoryRelationships(self._tables.of)

    @property
    def assertions(self) -> MemoryAssertions:
        return MemoryAssertions(self._tables.of)

    @property
    def changes(self) -> MemoryChangeLog:
        return MemoryChangeLog(self._tables)

    @property
    def users(self) -> UserRepository:
        return self.of(USER)

    @property
    def clients(self) -> ClientRepository:
        return self.of(CLIENT)

    @property
    def refresh_tokens(self) -> MemoryRefreshTokens:
        return MemoryRefreshTokens(self._tables.refresh_tokens)

    @property
    def revocations(self) -> MemoryRevocations:
        return MemoryRevocations(self._tables.revocations)

    @property
    def counters(self) -> MemoryCounters:
        return MemoryCounters(self._tables.counters)

    @property
    def answers(self) -> MemoryAnswers:
        return MemoryAnswers(self._tables.answers)

    @property
    def walks(self) -> MemoryWalks:
        return MemoryWalks(self._tables.of)

    @property
    def names(self) -> MemoryNames:
        return MemoryNames(self.entities)

    @property
    def patterns(self) -> MemoryPatterns:
        return MemoryPatterns(self._tables.of)

    @property
    def inspection(self) -> MemoryInspection:
        return MemoryInspection(self._tables)

    def of(self, noun: Noun[R, Any, F, V]) -> Repository[R, F, V]:
        make = _REPOSITORIES.get(noun)
        repository: Repository[R, F, V] = (
            MemoryRepository(noun, self._tables.of) if make is None else make(self._tables.of)
        )
        return repository

    def commit(self) -> None:
        if self._below is not None:
            with self._mutex:
                self._below.merge(self._tables)
        if self._observer is not None:
            self._observer(self._tables.changes)

    @contextmanager
    def begin(self) -> Iterator[MemoryUnitOfWork]:
        yield MemoryUnitOfWork(self._tables.layer(), self._tables)

    def reading(self) -> AbstractContextManager[MemoryUnitOfWork]:
        return nullcontext(self)


class MemoryStore:
    """A `kgl_core.kernel.units_of_work.Store` in memory. Its contents end with the object.

    ``observer`` is told of the changes that are committed.
    """

    def __init__(self, observer: Observer | None = None) -> None:
        self.observer = observer
        self._tables = Tables()
        self._writer = threading.Lock()
        self._mutex = threading.RLock()
        self._is_closed = False

    @contextmanager
    def begin(self, *, adds_only: bool = False) -> Iterator[MemoryUnitOfWork]:
        self._check_open()
        if not self._writer.acquire(timeout=WRITER_WAIT_S):
            raise StoreBusy("the memory store's write lock")
        try:
            yield MemoryUnitOfWork(self._tables.layer(), self._tables, self._mutex, self.observer)
        finally:
            self._writer.release()

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
