"""Makes engines for both databases, and begins their transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from typing import Any, Final
from urllib.parse import quote

import attrs
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    ExceptionContext,
    QueuePool,
    Transaction,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from kgl_adapters.sql.engine.driver_errors import translate
from kgl_adapters.sql.engine.idle_connections import cursor_of
from kgl_adapters.sql.engine.sqlite_files import OpenFile, database_file, is_uri, make_private
from kgl_adapters.sql.engine.sqlite_functions import add_functions
from kgl_core.distribution import DISTRIBUTION
from kgl_core.kernel.store_errors import InvalidUrl, UnreadableRow

WAIT_MAX_S: Final = 10
"""How long a call waits for a connection or a lock before StoreBusy."""
CONNECT_MAX_S: Final = 5
"""How long connecting may take, and then each statement that sets the connection up."""
SILENCE_MAX_S: Final = 8
"""How long PostgreSQL's machine may acknowledge nothing before its connection counts as lost."""
_NETWORK: Final = {
    "connect_timeout": CONNECT_MAX_S,
    # What is sent and not acknowledged, and probes while an answer is waited for (libpq's names, in ms and s). Else the
    # kernel waits for a quarter of an hour, and for two hours before its first probe.
    "tcp_user_timeout": SILENCE_MAX_S * 1000,
    "keepalives": 1,
    "keepalives_idle": SILENCE_MAX_S // 2,
    "keepalives_interval": SILENCE_MAX_S // 4,
    "keepalives_count": 2,
}
_POSTGRES: Final = frozenset(product(("postgres", "postgresql"), ("", "psycopg", "psycopg2")))
_QUESTION_MARK: Final = "in the name of a file, write %3F for ?"
_OPEN_FILE: Final = "kgl_open_file"  # the option of an engine that has its OpenFile
STATEMENT_MAX_S: Final = "kgl_statement_max_s"
"""The option of an engine that says how many seconds a statement may take, or None."""
_SECRET_OPTIONS: Final = frozenset({"password", "sslpassword"})
_SQLITE_CACHE_KIB: Final = 32 * 1024


@attrs.frozen(kw_only=True)
class Pool:
    """The limits of an engine: how many connections, for how long, and how long a statement may run."""

    size: int = 5
    overflow: int = 10
    timeout_s: float = attrs.field(factory=lambda: WAIT_MAX_S)
    recycle_s: int = -1
    pre_ping: bool = False
    statement_timeout_s: float | None = None

    def arguments(self) -> dict[str, Any]:
        """The arguments for ``create_engine``."""
        return {
            "poolclass": QueuePool,
            "pool_size": self.size,
            "max_overflow": self.overflow,
            "pool_timeout": self.timeout_s,
            "pool_recycle": self.recycle_s,
            "pool_pre_ping": self.pre_ping,
            "pool_use_lifo": True,  # what was used last is the quickest: its server process has all in its cache
        }


def parse_url(text: str) -> URL:
    """The URL of a SQL store. Raises InvalidUrl, whose message does not quote the password."""
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        # Bytes of the environment that Python could not decode.
        raise InvalidUrl("this database URL is not text: write it in UTF-8, under a locale of UTF-8 or PYTHONUTF8=1")
    scheme, separator, rest = text.partition("://")
    try:
        url = make_url(f"{scheme.lower()}{separator}{rest}")
    except (ArgumentError, ValueError) as error:
        raise InvalidUrl("this database URL cannot be read") from error
    _, is_asking, options = text.rpartition("@")[2].partition("?")
    if is_asking and not all(all(option.partition("=")[::2]) for option in options.split("&")):
        # SQLAlchemy leaves them out, and opens a file whose name ends before the question mark.
        raise InvalidUrl(f"after ? a database URL has options, each as name=value; {_QUESTION_MARK}")
    if url.drivername in ("sqlite", "sqlite+pysqlite"):
        if url.host or url.username or url.password or url.port:
            raise InvalidUrl(
                "an SQLite URL has three slashes before a relative path, and four before one from the root"
            )
        if str(url.database).startswith("~/"):
            raise InvalidUrl("a database URL does not know ~; write the whole path")
        if url.query and "uri" not in url.query:
            example = "sqlite:///file:graph.db?mode=ro&uri=true"
            raise InvalidUrl(f"options of an SQLite URL need uri=true, as in {example}; {_QUESTION_MARK}")
        url = url.set(drivername="sqlite")
        # SQLite decodes a URI again, after SQLAlchemy has done so.
        return url.set(database=quote(str(url.database), safe="/:")) if is_uri(url) else url
    if url.drivername.partition("+")[::2] in _POSTGRES:
        return url.set(drivername="postgresql+psycopg")
    raise InvalidUrl(f"kgl has no store called {url.drivername}")


def make_engine(url: URL, pool: Pool | None = None) -> Engine:
    """An engine for ``url`` whose transactions write. Raises InvalidUrl when the driver is not installed."""
    pool = pool or Pool()
    try:
        engine = _sqlite(url, pool) if url.drivername == "sqlite" else _postgres(url, pool)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise InvalidUrl(f"PostgreSQL's driver is not installed: pip install '{DISTRIBUTION}[postgres]'") from error
    except (ArgumentError, TypeError, ValueError) as error:
        raise InvalidUrl(f"this database URL has a part that cannot be used ({error})") from error

    @event.listens_for(engine, "handle_error")
    def tell_of_damage(context: ExceptionContext) -> None:
        # Rows are fetched wherever a result is read, not only where its statement is run.
        ours = translate(context.original_exception, shown(url))
        if isinstance(ours, UnreadableRow):
            raise ours

    return engine


def shown(url: URL) -> str:
    """The URL as a user writes it, without the password, for messages."""
    secrets = dict.fromkeys(_SECRET_OPTIONS.intersection(url.query), "***")
    plain = url.set(drivername=url.get_backend_name()).update_query_dict(secrets)
    return plain.render_as_string(hide_password=True)


def begin(connection: Connection) -> Transaction:
    """Begin a transaction that writes.

    Connections do not begin transactions by themselves: BEGIN and ROLLBACK around each read would cost PostgreSQL a
    third of its throughput. Raises StoreUnavailable for an SQLite file that was deleted or replaced.
    """
    require_file_in_place(connection)
    transaction = connection.begin()
    connection.exec_driver_sql(_opening(connection.connection.driver_connection, {}, writing=True))
    return transaction


def begin_snapshot(connection: Connection, settings: Mapping[str, str]) -> None:
    """Begin a transaction that reads, and whose statements all see the same state. Raises the driver's errors.

    ``settings`` are those of PostgreSQL's that differ until it ends. SQLAlchemy is not told of the transaction: that
    would take as long as the statement.
    """
    proxy = connection.connection
    cursor_of(proxy).execute(_opening(proxy.driver_connection, settings, writing=False))


def end_snapshot(connection: Connection) -> None:
    """End it by COMMIT: after a ROLLBACK, PostgreSQL's driver prepares every statement anew. Raises its errors."""
    cursor_of(connection.connection).execute("COMMIT")


def _opening(driver: Any, settings: Mapping[str, str], *, writing: bool) -> str:
    if isinstance(driver, sqlite3.Connection):
        # A writer takes the lock at once: one that reads first and then writes can fail where it should wait.
        return "BEGIN IMMEDIATE" if writing else "BEGIN"
    mode = "" if writing else " ISOLATION LEVEL REPEATABLE READ READ ONLY"
    set_locally = "".join(f"; SET LOCAL {name} TO {value}" for name, value in settings.items())
    return f"BEGIN{mode}{driver.opening}{set_locally}"


def require_file_in_place(of: Engine | Connection) -> None:
    """Raise StoreUnavailable if an SQLite file was deleted or replaced since it was opened."""
    opened: OpenFile | None = of.get_execution_options().get(_OPEN_FILE)
    if opened is not None:
        opened.require_in_place()


@contextmanager
def reflecting(connection: Connection) -> Iterator[None]:
    """A block in which SQLAlchemy can reflect tables, for which it needs PostgreSQL's JSON parsed."""
    if connection.dialect.name == "sqlite":
        yield
        return
    from psycopg.types.json import JsonLoader
    from psycopg.types.string import TextLoader

    driver: Any = connection.connection.driver_connection
    driver.adapters.register_loader("json", JsonLoader)
    try:
        yield
    finally:
        driver.adapters.register_loader("json", TextLoader)


def is_in_memory(url: URL) -> bool:
    """Whether an SQLite URL names no file."""
    return url.database in (None, "", ":memory:")


def _sqlite(url: URL, pool: Pool) -> Engine:
    arguments: dict[str, Any] = {"timeout": WAIT_MAX_S, "check_same_thread": False, "isolation_level": None}
    if is_in_memory(url):
        # Each connection would be a database of its own: there is one, and threads take turns.
        pool = attrs.evolve(pool, size=1, overflow=0)
    file = database_file(url)
    opened = None if file is None else OpenFile(file)
    options = {_OPEN_FILE: opened, STATEMENT_MAX_S: pool.statement_timeout_s}
    engine = create_engine(
        url, connect_args=arguments, execution_options=options, hide_parameters=True, **pool.arguments()
    )

    @event.listens_for(engine, "do_connect")
    def make_file(*_: object) -> None:
        if opened is not None:
            opened.require_in_place()  # else SQLite would make an empty one
        if file is not None and url.query.get("mode") in (None, "rwc"):  # as SQLite, which makes no file otherwise
            make_private(file)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        if opened is not None:
            opened.note()
        connection.isolation_level = None  # the driver begins nothing by itself: see begin()
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=FULL")  # what was acknowledged survives a power cut
        connection.execute(f"PRAGMA cache_size=-{_SQLITE_CACHE_KIB}")
        add_functions(connection)

    return engine


def _postgres(url: URL, pool: Pool) -> Engine:
    from kgl_adapters.sql.engine.bounded_connection import BoundedConnection

    arguments = {name: value for name, value in _NETWORK.items() if name not in url.query}
    arguments["autocommit"] = True  # see begin()
    options = {STATEMENT_MAX_S: pool.statement_timeout_s}
    engine = create_engine(
        url, connect_args=arguments, execution_options=options, hide_parameters=True, **pool.arguments()
    )

    @event.listens_for(engine, "do_connect")
    def connect(_: object, __: object, arguments: Any, options: Any) -> Any:
        connection = BoundedConnection.connect(*arguments, **options)
        # Until it is set up, it has no limit of its own for statements; SQLAlchemy asks the first one for its version.
        connection.wait_max_s = max(0.0, float(options["connect_timeout"])) or None
        return connection

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        try:
            connection.set_up(WAIT_MAX_S, pool.statement_timeout_s)
        except BaseException:
            connection.close()
            raise

    return engine
