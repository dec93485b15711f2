"""Indexes of the values under a name in metadata, which operators ask for: each serves lists with that condition.

They are no part of the schema. A database is asked which it has; an index is found again by its name, which a digest of
the name in metadata ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2s
from threading import Event, Thread
from typing import Any, Final

import attrs
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from kgl_adapters.sql.engine.engines import begin
from kgl_adapters.sql.kernel.json_values import index_expression, is_indexable
from kgl_adapters.sql.kernel.tables import GRAPH, TABLES
from kgl_adapters.sql.storage.migrating import locked, require_head, translated
from kgl_core.graph.metadata import NAMES_RULE
from kgl_core.graph.nouns import GRAPH_NOUNS
from kgl_core.kernel.errors import Fault, InvalidInput
from kgl_core.kernel.field_rules import Faults
from kgl_core.kernel.nouns.noun import AnyNoun

_PREFIX: Final = "ix_metadata"
_COLUMN: Final = "metadata"
_OWN: Final = {
    True: text("SELECT name, sql, 1 FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name"),
    False: text(
        "SELECT c.relname, pg_get_indexdef(c.oid), i.indisvalid AND i.indisready FROM pg_index i"  # noqa: S608  # our name
        f" JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        f" WHERE n.nspname = '{GRAPH}' ORDER BY c.relname"
    ),
}
_LOOKS_EVERY_S: Final = 2.0
_PROGRESS: Final = text(
    "SELECT phase, CASE WHEN blocks_total > 0 THEN 100 * blocks_done / blocks_total END"
    " FROM pg_stat_progress_create_index WHERE pid = :pid"
)
Progress = Callable[[str, int | None], object]
"""What is told how far PostgreSQL is: the phase in its own words, and how many percent of the phase are done."""
_NAME_IN: Final = {
    True: re.compile(rf"""{_COLUMN} -> '\$\."((?:[^']|'')*)"'"""),
    False: re.compile(rf"{_COLUMN} -> '((?:[^']|'')*)'::text"),
}


@attrs.frozen(order=True)
class MetadataIndex:
    """The index of the values under ``name`` in the metadata of a noun, given by its plural.

    One that is not ``is_whole`` serves nobody: it is still being built, or its building was interrupted.
    """

    plural: str
    name: str
    is_whole: bool = True


def added(engine: Engine) -> list[MetadataIndex]:
    """The indexes that there are. Raises StoreError."""
    require_head(engine)
    with translated(engine), engine.connect() as connection:
        return sorted(_added(connection))


def add(engine: Engine, noun: AnyNoun, name: str, on_progress: Progress | None = None) -> bool:
    """Build the index of this name, unless it is there; returns whether it was not.

    On PostgreSQL it is built beside writers, after what an interrupted build has left is removed, and the table is
    analyzed; ``on_progress`` is told how far it is, every few seconds. On SQLite nobody else can write meanwhile.

    Raises InvalidInput for a name that can't be indexed, StoreBusy while others migrate or build, and StoreError.
    """
    _require_indexable(name)
    require_head(engine)
    is_sqlite = engine.dialect.name == "sqlite"
    table = TABLES[noun][is_sqlite]
    index = _index_name(table.name, name)
    value = index_expression(_COLUMN, name, is_sqlite=is_sqlite)
    covered = f"ON {table.fullname} (({value}), created_at, id)"  # what is found is in the order of lists
    with translated(engine), _changing(engine) as connection:
        if MetadataIndex(noun.plural, name) in _added(connection):
            return False
        if is_sqlite:
            # Only what has the name. PostgreSQL would not know then how often each value is there.
            _run(connection, f"CREATE INDEX {index} {covered} WHERE ({value}) IS NOT NULL")
            return True
        _drop(connection, index)
        try:
            with _watched(engine, connection, on_progress):
                _run(connection, f"CREATE INDEX CONCURRENTLY {index} {covered}")
        except BaseException:
            with suppress(DBAPIError):  # else the next call drops it
                _drop(connection, index)
            raise
        _run(connection, f"ANALYZE {table.fullname}")
    return True


def drop(engine: Engine, noun: AnyNoun, name: str) -> bool:
    """Drop the index of this name, or what is left of it; returns whether there was one.

    Raises StoreBusy while others migrate or build, and StoreError.
    """
    require_head(engine)
    index = _index_name(TABLES[noun][False].name, name)
    with translated(engine), _changing(engine) as connection:
        is_there = any((each.plural, each.name) == (noun.plural, name) for each in _added(connection))
        if is_there:
            _drop(connection, index)
    return is_there


def _require_indexable(name: str) -> None:
    faults: Faults = []
    NAMES_RULE.rule(name, "/name", faults)
    if not faults and not is_indexable(name):
        advice = "a name that is empty or has a \", a \\ or a control character can't be indexed; index another one"
        faults.append(Fault("/name", "not_indexable", advice))
    if faults:
        raise InvalidInput(faults)


def _index_name(table: str, name: str) -> str:
    return f"{_PREFIX}_{table}_{blake2s(name.encode(), digest_size=8).hexdigest()}"


def _added(connection: Connection) -> Iterator[MetadataIndex]:
    is_sqlite = connection.dialect.name == "sqlite"
    tables = {TABLES[noun][is_sqlite].name: noun.plural for noun in GRAPH_NOUNS}
    for index, definition, is_whole in connection.execute(_OWN[is_sqlite]):
        found = _NAME_IN[is_sqlite].search(definition)
        name = found[1].replace("''", "'") if found else ""
        for table, plural in tables.items():
            if index == _index_name(table, name):
                yield MetadataIndex(plural, name, bool(is_whole))


@contextmanager
def _changing(engine: Engine) -> Iterator[Connection]:
    """A connection on which to build and drop indexes, while nobody else does."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection, begin(connection):
            yield connection
        return
    with locked(engine), engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        if not driver.is_pooled:  # through a pooler, there are no limits outside of a transaction
            _run(connection, "SET lock_timeout TO 0; SET statement_timeout TO 0")
        try:
            yield connection
        finally:
            connection.invalidate()  # as it is now, no pool may give it out


@contextmanager
def _watched(engine: Engine, building: Connection, on_progress: Progress | None) -> Iterator[None]:
    """A block in which an index is built, and how far it is, is told."""
    if on_progress is None:
        yield
        return
    driver: Any = building.connection.driver_connection
    has_ended = Event()

    def watch() -> None:
        told = None
        while not has_ended.wait(_LOOKS_EVERY_S):
            with suppress(DBAPIError, PoolTimeout), engine.connect() as connection:
                found = connection.execute(_PROGRESS, {"pid": driver.info.backend_pid}).first()
                if found is not None and tuple(found) != told:
                    told = tuple(found)
                    on_progress(*told)

    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        has_ended.set()
        watcher.join()


def _drop(connection: Connection, index: str) -> None:
    if connection.dialect.name == "sqlite":
        _run(connection, f"DROP INDEX {index}")
    else:
        _run(connection, f"DROP INDEX CONCURRENTLY IF EXISTS {GRAPH}.{index}")


def _run(connection: Connection, statement: str) -> None:
    """Run a statement whose names of metadata are no parameters."""
    connection.exec_driver_sql(statement if connection.dialect.name == "sqlite" else statement.replace("%", "%%"))
