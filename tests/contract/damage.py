"""A small graph with a history, and ways to damage the database under it that kgl itself does not have."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import attrs
import psycopg
from sqlalchemy import make_url

from kgl_core import Entity, KnowledgeGraph, Relationship
from kgl_core.kernel.idempotency import KeptAnswer
from tests.contract.samples import NOON, SECOND, Clock, Ids, graph_on, refresh_token, user

SQLITE, POSTGRES = "sqlite", "postgres"


@attrs.frozen
class Sample:
    """The records of the small graph, as they are in the end: Ada and the note at version 3, the edge at 2."""

    ada: Entity
    note: Entity
    gone: Entity
    edge: Relationship
    gone_edge: Relationship


def fill(kg: KnowledgeGraph) -> Sample:
    """Put something into every table. The graph has ids and times of the test's own."""
    store = kg._context.store
    graph = graph_on(store, Clock(step=SECOND), Ids(seed=7))
    ada = graph.entities.create(type="person", name="Ada", key="a", aliases=["Countess"], metadata={"born": 1815})
    note = graph.entities.create(type="document", name="Note G", key="n")
    gone = graph.entities.create(type="place", name="Âlba")
    edge = graph.relationships.create(
        ada.id, "wrote", note.id, confidence=0.5, key="first", valid_from="1842", valid_to="1843-10-16"
    )
    gone_edge = graph.relationships.create(ada.id, "saw", gone.id)
    for name in ("Ada L.", "Ada Lovelace"):
        graph.entities.update(ada.id, name=name)
        graph.entities.update(note.id, name=f"Note {name}")
    graph.relationships.update(edge.id, confidence=0.75)
    graph.entities.delete(gone.id)
    owner = user()
    with store.begin() as uow:
        uow.users.add([owner])
        uow.refresh_tokens.add(refresh_token(owner))
        uow.answers.add(KeptAnswer(bytes(32), bytes(32), b"sealed", NOON, NOON + timedelta(hours=24)))
        uow.counters.increment(bytes(32), NOON, NOON + SECOND)
        uow.commit()
    return Sample(
        graph.entities.get(ada.id),
        graph.entities.get(note.id),
        graph.entities.get(gone.id, include_deleted=True),
        graph.relationships.get(edge.id),
        graph.relationships.get(gone_edge.id, include_deleted=True),
    )


class Raw:
    """A connection past kgl, on which foreign keys and checks are off. Tables are named without their schemas."""

    def __init__(self, url: str) -> None:
        made = make_url(url)
        self.is_sqlite = made.get_backend_name() == "sqlite"
        self._file = made.database or ""
        self._url = url
        self.open()

    def open(self) -> None:
        """Connect, anew where it was connected."""
        if self.is_sqlite:
            self._connection: Any = sqlite3.connect(self._file, isolation_level=None)
            self.run("PRAGMA foreign_keys=OFF", "PRAGMA ignore_check_constraints=ON")
        else:
            self._connection = psycopg.connect(self._url, autocommit=True)
            self.run(
                "SET session_replication_role TO replica",
                "SET search_path TO backend_entities, backend_auth, pg_catalog",
            )

    def run(self, *statements: str, **values: Any) -> None:
        """Run statements, in which ``{name}`` stands for an id or bytes."""
        for statement in statements:
            self._connection.execute(statement.format(**{name: self._literal(v) for name, v in values.items()}))

    def rows(self, query: str, **values: Any) -> list[Sequence[Any]]:
        """The rows that a query finds."""
        found: Iterator[Sequence[Any]] = self._connection.execute(
            query.format(**{name: self._literal(value) for name, value in values.items()})
        )
        return list(found)

    def close(self) -> None:
        self._connection.close()

    def overwrite_file(self, page: int) -> None:
        """Write over one page (from 1) of SQLite's file what is none."""
        self.run("PRAGMA wal_checkpoint(TRUNCATE)")
        [(size,)] = self.rows("PRAGMA page_size")
        self.close()
        with Path(self._file).open("r+b") as file:
            file.seek((page - 1) * size)
            file.write(b"\xa5" * size)

    def _literal(self, value: Any) -> str:
        if isinstance(value, UUID):
            return f"x'{value.hex}'" if self.is_sqlite else f"'{value}'"
        if isinstance(value, bytes):
            return f"x'{value.hex()}'" if self.is_sqlite else f"'\\x{value.hex()}'"
        return str(value)


@contextmanager
def raw(url: str) -> Iterator[Raw]:
    """Such a connection, for as long as the block runs."""
    connection = Raw(url)
    try:
        yield connection
    finally:
        connection.close()
