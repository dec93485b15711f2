"""A graph like those that grow by themselves: a few entities have very many relationships, most have few."""

import random
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import psycopg
from psycopg import sql

from kgl_adapters.sql.engine.encoding import micros_of
from kgl_adapters.sql.engine.engines import parse_url
from tests.benchmarks.contenders import plain

RELATIONSHIPS_EACH: Final = 10
"""How many relationships there are for each entity, on average."""
_SEED: Final = 1
_AT: Final = "2026-01-01 00:00:00+00"
_SCHEMA: Final = "backend_entities"
_NOTED: Final = ("created_at", "updated_at")
_ENTITY_COLUMNS: Final = (
    *("id", "type", "name", "aliases", "key", "confidence", "source", "metadata", "created_by", "version", "sort_name"),
    *_NOTED,
)
_RELATIONSHIP_COLUMNS: Final = (
    *("id", "source_entity_id", "target_entity_id", "relationship_type"),
    *("confidence", "source", "metadata", "created_by", "version"),
    *_NOTED,
)
_Row = tuple[tuple[UUID, ...], tuple[str | float, ...]]


class Edge(NamedTuple):
    """A relationship of the graph: its ends by number, its type and its confidence."""

    source: int
    type: str
    target: int
    confidence: float


def edges(entities: int) -> Iterator[Edge]:
    """The relationships of a graph with this many entities, numbered from 0; each pair of ends occurs once.

    Of a million entities, the first is the target of more than a hundred thousand relationships, and the source of a
    few hundred.
    """
    chance = random.Random(_SEED).random
    seen: set[int] = set()
    while len(seen) < entities * RELATIONSHIPS_EACH:
        source, target = int(entities * chance() ** 1.3), int(entities * chance() ** 3)
        pair = source * entities + target
        if pair not in seen:
            seen.add(pair)
            yield Edge(source, f"r{len(seen) % 10}", target, int(chance() * 100) / 100)


def entity_id(number: int) -> UUID:
    """The id of an entity of the graph."""
    return UUID(int=(0x01900000 << 96) | (7 << 76) | (2 << 62) | number)


def _relationship_id(number: int) -> UUID:
    return UUID(int=(0x01900001 << 96) | (7 << 76) | (2 << 62) | number)


def fill(url: str, entities: int) -> None:
    """Write the graph into an empty database at head, without its journal: what walks read."""
    (_fill_sqlite if url.startswith("sqlite") else _fill_postgres)(url, entities)


def _fill_postgres(url: str, entities: int) -> None:
    with psycopg.connect(plain(url), autocommit=True) as connection:
        rebuild = _without_indexes(connection)
        for table, columns, rows in _tables(entities):
            names = ", ".join(columns)
            with connection.cursor().copy(f"COPY {_SCHEMA}.{table} ({names}) FROM STDIN") as copy:
                for ids, row in rows:
                    values = [*ids, *row, _AT, _AT]
                    copy.write("\t".join(map(str, values)) + "\n")
        for statement in rebuild:
            connection.execute(statement)
        connection.execute("VACUUM ANALYZE")


def _fill_sqlite(url: str, entities: int) -> None:
    moment = micros_of(datetime.fromisoformat(_AT))
    connection = sqlite3.connect(str(parse_url(url).database), isolation_level=None)
    indexes = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL"
        " AND tbl_name IN ('entities', 'entity_relationships')"
    ).fetchall()
    connection.execute("BEGIN")
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    for table, columns, rows in _tables(entities):
        marks = ", ".join("?" * len(columns))
        values = ([*(id.bytes for id in ids), *row, moment, moment] for ids, row in rows)
        connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", values)
    for _, definition in indexes:
        connection.execute(definition)
    connection.execute("COMMIT")
    connection.close()


def _tables(entities: int) -> Iterator[tuple[str, Sequence[str], Iterator[_Row]]]:
    """The tables of the graph, their columns, and their rows: ids, then other values, but not the two moments."""
    yield "entities", _ENTITY_COLUMNS, _entity_rows(entities)
    yield "entity_relationships", _RELATIONSHIP_COLUMNS, _relationship_rows(entities)


def _entity_rows(entities: int) -> Iterator[_Row]:
    for number in range(entities):
        name, source = f"Entity number {number}", f"https://example.org/{number % 1000}"
        row = (f"t{number % 20}", name, "[]", f"k{number}", 0.9, source, "{}", "system", 1, name.lower())
        yield (entity_id(number),), row


def _relationship_rows(entities: int) -> Iterator[_Row]:
    for number, edge in enumerate(edges(entities)):
        ids = (_relationship_id(number), entity_id(edge.source), entity_id(edge.target))
        yield ids, (edge.type, edge.confidence, f"https://example.org/{number % 1000}", "{}", "system", 1)


def _without_indexes(connection: psycopg.Connection) -> list[sql.SQL]:
    """Drop the indexes and the foreign keys of both tables; what makes them again."""
    tables = ("entities", "entity_relationships")
    indexes = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = %s AND tablename = ANY(%s)"
        " AND indexname NOT LIKE 'pk%%'",
        (_SCHEMA, [*tables]),
    ).fetchall()
    keys = connection.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        f" WHERE conrelid = '{_SCHEMA}.entity_relationships'::regclass AND contype = 'f'"
    ).fetchall()
    for name, _ in indexes:
        connection.execute(sql.SQL(f"DROP INDEX {_SCHEMA}.{name}"))
    table = f"{_SCHEMA}.entity_relationships"
    for name, _ in keys:
        connection.execute(sql.SQL(f"ALTER TABLE {table} DROP CONSTRAINT {name}"))
    return [
        *(sql.SQL(definition) for _, definition in indexes),
        *(sql.SQL(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition} NOT VALID") for name, definition in keys),
    ]
