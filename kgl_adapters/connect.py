"""`connect`: opens a knowledge graph for those who use kgl as a library."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Engine

from kgl_adapters.clock_and_ids import new_id, now, random
from kgl_adapters.memory.store import MemoryStore
from kgl_adapters.retrying import retry
from kgl_adapters.security.argon2_passwords import Argon2Hasher
from kgl_adapters.sql.engine.engines import Pool, is_in_memory, make_engine, parse_url, shown
from kgl_adapters.sql.engine.sqlite_files import warn_of_modes
from kgl_adapters.sql.storage import migrating
from kgl_adapters.sql.storage.replica_lag import LAG_MAX_S, OneWriter
from kgl_adapters.sql.units_of_work import SqlStore
from kgl_core.access.passwords import PASSWORD_LENGTH_MIN, Passwords
from kgl_core.kernel.permissions import SYSTEM
from kgl_core.kernel.store_errors import InvalidUrl, MigrationNeeded
from kgl_core.kernel.units_of_work import Context, Store
from kgl_core.knowledge_graph import KnowledgeGraph

DEFAULT_URL: Final = "sqlite:///kgl.db"
MEMORY_URL: Final = "memory://"


def connect(
    url: str | None = None,
    *,
    migrate: bool | None = None,
    password_length_min: int = PASSWORD_LENGTH_MIN,
    replica_url: str | None = None,
    replica_lag_max: float = LAG_MAX_S,
    statement_timeout: float | None = None,
) -> KnowledgeGraph:
    """The knowledge graph in the database at ``url``. Threads may share it; close it at the end.

    ``url`` is ``memory://``, ``sqlite:///file.db``, ``sqlite://`` (in memory), or ``postgresql://user@host/database``;
    without it, the one that DATABASE_URL names, or ``sqlite:///kgl.db``. With ``migrate`` None, only a new SQLite
    database is migrated to head; with True, any; with False, none. ``password_length_min`` is in characters.

    Raises InvalidUrl, StoreUnavailable if the database can't be opened or reached, MigrationNeeded if it is not at
    head, SchemaTooNew if a newer kgl made it, and other StoreErrors; ValueError for a ``statement_timeout`` that is not
    above 0.

    ``replica_url`` names a standby of the same PostgreSQL database, which then answers reads of entities and
    relationships: as they were at most ``replica_lag_max`` seconds ago, and after the last write by this object. If the
    standby can't promise that, or can't be reached, the primary answers. Changes, accounts and clients are always read
    from the primary. Processes don't know of each other's writes.

    ``statement_timeout`` is how many seconds a statement of PostgreSQL may take, and on SQLite a walk or a pattern:
    StatementTimeout is raised then. None is any time. Migrating always takes its time.

    Only its owner can read a new SQLite file. A UserWarning tells of an existing one that others can read.
    """
    if statement_timeout is not None and not statement_timeout > 0:
        raise ValueError("statement_timeout is in seconds, above 0; None is for any time")
    text = url or os.environ.get("DATABASE_URL") or DEFAULT_URL
    standby = None if replica_url is None else parse_replica_url(text, replica_url)
    pool = Pool(statement_timeout_s=statement_timeout)
    store: Store = MemoryStore() if text == MEMORY_URL else SqlStore(_opened(text, migrate, pool))
    if standby is not None and isinstance(store, SqlStore):
        store.replicate(make_engine(standby, pool), OneWriter(), lag_max_s=replica_lag_max)
    passwords = Passwords(Argon2Hasher(), password_length_min)
    return KnowledgeGraph(Context(store, SYSTEM, now, new_id, retry), passwords, random)


def parse_replica_url(primary: str, replica: str) -> URL:
    """The URL of a standby of the database at ``primary``. Raises InvalidUrl unless both are of PostgreSQL."""
    if (
        primary == MEMORY_URL
        or replica == MEMORY_URL
        or "sqlite" in {parse_url(primary).drivername, parse_url(replica).drivername}
    ):
        raise InvalidUrl("a replica is a standby of PostgreSQL: DATABASE_URL and DATABASE_REPLICA_URL must both be")
    return parse_url(replica)


def _opened(text: str, migrate: bool | None, pool: Pool) -> Engine:
    if text.startswith("memory:"):
        raise InvalidUrl("the memory store's URL is memory:// and nothing more")
    url = parse_url(text)
    is_sqlite = url.drivername == "sqlite"
    engine = make_engine(url, pool if is_sqlite else None)
    try:
        if migrate is False and is_sqlite and not is_in_memory(url):
            _require_file(url.database or "", engine)
        if migrate or (migrate is None and is_sqlite and migrating.is_empty(engine)):
            migrating.upgrade(engine)
        migrating.require_head(engine)
        warn_of_modes(url)
    except BaseException:
        engine.dispose()
        raise
    if is_sqlite or pool.statement_timeout_s is None:
        return engine
    engine.dispose()  # its connections have no limit
    return make_engine(url, pool)


def _require_file(path: str, engine: Engine) -> None:
    """Raise MigrationNeeded if there is no such file: opening it would make one."""
    if not path.startswith("file:") and not Path(path).exists():
        raise MigrationNeeded(shown(engine.url), None)
