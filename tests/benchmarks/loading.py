"""Bulk loads and dumps against their floor: the driver's own way to write and read the same rows, in the same tables.

The two take turns. kgl loads a slice of the records into an empty, migrated database; the rows that this wrote are
read back, untimed; and the bare driver writes the same rows, in the same order and in transactions of the same size,
into another such database. Only loading and writing are timed: the floor parses, checks, compares and makes nothing.

Then both databases are dumped, by turns: by kgl as lines, and by the bare driver as objects of all columns as they are.
"""

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from typing import Any, Final, Protocol

import attrs
import orjson
import psycopg
from sqlalchemy import Table

from kgl_adapters import connect
from kgl_adapters.sql.engine.engines import make_engine, parse_url
from kgl_adapters.sql.graph.change_rows import CHANGE_COLUMNS
from kgl_adapters.sql.graph.tables import CHANGES, ENTITIES, RELATIONSHIPS
from kgl_core import KnowledgeGraph
from kgl_core.graph.entities import ENTITY
from kgl_core.graph.relationships import RELATIONSHIP
from kgl_core.storage.loading.load import BATCH_RECORDS_MAX
from tests.benchmarks.records import entity_lines, relationship_lines

_DUMPS: Final = 3
_ROWS_AT_ONCE: Final = 1_000
SLICE: Final = 10 * BATCH_RECORDS_MAX
_ENTITIES, _RELATIONSHIPS, _CHANGES = ENTITIES[False], RELATIONSHIPS[False], CHANGES[False]
_COLUMNS: Final = {
    _ENTITIES: (*ENTITY.field_names, "sort_name"),
    _RELATIONSHIPS: RELATIONSHIP.field_names,
    _CHANGES: CHANGE_COLUMNS,
}

Block = Any
"""Rows of one table in the form that a driver writes fastest."""


@attrs.define
class Race:
    """How long kgl and the floor took for the same records."""

    what: str
    records: int = 0
    kgl_s: float = 0.0
    floor_s: float = 0.0

    @property
    def ratio(self) -> float:
        """kgl's rate in parts of the floor's."""
        return self.floor_s / self.kgl_s


class Mirror(Protocol):
    """Reads the rows that kgl added to one database and writes them to another."""

    def read(self, table: Table) -> list[tuple[Block, Block]]:
        """What the table and the log got since the last call, in the order of writing: a pair a transaction."""

    def write(self, table: Table, transactions: Sequence[tuple[Block, Block]]) -> None:
        """Write such rows into the table and the log."""

    def dump(self) -> int:
        """Write all rows of both tables, by id, as JSON objects; returns how many there were."""

    def close(self) -> None:
        """Close the connections."""


class PostgresMirror:
    """COPY, from text that needs no more work."""

    def __init__(self, source_url: str, target_url: str) -> None:
        self._source, self._target = _postgres(source_url), _postgres(target_url)
        self._read_up_to = 0

    def read(self, table: Table) -> list[tuple[Block, Block]]:
        logged = f"(SELECT *, row_number() OVER (ORDER BY sequence) - 1 AS place FROM {_name(_CHANGES)}"
        logged += f" WHERE sequence > {self._read_up_to}) AS logged"
        # Within a batch, rows lie in the order in which they were written.
        order = f"place / {BATCH_RECORDS_MAX}, record.ctid"
        with self._source.cursor() as cursor:
            rows = self._blocks(
                cursor,
                f"{_columns(table, 'record')} FROM {logged} JOIN {_name(table)} AS record"
                f" ON record.id = logged.subject_id ORDER BY {order}",
            )
            logs = self._blocks(cursor, f"{_columns(_CHANGES, 'logged')} FROM {logged} ORDER BY sequence")
            found = cursor.execute(f"SELECT max(sequence) FROM {_name(_CHANGES)}").fetchone()
        self._source.rollback()
        self._read_up_to = found[0] if found else 0
        return list(zip(rows, logs, strict=True))

    @staticmethod
    def _blocks(cursor: psycopg.Cursor[Any], selected: str) -> list[bytes]:
        with cursor.copy(f"COPY (SELECT {selected}) TO STDOUT") as copy:
            return [b"".join(lines) for lines in chunked(map(bytes, copy), BATCH_RECORDS_MAX)]

    def write(self, table: Table, transactions: Sequence[tuple[Block, Block]]) -> None:
        with self._target.cursor() as cursor:
            for blocks in transactions:
                for into, block in zip((table, _CHANGES), blocks, strict=True):
                    with cursor.copy(f"COPY {_name(into)} ({_columns(into)}) FROM STDIN") as copy:
                        copy.write(block)
                self._target.commit()

    def dump(self) -> int:
        count = 0
        for table in (_ENTITIES, _RELATIONSHIPS):
            with self._target.cursor("dump") as cursor:
                cursor.itersize = _ROWS_AT_ONCE
                cursor.execute(f"SELECT {_columns(table)} FROM {_name(table)} ORDER BY id")  # type: ignore[arg-type]
                count += _written(table, cursor)
        self._target.rollback()
        return count

    def close(self) -> None:
        self._source.close()
        self._target.close()


class SqliteMirror:
    """executemany, from tuples, on a connection that has the same settings as kgl's."""

    def __init__(self, source_url: str, target_url: str) -> None:
        self._source, self._target = _sqlite(source_url), _sqlite(target_url)
        self._read_up_to = dict.fromkeys(_COLUMNS, 0)

    def read(self, table: Table) -> list[tuple[Block, Block]]:
        return list(zip(*(self._blocks(into) for into in (table, _CHANGES)), strict=True))

    def _blocks(self, table: Table) -> list[Block]:
        rows = self._source.execute(
            f"SELECT {_columns(table)} FROM {table.name} WHERE rowid > ? ORDER BY rowid", (self._read_up_to[table],)
        )
        blocks = list(chunked(rows, BATCH_RECORDS_MAX))
        self._read_up_to[table] = self._source.execute(f"SELECT max(rowid) FROM {table.name}").fetchone()[0]
        return blocks

    def write(self, table: Table, transactions: Sequence[tuple[Block, Block]]) -> None:
        for blocks in transactions:
            self._target.execute("BEGIN IMMEDIATE")
            for into, rows in zip((table, _CHANGES), blocks, strict=True):
                marks = ", ".join("?" for _ in _COLUMNS[into])
                self._target.executemany(f"INSERT INTO {into.name} ({_columns(into)}) VALUES ({marks})", rows)
            self._target.execute("COMMIT")

    def dump(self) -> int:
        tables = (_ENTITIES, _RELATIONSHIPS)
        return sum(
            _written(table, self._target.execute(f"SELECT {_columns(table)} FROM {table.name} ORDER BY id"))
            for table in tables
        )

    def close(self) -> None:
        self._source.close()
        self._target.close()


def race(kgl_url: str, floor_url: str, count: int) -> list[Race]:
    """Load ``count`` entities and twice as many relationships into both databases, which are empty, and dump them."""
    with ExitStack() as stack:
        connect(floor_url, migrate=True).close()
        kg = stack.enter_context(connect(kgl_url, migrate=True))
        is_sqlite = kgl_url.startswith("sqlite")
        mirror: Mirror = SqliteMirror(kgl_url, floor_url) if is_sqlite else PostgresMirror(kgl_url, floor_url)
        stack.callback(mirror.close)
        races = []
        for what, table, lines in (
            ("entities", _ENTITIES, entity_lines(0, count)),
            ("relationships", _RELATIONSHIPS, relationship_lines(0, 2 * count, count)),
        ):
            races.append(Race(what))
            for part in chunked(lines, SLICE):
                began = time.perf_counter()
                summary = kg.load(part)
                races[-1].kgl_s += time.perf_counter() - began
                if summary.created != len(part):
                    raise RuntimeError(f"not all records were created: {summary}")
                transactions = mirror.read(table)
                began = time.perf_counter()
                mirror.write(table, transactions)
                races[-1].floor_s += time.perf_counter() - began
                races[-1].records += len(part)
                del transactions  # or the next load's garbage collections would walk them
        with connect(floor_url) as floor:
            if floor.stats() != kg.stats():
                raise RuntimeError("the floor did not write what kgl wrote")
        return [*races, _race_dumps(kg, mirror)]


def _race_dumps(kg: KnowledgeGraph, mirror: Mirror) -> Race:
    dumps = Race("dumped")
    for _ in range(_DUMPS):
        began = time.perf_counter()
        found = sum(1 for _ in map(orjson.dumps, kg.dump()))
        dumps.kgl_s += time.perf_counter() - began
        began = time.perf_counter()
        if mirror.dump() != found:
            raise RuntimeError("the floor did not dump what kgl dumped")
        dumps.floor_s += time.perf_counter() - began
        dumps.records += found
    return dumps


def _written(table: Table, rows: Iterable[tuple[Any, ...]]) -> int:
    """Write each row as JSON; returns how many there were."""
    names = _COLUMNS[table]
    return sum(1 for row in rows if orjson.dumps(dict(zip(names, row, strict=True)), default=bytes.hex))


def chunked(items: Iterator[Any], size: int) -> Iterator[list[Any]]:
    """The items in lists of up to ``size``."""
    while chunk := list(islice(items, size)):
        yield chunk


def _columns(table: Table, alias: str | None = None) -> str:
    prefix = "" if alias is None else f"{alias}."
    return ", ".join(f"{prefix}{name}" for name in _COLUMNS[table])


def _name(table: Table) -> str:
    return f"{table.schema}.{table.name}"


def _postgres(url: str) -> psycopg.Connection:
    return psycopg.connect(parse_url(url).set(drivername="postgresql").render_as_string(hide_password=False))


def _sqlite(url: str) -> sqlite3.Connection:
    # Taken out of kgl's own pool, so that the settings cannot differ; what comes out is the bare driver's.
    engine = make_engine(parse_url(url))
    raw = engine.raw_connection()
    connection = raw.driver_connection
    raw.detach()
    engine.dispose()
    return connection
