"""A graph like those that grow by themselves: a few entities have very many relationships, most have few."""

import random
from collections.abc import Iterator
from typing import Final, NamedTuple
from uuid import UUID

import psycopg
from psycopg import sql

from tests.benchmarks.contenders import plain

RELATIONSHIPS_EACH: Final = 10
"""How many relationships there are for each entity, on average."""
_SEED: Final = 1
_AT: Final = "2026-01-01 00:00:00+00"
_SCHEMA: Final = "backend_entities"
_ENTITY_COLUMNS: Final = (
    "id, type, name, aliases, key, confidence, source, metadata, created_by, created_at, updated_at, version, sort_name"
)
_RELATIONSHIP_COLUMNS: Final = (
    "id, source_entity_id, relationship_type, target_entity_id, confidence, source, metadata, created_by, created_at,"
    " updated_at, version"
)


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
    """Write the graph into an empty database of PostgreSQL at head, without its journal: what walks read."""
    with psycopg.connect(plain(url), autocommit=True) as connection:
        rebuild = _without_indexes(connection)
        with connection.cursor().copy(f"COPY {_SCHEMA}.entities ({_ENTITY_COLUMNS}) FROM STDIN") as copy:
            for number in range(entities):
                name, noted = f"Entity number {number}", f"system\t{_AT}\t{_AT}\t1"
                about = f"0.9\thttps://example.org/{number % 1000}\t{{}}"
                copy.write(
                    f"{entity_id(number)}\tt{number % 20}\t{name}\t[]\tk{number}\t{about}\t{noted}\t{name.lower()}\n"
                )
        with connection.cursor().copy(
            f"COPY {_SCHEMA}.entity_relationships ({_RELATIONSHIP_COLUMNS}) FROM STDIN"
        ) as copy:
            for number, edge in enumerate(edges(entities)):
                ends = f"{entity_id(edge.source)}\t{edge.type}\t{entity_id(edge.target)}"
                about = f"{edge.confidence}\thttps://example.org/{number % 1000}\t{{}}"
                copy.write(f"{_relationship_id(number)}\t{ends}\t{about}\tsystem\t{_AT}\t{_AT}\t1\n")
        for statement in rebuild:
            connection.execute(statement)
        connection.execute("VACUUM ANALYZE")


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
