"""The connections of an engine: those that are opened for a block, and those lent for a statement."""

import threading
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import Engine, MetaData, Table, event, text

from kgl_adapters.sql.engine.bounded_connection import BoundedConnection
from kgl_adapters.sql.engine.connections import Connections
from kgl_adapters.sql.engine.encoding import ENCODINGS
from kgl_adapters.sql.engine.engines import Pool, make_engine, parse_url
from kgl_adapters.sql.engine.queries import Query
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.units_of_work import SqlStore
from kgl_core.kernel.errors import KglError
from kgl_core.kernel.store_errors import CommitUnknown, MigrationNeeded, StoreBusy, StoreUnavailable
from tests.postgres import fresh_database

_PID = "SELECT pg_backend_pid()"


@pytest.fixture
def url(postgres_server: str) -> Iterator[str]:
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = make_engine(parse_url(url), Pool(size=1, overflow=0, timeout_s=0.05))
    yield engine
    engine.dispose()


def backend(connections: Connections) -> int:
    [(pid,)] = connections.fetch(_PID, {})
    return int(pid)


def end(url: str, pid: int) -> None:
    """End a connection from the server's side, and wait until it has ended."""
    plain = url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(plain, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


def test_both_ways_share_connections_and_limits(engine: Engine) -> None:
    """A pool of one: what is opened for a block, a statement waits for; and it is the same connection."""
    connections = Connections(engine)
    lent = backend(connections)
    with connections.opened() as connection:
        assert connection.scalar(text(_PID)) == lent
        assert connections.in_use() == 1
        for call in (connections.fetch, connections.run):
            with pytest.raises(StoreBusy):
                call("SELECT 1", {})
    assert connections.fetch("SELECT 1", {}) == [(1,)]
    assert connections.in_use() == 0


def test_a_snapshot_leaves_statements_prepared(engine: Engine) -> None:
    """Those that are read again and again are parsed once, although each snapshot ends."""
    connections = Connections(engine)
    query = Query(text("SELECT CAST(:given AS int)"), is_sqlite=False)
    for number in range(20):
        session = Session(connections, ENCODINGS[False], in_snapshot=True)
        assert session.fetch(query, {"given": number}) == [(number,)]
        session.close()
    prepared = connections.fetch("SELECT statement FROM pg_prepared_statements", {})
    assert [statement for (statement,) in prepared if statement.startswith("SELECT CAST")]


def test_a_snapshot_in_which_a_statement_failed_ends(engine: Engine) -> None:
    """The connection is given back, and serves on."""
    connections = Connections(engine)
    session = Session(connections, ENCODINGS[False], in_snapshot=True)
    with pytest.raises(KglError):
        session.fetch(Query(text("SELECT 1 / CAST(:given AS int)"), is_sqlite=False), {"given": 0})
    session.close()
    assert connections.fetch("SELECT 1", {}) == [(1,)]


def test_an_error_of_the_statement_loses_nothing(engine: Engine) -> None:
    """It is told as ours, chained to the driver's, and the connection serves on."""
    connections = Connections(engine)
    pid = backend(connections)
    with pytest.raises(MigrationNeeded) as refused:
        connections.fetch("SELECT * FROM nowhere", {})
    assert isinstance(refused.value.__cause__, psycopg.errors.UndefinedTable)
    with pytest.raises(KglError):
        connections.fetch("SELECT %(nothing)s", {})
    assert backend(connections) == pid
    assert connections.in_use() == 0


def test_a_lost_connection_is_replaced(engine: Engine, url: str) -> None:
    """A statement that only reads is tried once more, on another connection."""
    connections = Connections(engine)
    pid = backend(connections)
    end(url, pid)
    assert backend(connections) != pid
    assert connections.in_use() == 0


def test_a_connection_that_is_lost_again_is_told(engine: Engine) -> None:
    """Once more, and not for ever."""
    connections = Connections(engine)
    with pytest.raises(StoreUnavailable, match="cannot be reached") as lost:
        connections.fetch("SELECT pg_terminate_backend(pg_backend_pid())", {})
    assert isinstance(lost.value.__cause__, psycopg.OperationalError)
    assert connections.in_use() == 0


def test_what_has_waited_for_a_silent_server_is_told(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second wait would be longer than a caller has patience for."""
    monkeypatch.setattr("kgl_adapters.sql.engine.connections.AGAIN_WITHIN_S", 0.0)
    connections, pids = Connections(engine), set[int]()
    pids.add(backend(connections))
    with pytest.raises(StoreUnavailable):
        connections.fetch("SELECT pg_terminate_backend(pg_backend_pid())", {})
    pids.add(backend(connections))
    assert len(pids) == 2


def test_what_was_made_before_a_lost_connection_is_replaced_too(url: str) -> None:
    """A restart of the server ends them all: one that fails is enough."""
    engine = make_engine(parse_url(url), Pool(size=2, overflow=0))
    connections = Connections(engine)
    with connections.opened() as one, connections.opened() as two:
        pids = {one.scalar(text(_PID)), two.scalar(text(_PID))}
    for pid in pids:
        end(url, pid)
    assert {backend(connections) for _ in range(2)}.isdisjoint(pids)
    assert connections.in_use() == 0
    engine.dispose()


def test_what_is_interrupted_is_not_used_again(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows how far the driver had come."""
    connections = Connections(engine)
    pid = backend(connections)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(BoundedConnection, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            connections.fetch("SELECT 1", {})
    assert backend(connections) != pid
    assert connections.in_use() == 0


def test_pre_ping_replaces_what_was_lost_before(url: str) -> None:
    """Nobody notices."""
    engine = make_engine(parse_url(url), Pool(size=1, overflow=0, pre_ping=True))
    connections = Connections(engine)
    pid = backend(connections)
    end(url, pid)
    assert backend(connections) != pid
    engine.dispose()


def test_a_connection_that_cannot_be_made_is_not_in_use() -> None:
    """Neither way, however often it is tried; and it is no lost commit."""
    engine = make_engine(parse_url("postgresql://kgl@127.0.0.1:1/kgl"), Pool(size=1, overflow=0))
    connections = Connections(engine)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            connections.open()
        with pytest.raises(StoreUnavailable) as refused:
            connections.run("SELECT 1", {})
        assert not isinstance(refused.value, CommitUnknown)
    assert connections.in_use() == 0


def test_only_a_loss_in_the_middle_of_a_commit_leaves_it_unknown(engine: Engine, url: str) -> None:
    """What is lost before a statement is sent is noticed, and changes nothing; what writes is never repeated."""
    connections = Connections(engine)
    end(url, backend(connections))
    connections.run("SELECT 1", {})
    with pytest.raises(CommitUnknown):
        connections.run("SELECT pg_terminate_backend(pg_backend_pid())", {})
    connections.run("SELECT 1", {})


def test_a_statement_that_is_never_answered_loses_its_connection(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time for a statement and a second, whatever became of the network; the next has another."""
    monkeypatch.setattr("kgl_adapters.sql.engine.connections.AGAIN_WITHIN_S", 0.0)
    engine = make_engine(parse_url(url), Pool(size=1, overflow=0))
    connections = Connections(engine)
    pid = backend(connections)
    with connections.opened() as connection:
        connection.connection.driver_connection.wait_max_s = 0.05  # type: ignore[union-attr]
    with pytest.raises(StoreUnavailable, match=r"has not answered for 0\.05 s"):
        connections.fetch("SELECT pg_sleep(30)", {})
    assert backend(connections) != pid
    engine.dispose()


def test_a_connection_that_is_never_set_up_is_given_up(url: str) -> None:
    """What it is asked before it has the limit for statements has to be answered in the time for connecting."""
    engine = make_engine(parse_url(url).update_query_dict({"connect_timeout": "1"}), Pool(statement_timeout_s=7))
    connections, silent = Connections(engine), [True]

    def fall_silent(connection: psycopg.Connection, _: object) -> None:
        if silent:
            silent.clear()
            connection.execute("SELECT pg_sleep(30)")

    event.listen(engine, "connect", fall_silent, insert=True)
    with pytest.raises(StoreUnavailable, match="has not answered for 1 s") as lost:
        connections.run("SELECT 1", {})
    assert not isinstance(lost.value, CommitUnknown)
    with connections.opened() as connection:
        assert connection.connection.driver_connection.wait_max_s == 8  # type: ignore[union-attr]
    assert connections.in_use() == 0
    engine.dispose()


def test_a_connection_is_lent_again_without_the_pool(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a second at most; then the pool has looked at it, and may have replaced it."""
    taken = 0

    def count(*_: object) -> None:
        nonlocal taken
        taken += 1

    event.listen(engine, "checkout", count)
    connections = Connections(engine)
    for _ in range(3):
        backend(connections)
    assert taken == 1
    monkeypatch.setattr("kgl_adapters.sql.engine.idle_connections.IDLE_MAX_S", 0.0)
    with connections.opened():
        pass  # which had it given back
    for _ in range(3):
        backend(connections)
    assert taken == 5


def test_no_connection_waits_for_a_statement_while_others_want_one(url: str) -> None:
    """Threads that use both ways share a pool of two, and nobody finds it empty."""
    engine = make_engine(parse_url(url), Pool(size=2, overflow=0))
    connections, failed = Connections(engine), []

    def work(number: int) -> None:
        try:
            for turn in range(200):
                if (turn + number) % 3:
                    backend(connections)
                else:
                    with connections.opened() as connection:
                        connection.scalar(text("SELECT 1"))
        except KglError as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (failed, connections.in_use()) == ([], 0)
    connections.close()
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_what_is_put_back_after_the_end_is_not_kept(engine: Engine) -> None:
    """A statement that is running while the store is closed gives its connection back to the pool."""
    connections = Connections(engine)
    lent = connections._take()
    connections.close()
    connections._idle.put(lent)
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_a_loss_takes_along_what_is_lent_at_that_time(url: str) -> None:
    """It is put back, and not lent again: the pool replaces what was made before the loss."""
    engine = make_engine(parse_url(url), Pool(size=2, overflow=0))
    connections = Connections(engine)
    pid = backend(connections)
    lent = connections._take()
    connections.note_loss()
    connections._idle.put(lent)
    assert backend(connections) != pid
    assert connections.in_use() == 0
    engine.dispose()


@pytest.mark.parametrize("count", [1, 2])
def test_nothing_is_committed_on_a_lost_connection(engine: Engine, url: str, count: int) -> None:
    """Whoever catches the loss and goes on is told again, whether one row was written at that time or several."""
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE things (id int)"))
    things = Table("things", MetaData())
    store = SqlStore(engine)
    with store.begin() as uow:
        session: Session = uow._session  # type: ignore[attr-defined]
        end(url, session.connection.scalar(text(_PID)) or 0)
        with pytest.raises(StoreUnavailable):
            session.insert(things, ["id"], range(count), lambda number: (number,))
        with pytest.raises(StoreUnavailable, match="try all of it again"):
            uow.commit()
    assert store.connections.fetch("SELECT * FROM things", {}) == []
