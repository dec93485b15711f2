"""Rehearses writes: over a snapshot of a store, into a temporary database that is thrown away.

Nobody waits for a rehearsal, and what it writes is in a temporary file, not in memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Generic, Protocol, TypeVar
from uuid import UUID

from sqlalchemy import Engine, StaticPool, create_engine

from kgl_adapters.sql.graph.names import NAMES
from kgl_adapters.sql.kernel.tables import TABLES
from kgl_adapters.sql.schema import SCHEMA
from kgl_core.graph.entities import ENTITY, End, Entity
from kgl_core.graph.nouns import GRAPH_NOUNS, GraphNoun
from kgl_core.graph.relationships import RELATIONSHIP
from kgl_core.kernel.nouns.records import Record
from kgl_core.kernel.units_of_work import Store, UnitOfWork

_PRAGMAS: Final = ("synchronous=OFF", "journal_mode=MEMORY", "temp_store=FILE", f"cache_size=-{16 * 1024}")

R = TypeVar("R", bound=Record)


def scratch_engine() -> Engine:
    """An engine of an empty SQLite database for the graph, in a temporary file that SQLite deletes.

    It has no foreign keys: the ends of its relationships may be in the store below.
    """
    engine = create_engine("sqlite://", creator=_connect, poolclass=StaticPool, hide_parameters=True)
    tables = [*(TABLES[noun][True] for noun in GRAPH_NOUNS), NAMES[True]]
    SCHEMA[True].create_all(engine, tables)
    return engine


def _connect() -> sqlite3.Connection:
    connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")
    return connection


class Rehearsal:
    """A `UnitOfWork` that shows ``below`` and what was committed within it. Nothing is stored for good."""

    def __init__(self, below: UnitOfWork, scratch: Store) -> None:
        self._below, self._scratch = below, scratch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._below, name)

    def commit(self) -> None:
        """Do nothing: a rehearsal is never stored."""

    @contextmanager
    def begin(self) -> Iterator[UnitOfWork]:
        with self._scratch.begin() as above:
            rehearsed: Any = _Rehearsed(self._below, above)
            yield rehearsed


class _Rehearsed:
    """What a load needs of a unit of work."""

    def __init__(self, below: UnitOfWork, above: UnitOfWork) -> None:
        self._below, self._above = below, above
        self.entities: Any = _Entities(below.entities, above.entities)
        self.relationships: Any = self.of(RELATIONSHIP)
        self.assertions = below.assertions  # which a rehearsal reads, but does not write
        self.commit = above.commit

    def of(self, noun: GraphNoun) -> Any:
        """The repository of a noun's records; those that are not of the graph are only read."""
        if noun not in GRAPH_NOUNS:
            return self._below.of(noun)
        return self.entities if noun is ENTITY else _Over(self._below.of(noun), self._above.of(noun))


class _Records(Protocol[R]):
    def find(self, ids: Collection[UUID], names: Any = (), /) -> Sequence[R]: ...
    def add(self, records: Sequence[R], /) -> None: ...
    def replace(self, records: Sequence[R], /) -> None: ...


class _Over(Generic[R]):
    """The records of one repository over those of another, which may have earlier versions of them."""

    def __init__(self, below: _Records[R], above: _Records[R]) -> None:
        self._below, self._above = below, above

    def find(self, ids: Collection[UUID], names: Any = (), *, lock: object = None) -> Sequence[R]:
        """As in the repositories. There are no locks, since nobody else writes here."""
        found = {record.id: record for record in self._above.find(ids, names)}
        below = self._below.find([id for id in ids if id not in found], names)
        later = {record.id for record in self._above.find([record.id for record in below])}
        return [*found.values(), *(record for record in below if record.id not in later)]

    def add(self, records: Sequence[R]) -> None:
        """Store new records."""
        self._above.add(records)

    def replace(self, records: Sequence[R]) -> None:
        """Store new versions of records."""
        here = {record.id for record in self._above.find([record.id for record in records])}
        self._above.replace([record for record in records if record.id in here])
        self._above.add([record for record in records if record.id not in here])


class _Entities(_Over[Entity]):
    def __init__(self, below: Any, above: Any) -> None:
        super().__init__(below, above)
        self.clear_keys = above.clear_keys

    def ends(self, ids: Collection[UUID], keys: Collection[str] = ()) -> Sequence[End]:
        """The entities that `find` returns, as ends of relationships."""
        return [End(entity.id, entity.key, entity.is_active) for entity in self.find(ids, keys)]
