"""Migrates a database: which revision it is at, and how to bring it to another.

Alembic and its scripts do the work. They are imported only when needed, so that connecting stays quick.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import attrs
from sqlalchemy import Connection, Engine, event, inspect, text
from sqlalchemy.exc import DBAPIError

from kgl_adapters.sql.engine.connections import once_more
from kgl_adapters.sql.engine.driver_errors import translate
from kgl_adapters.sql.engine.engines import WAIT_MAX_S, begin, is_in_memory, reflecting, require_file_in_place, shown
from kgl_adapters.sql.kernel.tables import AUTH, GRAPH
from kgl_adapters.sql.storage.revisions import MIGRATIONS, REVISIONS
from kgl_core.kernel.store_errors import MigrationNeeded, SchemaTooNew, StoreBusy
from kgl_core.storage.checking.check import Progress

if TYPE_CHECKING:
    from alembic.config import Config

HEAD: Final = REVISIONS[-1]
VERSION_TABLE: Final = "alembic_version"
_MIGRATING: Final = 0x6B676C  # the key of the advisory lock that one migrating process holds
_POLL_S: Final = 0.1
_LOCK_TIMEOUT: Final = "5s"


@attrs.frozen
class Revision:
    """A migration: its id, what it does, and whether the database has it."""

    id: str
    summary: str
    is_applied: bool


def current_revision(engine: Engine) -> str | None:
    """The revision that the database is at; None when it holds no kgl schema. Raises StoreError."""
    return once_more(partial(_current_revision, engine))


def _current_revision(engine: Engine) -> str | None:
    schema = None if engine.dialect.name == "sqlite" else GRAPH
    table = VERSION_TABLE if schema is None else f"{schema}.{VERSION_TABLE}"
    with translated(engine), engine.connect() as connection:
        if not inspect(connection).has_table(VERSION_TABLE, schema=schema):
            return None
        found: str | None = connection.execute(text(f"SELECT version_num FROM {table}")).scalar_one_or_none()  # noqa: S608
        return found


def is_empty(engine: Engine) -> bool:
    """Whether an SQLite database holds nothing at all yet."""
    with translated(engine), engine.connect() as connection:
        return not inspect(connection).get_table_names()


def require_head(engine: Engine) -> None:
    """Raise MigrationNeeded or SchemaTooNew unless the database is at head, or another StoreError."""
    require_file_in_place(engine)
    found = current_revision(engine)
    if found is not None and found not in REVISIONS:
        raise SchemaTooNew(found)
    if found != HEAD:
        raise MigrationNeeded(shown(engine.url), found)


def history(engine: Engine) -> list[Revision]:
    """Every migration, the oldest first. Raises SchemaTooNew if the database is at another one."""
    found = current_revision(engine)
    if found is not None and found not in REVISIONS:
        raise SchemaTooNew(found)
    applied = REVISIONS.index(found) + 1 if found else 0
    summaries = {script.revision: script.doc for script in _scripts(_config()).walk_revisions()}
    return [Revision(id, summaries[id], place < applied) for place, id in enumerate(REVISIONS)]


def upgrade(engine: Engine, on_progress: Progress | None = None) -> None:
    """Bring the database to head. Raises SchemaTooNew when a newer kgl made it, and StoreError.

    ``on_progress`` is called with what is migrated, how many rows of it have been, and how many there are.
    """
    from alembic import command

    history(engine)
    with translated(engine), migrating(engine) as connection:
        config = _config(connection)
        if on_progress is not None:
            config.attributes["on_progress"] = on_progress
        command.upgrade(config, "head")


def downgrade(engine: Engine, steps: int) -> None:
    """Undo the last ``steps`` (1 or more) migrations of the database, with the data in their tables: all or none.

    Raises StoreError where the earlier schema can't hold what there is.
    """
    from alembic import command

    applied = sum(revision.is_applied for revision in history(engine))
    target = REVISIONS[applied - steps - 1] if applied > steps else "base"
    with translated(engine), migrating(engine) as connection:
        config = _config(connection)
        config.attributes["undoing"] = True
        command.downgrade(config, target)


@contextmanager
def migrating(engine: Engine) -> Iterator[Connection]:
    """A connection to migrate with. Meanwhile, no other process does. Raises StoreBusy."""
    with engine.connect() as connection, reflecting(connection):
        if engine.dialect.name == "sqlite":
            with _sqlite_prepared(connection, engine):
                yield connection
        else:
            with _postgres_prepared(connection, engine):
                yield connection


@contextmanager
def _sqlite_prepared(connection: Connection, engine: Engine) -> Iterator[None]:
    driver = connection.connection
    if not is_in_memory(engine.url):
        # Kept in the file from then on: readers and the writer do not wait for each other.
        _set_wal(driver, shown(engine.url))
    # Alembic rebuilds a table to alter it; with foreign keys on, dropping the old one would delete its children.
    driver.cursor().execute("PRAGMA foreign_keys=OFF")
    try:
        with begin(connection):
            yield
    finally:
        driver.cursor().execute("PRAGMA foreign_keys=ON")


def _set_wal(driver: Any, where: str) -> None:
    """Switch to the write-ahead log. SQLite does not wait with this for others who do the same; so we do."""
    deadline = time.monotonic() + WAIT_MAX_S
    while True:
        try:
            driver.cursor().execute("PRAGMA journal_mode=WAL").fetchone()
            return
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_busy or time.monotonic() > deadline:
                raise translate(error, where) from error
        time.sleep(_POLL_S)


@contextmanager
def _postgres_prepared(connection: Connection, engine: Engine) -> Iterator[None]:
    driver: Any = connection.connection.driver_connection
    driver.autocommit = False  # Alembic leaves it to the driver to begin
    event.listen(connection, "begin", _limit)
    try:
        with locked(engine):
            for schema in (AUTH, GRAPH):
                connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
            connection.commit()
            try:
                yield
            finally:
                connection.rollback()
    finally:
        connection.invalidate()  # as it is now, no pool may give it out


def _limit(connection: Connection) -> None:
    connection.exec_driver_sql(f"SET LOCAL lock_timeout TO '{_LOCK_TIMEOUT}'")


@contextmanager
def locked(engine: Engine) -> Iterator[None]:
    """Hold the migration lock, in a transaction of its own that does nothing else.

    A session's lock would stay behind in a pooler. Indexes that are built concurrently wait for whoever holds a
    snapshot. So the statement has no parameters and is not prepared: PostgreSQL then lets go of its snapshot at its
    end, and not with the transaction. And it is polled, because a statement that waited for the lock would hold one
    meanwhile.
    """
    deadline = time.monotonic() + WAIT_MAX_S
    while True:
        with engine.connect() as connection, begin(connection):
            driver: Any = connection.connection.driver_connection
            [is_ours] = driver.execute(f"SELECT pg_try_advisory_xact_lock({_MIGRATING})", prepare=False).fetchone()
            if is_ours:
                yield
                return
        if time.monotonic() > deadline:
            raise StoreBusy("the migration lock, which another migrating process holds,")
        time.sleep(_POLL_S)


@contextmanager
def translated(engine: Engine) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise translate(error, shown(engine.url)) from error


def _config(connection: Connection | None = None) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def _scripts(config: Config):  # type: ignore[no-untyped-def]
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(config)
