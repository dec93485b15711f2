"""Walks by the least SQL that finds the same, through the driver alone: on PostgreSQL and on SQLite."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Final, Protocol
from uuid import UUID

import psycopg

from kgl_adapters.sql.engine.engines import parse_url
from tests.benchmarks.contenders import plain

DRAWN_MAX: Final = 1_000
"""How many entities and relationships there are at most in what is drawn."""
_SCHEMA: Final = "backend_entities"
_PARTS: Final = "r.id, r.source_entity_id, r.target_entity_id, r.relationship_type, r.confidence"
_STRONGEST: Final = f"ORDER BY r.confidence DESC NULLS LAST, r.created_at DESC, r.id LIMIT {DRAWN_MAX}"


class BareWalks(Protocol):
    """Each walk follows relationships from an entity, up to a depth, and returns how many entities it found."""

    def distances(self, id: UUID, depth: int) -> int:
        """With the distance of each."""

    def records(self, id: UUID, depth: int) -> int:
        """With whole entities, and all relationships between them."""

    def nearest(self, id: UUID, depth: int) -> int:
        """With a few fields of the nearest entities."""

    def to_draw(self, id: UUID, depth: int) -> int:
        """With a few fields of the nearest entities, and of the strongest relationships between them."""

    def beside(self, id: UUID, place: int) -> UUID:
        """An entity that has a relationship to this one, the ``place``-th. Raises RuntimeError if there is none."""


class BarePostgres:
    """`BareWalks` on PostgreSQL: one statement walks and reads entities, another reads what joins them."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._walk = _walk("%s::uuid", "%s", f"{_SCHEMA}.entity_relationships")
        self._entities = f"FROM found JOIN {_SCHEMA}.entities e USING (id)"
        self._among = (
            f"FROM unnest(%s::uuid[]) AS s(id) JOIN {_SCHEMA}.entity_relationships r ON r.source_entity_id = s.id"
            " JOIN unnest(%s::uuid[]) AS t(id) ON t.id = r.target_entity_id WHERE r.deleted_at IS NULL"
        )

    def distances(self, id: UUID, depth: int) -> int:
        return len(self._rows(f"{self._walk} SELECT * FROM found", id, depth))

    def records(self, id: UUID, depth: int) -> int:
        rows = self._rows(f"{self._walk} SELECT e.* {self._entities}", id, depth)
        self._join(f"SELECT r.* {self._among}", [row[0] for row in rows])
        return len(rows)

    def nearest(self, id: UUID, depth: int) -> int:
        return len(self._nearest(id, depth))

    def to_draw(self, id: UUID, depth: int) -> int:
        rows = self._nearest(id, depth)
        self._join(f"SELECT {_PARTS} {self._among} {_STRONGEST}", [row[0] for row in rows])
        return len(rows)

    def beside(self, id: UUID, place: int) -> UUID:
        query = f"SELECT source_entity_id FROM {_SCHEMA}.entity_relationships WHERE target_entity_id = %s"
        return UUID(str(_only(self._rows(f"{query} OFFSET %s LIMIT 1", id, place))))

    def _nearest(self, id: UUID, depth: int) -> list[tuple[Any, ...]]:
        nearest = f"SELECT e.id, e.type, e.name, found.distance {self._entities} ORDER BY distance LIMIT {DRAWN_MAX}"
        return self._rows(f"{self._walk} {nearest}", id, depth)

    def _rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, values, prepare=True).fetchall()

    def _join(self, query: str, ids: list[Any]) -> None:
        self._rows(query, ids, ids)


class BareSqlite:
    """`BareWalks` on SQLite: what joins the entities is read by a statement that walks again."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._walk = _walk("?", "?", "entity_relationships")
        near = f"near AS MATERIALIZED (SELECT * FROM found ORDER BY distance LIMIT {DRAWN_MAX})"
        self._walk_near = f"{self._walk}, {near}"
        self._entities = "FROM found JOIN entities e USING (id)"

    def distances(self, id: UUID, depth: int) -> int:
        return len(self._rows(f"{self._walk} SELECT * FROM found", id.bytes, depth))

    def records(self, id: UUID, depth: int) -> int:
        rows = self._rows(f"{self._walk} SELECT e.* {self._entities}", id.bytes, depth)
        self._rows(f"{self._walk} SELECT r.* {_among('found')}", id.bytes, depth)
        return len(rows)

    def nearest(self, id: UUID, depth: int) -> int:
        entities = "SELECT e.id, e.type, e.name, near.distance FROM near JOIN entities e USING (id)"
        return len(self._rows(f"{self._walk_near} {entities}", id.bytes, depth))

    def to_draw(self, id: UUID, depth: int) -> int:
        size = self.nearest(id, depth)
        self._rows(f"{self._walk_near} SELECT {_PARTS} {_among('near')} {_STRONGEST}", id.bytes, depth)
        return size

    def beside(self, id: UUID, place: int) -> UUID:
        query = "SELECT source_entity_id FROM entity_relationships WHERE target_entity_id = ? LIMIT 1 OFFSET ?"
        return UUID(bytes=_only(self._rows(query, id.bytes, place)))

    def _rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(query, values).fetchall()


@contextmanager
def bare_walks(url: str) -> Iterator[BareWalks]:
    """Walks over the database with this URL, which is open for the block."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(str(parse_url(url).database))) as connection:
            yield BareSqlite(connection)
    else:
        with psycopg.connect(plain(url), autocommit=True) as connection:
            yield BarePostgres(connection)


def _walk(id: str, depth: str, table: str) -> str:
    """The beginning of a statement, in which ``found`` has the entities and their distances."""
    step = (
        f"SELECT r.target_entity_id, w.distance + 1 FROM walk w JOIN {table} r ON r.source_entity_id = w.id"
        f" AND r.deleted_at IS NULL WHERE w.distance < {depth}"
    )
    return (
        f"WITH RECURSIVE walk(id, distance) AS (SELECT {id}, 0 UNION {step}),"
        " found AS MATERIALIZED (SELECT id, min(distance) AS distance FROM walk GROUP BY id)"
    )


def _among(found: str) -> str:
    """What joins the entities in a table of SQLite."""
    return (
        f"FROM {found} s JOIN entity_relationships r ON r.source_entity_id = s.id"
        f" WHERE r.target_entity_id IN (SELECT id FROM {found}) AND r.deleted_at IS NULL"
    )


def _only(rows: list[tuple[Any, ...]]) -> Any:
    if not rows:
        raise RuntimeError("a hub has less than a thousand relationships")
    return rows[0][0]
