"""kgl through PgBouncer in transaction pooling, where no session outlasts its transaction."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from sqlalchemy import Engine, text

from kgl_adapters import connect
from kgl_adapters.sql.engine.connections import Connections
from kgl_adapters.sql.engine.engines import Pool, make_engine, parse_url
from kgl_adapters.sql.storage import migrating as migrate
from kgl_adapters.sql.units_of_work import SqlStore
from kgl_core import StatementTimeout, StoreBusy
from tests.contract.samples import create, created, entity
from tests.databases.pgbouncer import PgBouncer, pgbouncer
from tests.faults.load import check_kept, load
from tests.postgres import fresh_database
from tests.serving.service import API, serving

CHECKOUT: Final = Path(__file__).parents[2]
TIMEOUT_S: Final = 0.2


@pytest.fixture
def direct(own_postgres_url: str) -> str:
    """The URL of an empty database at head, without a pooler."""
    return own_postgres_url


@pytest.fixture
def pooler(direct: str) -> Iterator[PgBouncer]:
    """A PgBouncer before that database, with fewer connections than its clients have."""
    with pgbouncer(direct, connections=2) as between:
        yield between


@pytest.fixture
def engine(pooler: PgBouncer) -> Iterator[Engine]:
    """An engine through it, whose statements may take TIMEOUT_S."""
    engine = make_engine(parse_url(pooler.url), Pool(statement_timeout_s=TIMEOUT_S))
    yield engine
    engine.dispose()


def driver(engine: Engine) -> Any:
    """A connection of the driver, back in its pool."""
    proxy = engine.raw_connection()
    found = proxy.driver_connection
    proxy.close()
    return found


def test_a_pooler_is_noticed(engine: Engine, direct: str) -> None:
    """By the id of the server's process, which it makes up; a direct connection has a session and uses it."""
    through = driver(engine)
    assert (through.is_pooled, through.prepare_threshold) == (True, None)
    other = make_engine(parse_url(direct), Pool(statement_timeout_s=TIMEOUT_S))
    straight = driver(other)
    assert (straight.is_pooled, straight.opening) == (False, "")
    assert straight.prepare_threshold is not None
    assert straight.execute("SHOW statement_timeout").fetchone() == ("200ms",)
    other.dispose()


def test_nothing_is_left_to_others(pooler: PgBouncer, engine: Engine) -> None:
    """Neither limits nor prepared statements stay on the server's connections, nor a lock."""
    store = SqlStore(engine)
    for number in range(12):  # the driver prepares what it runs often
        create(store, made := entity(f"{number}"))
        with store.read() as uow:
            assert uow.entities.get(made.id) == made
        with store.begin() as writing:
            writing.changes.append([created(made)])
    with psycopg.connect(pooler.url, autocommit=True) as other:
        for name in ("lock_timeout", "statement_timeout"):
            assert other.execute(f"SHOW {name}").fetchone() == ("0",)  # type: ignore[call-overload]
        assert other.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)
        assert other.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)


@pytest.mark.parametrize("way", ["alone", "snapshot", "transaction"])
def test_a_statement_ends_in_time(engine: Engine, way: str) -> None:
    """The server ends it in a transaction, and kgl's own request to cancel it alone; the connection serves on."""
    store = SqlStore(engine)
    units = {"alone": store.read, "snapshot": store.snapshot, "transaction": store.begin}
    with pytest.raises(StatementTimeout, match="ask for less"), units[way]() as uow:
        uow._session.execute(text("SELECT pg_sleep(30)"))
    assert Connections(engine).fetch("SELECT 1", {}) == [(1,)]
    assert not driver(engine).closed


def test_a_lock_is_waited_for_in_vain(pooler: PgBouncer, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as without a pooler, also by a creation, which is no transaction of several statements."""
    monkeypatch.setattr("kgl_adapters.sql.engine.engines.WAIT_MAX_S", TIMEOUT_S)
    one, two = entity(key="Q1"), entity("Other", key="Q1")
    store = SqlStore(make_engine(parse_url(pooler.url)))
    with store.begin() as uow:
        uow.entities.add([one])
        with pytest.raises(StoreBusy):
            create(store, two)
        with pytest.raises(StoreBusy), store.begin() as other:
            other.entities.add([two])
    store.close()


def test_times_are_utc_whatever_others_set(pooler: PgBouncer, direct: str) -> None:
    """Another client's time zone and date style, or those of the database, change nothing."""
    with psycopg.connect(direct, autocommit=True) as admin:
        for setting in ("timezone TO 'Asia/Bangkok'", "datestyle TO 'German'"):
            admin.execute(f"ALTER DATABASE {admin.info.dbname} SET {setting}")  # type: ignore[call-overload]
    others = [psycopg.connect(pooler.url, autocommit=True) for _ in range(2)]
    for url in (pooler.url, direct):
        with connect(url, migrate=False) as kg:
            made = kg.entities.create(type="person", name="อาดา")
            for other in others:
                other.execute("SET timezone TO 'America/New_York'; SET datestyle TO 'SQL, DMY'")
            found = kg.entities.get(made.id)
            assert (found, found.created_at.utcoffset()) == (made, UTC.utcoffset(None))
            assert kg.changes().items[-1].record == made
    for other in others:
        assert other.execute("SHOW timezone").fetchone() == ("America/New_York",)
        other.close()


def test_migrating_works_and_excludes_others(postgres_server: str) -> None:
    """From empty to head, indexes built concurrently and all; one process at a time, whichever way it comes."""
    with fresh_database(postgres_server) as direct, pgbouncer(direct) as between:
        engines = [make_engine(parse_url(url)) for url in (between.url, direct, between.url)]
        with ThreadPoolExecutor(len(engines)) as threads:
            for done in [threads.submit(migrate.upgrade, engine) for engine in engines]:
                done.result()
        assert [migrate.current_revision(engine) for engine in engines] == [migrate.HEAD] * len(engines)
        migrate.downgrade(engines[0], 1)
        assert migrate.current_revision(engines[1]) == migrate.REVISIONS[-2]
        for engine in engines:
            engine.dispose()
        with psycopg.connect(direct) as admin:
            found = admin.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone()
            assert found == (0,)


def test_a_pooler_that_restarts_is_not_noticed(pooler: PgBouncer) -> None:
    """Every connection is lost at once, while none is in use."""
    with connect(pooler.url, migrate=False) as kg:
        made = kg.entities.create(type="person", name="Ada")
        for call in (
            lambda: kg.entities.get(made.id),
            lambda: kg.entities.get_many(ids=[made.id]),
            lambda: kg.entities.create(type="person", name="Charles"),
            lambda: kg.entities.update(made.id, name="Ada Lovelace"),
            lambda: kg.changes(),
            lambda: kg.stats(),
        ):
            pooler.stop()
            pooler.start()
            call()


def test_servers_that_end_behind_it_are_not_noticed(pooler: PgBouncer, direct: str) -> None:
    """As when it reaps those that are idle."""
    with connect(pooler.url, migrate=False) as kg, psycopg.connect(direct, autocommit=True) as admin:
        made = kg.entities.create(type="person", name="Ada")
        for number in range(5):
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            assert kg.entities.get(made.id).version == number + 1
            kg.entities.update(made.id, metadata={"number": number})


def test_a_service_of_several_workers_works_through_it(pooler: PgBouncer, tmp_path: Path) -> None:
    """Eight clients with two connections between them: everything is answered, and nothing but what is right."""
    with serving(pooler.url, tmp_path / "run") as service:
        assert service("GET", "/health/ready").status == 200
        wrong: list[object] = []
        ending = threading.Event()

        def read() -> None:
            while not ending.is_set():
                found = service("GET", f"{API}/entities?limit=5&sort=-created_at")
                if found.status != 200 or not isinstance(found.data, list):
                    wrong.append(found)

        with load(service, "pooled") as ledger, ThreadPoolExecutor(2) as readers:
            reading = [readers.submit(read) for _ in range(2)]
            ledger.wait_for(201, 200)
            exported = service("GET", f"{API}/export").body.splitlines()
            ending.set()
            for reader in reading:
                reader.result()
        assert wrong == []
        assert len(exported) > 200
        assert {*ledger.statuses()} == {201}
        check_kept(pooler.url, ledger.attempts)


@pytest.mark.soak
def test_the_contract_holds_through_it() -> None:
    """Every test of the contract on PostgreSQL, with PgBouncer between."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "postgres", "tests/contract"]
    done = subprocess.run(
        command, cwd=CHECKOUT, env={**os.environ, "KGL_TEST_POOLER": "1"}, stdout=subprocess.PIPE, text=True
    )
    assert done.returncode == 0, done.stdout[-10_000:]
