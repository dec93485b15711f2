"""What all tests share: the three stores, each empty and at head, and how hard Hypothesis tries.

A test that takes `store` or `kg` runs on every store. One that needs writers beside each other takes
`concurrent_store` or `concurrent_kg`, which come from those stores only that can have them: nothing is ever skipped.
"""

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import Connection, Engine, NullPool, create_engine, inspect, text

from kgl_adapters import connect
from kgl_adapters.memory.store import MemoryStore
from kgl_adapters.sql.engine.engines import make_engine, parse_url
from kgl_adapters.sql.graph.names import TERMS
from kgl_adapters.sql.schema import SCHEMA
from kgl_adapters.sql.units_of_work import SqlStore
from kgl_core import KnowledgeGraph
from kgl_core.kernel.units_of_work import Store
from tests.databases.pgbouncer import pgbouncer
from tests.postgres import fresh_database, server

STORES = ("memory", "sqlite", "postgres")
SOAK = Path(__file__).parent / "soak"
WITH_CONCURRENT_WRITERS = ("postgres",)

# The same examples in every run: a failure on one machine is a failure on all.
settings.register_profile(
    "default",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile(
    "soak", settings.get_profile("default"), derandomize=False, max_examples=400, stateful_step_count=60
)
settings.load_profile("default")


_LEFT_TO_ROOT = pytest.StashKey[int]()

_EMPTY_POSTGRES = text(
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid();"
    + ";".join(f"DELETE FROM {table.fullname}" for table in reversed(SCHEMA[False].sorted_tables))
)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server, started when the first test asks for it; with KGL_TEST_POOLER, through one."""
    with server() as url:
        if not os.environ.get("KGL_TEST_POOLER"):
            yield url
            return
        with pgbouncer(url) as between:
            yield between.url


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> Iterator[str]:
    """The URL of a migrated PostgreSQL database that nobody is connected to: copies of it are made in no time."""
    with fresh_database(postgres_server) as url:
        connect(url, migrate=True).close()
        yield url


@pytest.fixture
def own_postgres_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database at head that the test has for itself."""
    with fresh_database(postgres_server, postgres_template) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """The URL of the migrated PostgreSQL database that tests use one after the other."""
    with fresh_database(postgres_server, postgres_template) as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file that nobody has open."""
    file = tmp_path_factory.mktemp("template") / "graph.db"
    connect(f"sqlite:///{file}", migrate=True).close()
    return file


@pytest.fixture(scope="session")
def empty_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], str]]:
    """Gives the URL of an empty database at head for a store's name. The one it gave before is then gone.

    Deleting the rows that a test leaves in PostgreSQL takes a tenth of the time that copying a database takes.
    """
    with ExitStack() as stack:
        connections: list[Connection] = []
        folder = _quick_folder() or tmp_path_factory.mktemp("stores")
        stack.callback(shutil.rmtree, folder)

        def empty(store: str) -> str:
            if store == "memory":
                return "memory://"
            if store == "sqlite":
                for last in folder.iterdir():
                    shutil.rmtree(last)
                file = Path(tempfile.mkdtemp(dir=folder)) / "graph.db"
                shutil.copy(request.getfixturevalue("sqlite_template"), file)
                return f"sqlite:///{file}"
            url: str = request.getfixturevalue("postgres_url")
            if not connections:
                engine = create_engine(parse_url(url), isolation_level="AUTOCOMMIT", poolclass=NullPool)
                connections.append(stack.enter_context(engine.connect()))
            connections[0].execute(_EMPTY_POSTGRES)
            return url

        yield empty


def _quick_folder() -> Path | None:
    """A new folder in memory, where SQLite does not wait for a disk at each commit, if there is room for one."""
    memory = Path("/dev/shm")  # Linux has it; a container's may be small
    if not os.access(memory, os.W_OK) or shutil.disk_usage(memory).free < 2**30:
        return None
    return Path(tempfile.mkdtemp(prefix="kgl-", dir=memory))


@pytest.fixture
def store_url(request: pytest.FixtureRequest, empty_url: Callable[[str], str]) -> str:
    """The URL of an empty database at head, of the store that the test runs on."""
    return empty_url(request.param)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on each store that it can run on."""
    if {"concurrent_store", "concurrent_kg"}.intersection(metafunc.fixturenames):
        metafunc.parametrize("store_url", WITH_CONCURRENT_WRITERS, indirect=True)
    elif "store_url" in metafunc.fixturenames:
        metafunc.parametrize("store_url", STORES, indirect=True)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A store to open units of work on."""
    opened: Store = MemoryStore() if store_url == "memory://" else SqlStore(make_engine(parse_url(store_url)))
    yield opened
    close_clean(opened)


@pytest.fixture
def concurrent_store(store: Store) -> Store:
    """A store whose writers need not wait for each other unless they write the same."""
    return store


@pytest.fixture
def kg(store_url: str) -> Iterator[KnowledgeGraph]:
    """A knowledge graph as its users get it."""
    with connect(store_url, migrate=None if store_url.startswith("sqlite") else False) as graph:
        yield graph
        close_clean(graph._context.store)


@pytest.fixture
def concurrent_kg(kg: KnowledgeGraph) -> KnowledgeGraph:
    """A knowledge graph on such a store."""
    return kg


def close_clean(store: Store) -> None:
    """Close a store that must not have left a connection checked out, nor its index of names damaged."""
    left = store.connections.in_use() if isinstance(store, SqlStore) else 0
    if isinstance(store, SqlStore) and store.engine.dialect.name == "sqlite" and not left:
        _require_whole_index(store.engine)
    store.close()
    assert left == 0, f"{left} connections were not given back to the pool"


def _require_whole_index(engine: Engine) -> None:
    """Let SQLite check its full-text table by itself, if there is one."""
    with engine.connect() as connection:
        if inspect(connection).has_table(TERMS):
            connection.exec_driver_sql(f"INSERT INTO {TERMS} ({TERMS}) VALUES ('integrity-check')")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not even read the tests that take minutes unless they are asked for: reading some of them takes long, too."""
    is_left_out = collection_path == SOAK and "not soak" in config.option.markexpr
    return True if is_left_out else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests out that only root can run, where somebody else runs them; the end of the run says how many."""
    if os.geteuid() != 0 and (left := [item for item in items if item.get_closest_marker("root")]):
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]
        config.stash[_LEFT_TO_ROOT] = len(left)


def pytest_collection_finish() -> None:
    """Leave out of every collection of garbage what is there before the first test: it would take most of the time."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where CI is set, a skipped test fails the run: a store that cannot start must not pass for one that works."""
    if _skipped(session.config) and os.environ.get("CI"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say why such a run failed, and what was left out."""
    if left := config.stash.get(_LEFT_TO_ROOT, 0):
        terminalreporter.write_line(f"{left} tests were left out, because only root can mount disks: -m root runs them")
    count = len(_skipped(config))
    if count and os.environ.get("CI"):
        terminalreporter.write_line(f"CI is set, so {count} skipped test(s) fail this run", red=True)


def _skipped(config: pytest.Config) -> list[Any]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return reporter.stats.get("skipped", []) if reporter else []


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database that holds nothing, not even tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'graph.db'}"
        return
    with fresh_database(request.getfixturevalue("postgres_server")) as fresh:
        yield fresh


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """An engine on it."""
    made = make_engine(parse_url(url))
    yield made
    made.dispose()
