"""A store in dictionaries: one writer at a time, readers see what is committed."""

from __future__ import annotations

import threading
from collections import ChainMap
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Final
from uuid import UUID

import attrs

from kgl_adapters.memory.answers import MemoryAnswers
from kgl_adapters.memory.changes import MemoryChangeLog
from kgl_adapters.memory.clients import MemoryClients
from kgl_adapters.memory.counters import MemoryCounters
from kgl_adapters.memory.entities import MemoryEntities
from kgl_adapters.memory.inspection import MemoryInspection
from kgl_adapters.memory.refresh_tokens import MemoryRefreshTokens
from kgl_adapters.memory.relationships import MemoryRelationships
from kgl_adapters.memory.revocations import MemoryRevocations, Revocation
from kgl_adapters.memory.users import MemoryUsers
from kgl_core.changes import Change
from kgl_core.clients import Client
from kgl_core.entities import Entity
from kgl_core.errors import StoreBusy, StoreClosed
from kgl_core.idempotency import KeptAnswer
from kgl_core.relationships import Relationship, Triple
from kgl_core.throttling import Counter
from kgl_core.tokens import RefreshToken
from kgl_core.unit_of_work import create_in
from kgl_core.users import User

WRITER_WAIT_S = 10.0
_MAPPINGS: Final = (
    "entities",
    "keys",
    "relationships",
    "triples",
    "users",
    "clients",
    "refresh_tokens",
    "revocations",
    "counters",
    "answers",
)


@attrs.define
class Tables:
    """The rows, and the unique values among the active ones (None where a layer has freed one, or forgotten a row)."""

    entities: MutableMapping[UUID, Entity] = attrs.Factory(dict)
    keys: MutableMapping[str, UUID | None] = attrs.Factory(dict)
    relationships: MutableMapping[UUID, Relationship] = attrs.Factory(dict)
    triples: MutableMapping[Triple, UUID | None] = attrs.Factory(dict)
    users: MutableMapping[UUID, User] = attrs.Factory(dict)
    clients: MutableMapping[UUID, Client | None] = attrs.Factory(dict)
    refresh_tokens: MutableMapping[bytes, RefreshToken | None] = attrs.Factory(dict)
    revocations: MutableMapping[UUID, Revocation | None] = attrs.Factory(dict)
    counters: MutableMapping[bytes, Counter | None] = attrs.Factory(dict)
    answers: MutableMapping[bytes, KeptAnswer | None] = attrs.Factory(dict)
    changes: list[Change] = attrs.Factory(list)
    below: Tables | None = None

    def layer(self) -> Tables:
        """Tables that show these, and keep what is written to them to themselves."""
        return Tables(
            ChainMap({}, self.entities),
            ChainMap({}, self.keys),
            ChainMap({}, self.relationships),
            ChainMap({}, self.triples),
            ChainMap({}, self.users),
            ChainMap({}, self.clients),
            ChainMap({}, self.refresh_tokens),
            ChainMap({}, self.revocations),
            ChainMap({}, self.counters),
            ChainMap({}, self.answers),
            [],
            self,
        )

    def merge(self, layer: Tables) -> None:
        """Take over what was written to a layer over these."""
        for name in _MAPPINGS:
            rows, written = getattr(self, name), getattr(layer, name).maps[0]
            rows.update(written)
            if type(rows) is dict:  # there is nothing below that a None would have to hide
                for key in [key for key, row in written.items() if row is None]:
                    del rows[key]
        self.changes.extend(layer.changes)

    def copy(self) -> Tables:
        """The same rows, unmoved by what is written later."""
        return Tables(
            dict(self.entities),
            dict(self.keys),
            dict(self.relationships),
            dict(self.triples),
            dict(self.users),
            dict(self.clients),
            dict(self.refresh_tokens),
            dict(self.revocations),
            dict(self.counters),
            dict(self.answers),
            list(self.changes),
        )


class MemoryUnitOfWork:
    """The repositories over one set of tables; `commit` hands a layer down to the tables below."""

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
    """A `kgl_core.unit_of_work.Store` that lives as long as its object."""

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
