"""The pool that lends connections to the driver."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import TimeoutError as PoolTimeout

from kgl_adapters.sql.connections import Connections
from kgl_adapters.sql.engine import Pool, make_engine, parse_url
from kgl_adapters.sql.lending import ConnectionLost, LendingPool, pool_of
from kgl_core.errors import CommitUnknown, StoreUnavailable
from tests.postgres import fresh_database


class Use:
    """Counts what is taken from a pool and given back."""

    def __init__(self, pool: LendingPool) -> None:
        self.now = self.taken = 0
        pool.watch(self._take, self._give_back)

    def _take(self) -> None:
        self.taken += 1
        self.now += 1

    def _give_back(self) -> None:
        self.now -= 1


@pytest.fixture
def url(postgres_server: str) -> Iterator[str]:
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = make_engine(parse_url(url), Pool(size=1, overflow=0, timeout_s=0.05))
    yield engine
    engine.dispose()


def one(driver: Any) -> Any:
    return driver.execute("SELECT 1").fetchone()


def backend(driver: Any) -> int:
    return int(driver.info.backend_pid)


def end(url: str, pid: int) -> None:
    """End a connection from the server's side, and wait until it has ended."""
    plain = url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(plain, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


def test_both_ways_share_connections_and_limits(engine: Engine) -> None:
    """A pool of one: what is lent, SQLAlchemy waits for, and the other way round; and it is the same connection."""
    pool = pool_of(engine)
    use = Use(pool)

    def meanwhile(driver: Any) -> int:
        assert use.now == 1
        with pytest.raises(PoolTimeout):
            engine.connect()
        return backend(driver)

    lent = pool.lend(meanwhile)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT pg_backend_pid()")) == lent
        assert use.now == 1
        with pytest.raises(PoolTimeout):
            pool.lend(one)
    assert pool.lend(one) == (1,)
    assert (use.now, use.taken) == (0, 3)


def test_an_error_of_the_statement_loses_nothing(engine: Engine) -> None:
    """It is the driver's own, and the connection serves on."""
    pool = pool_of(engine)
    pid = pool.lend(backend)
    with pytest.raises(psycopg.errors.UndefinedTable):
        pool.lend(lambda driver: driver.execute("SELECT * FROM nowhere"))
    with pytest.raises(KeyError):
        pool.lend(lambda _: {}["nothing"])
    assert pool.lend(backend) == pid
    assert pool.checkedout() == 0


def test_a_lost_connection_is_told_and_replaced(engine: Engine, url: str) -> None:
    pool = pool_of(engine)
    use = Use(pool)
    pid = pool.lend(backend)
    end(url, pid)
    with pytest.raises(ConnectionLost) as lost:
        pool.lend(one)
    assert isinstance(lost.value.error, psycopg.OperationalError)
    assert pool.lend(backend) != pid
    assert (use.now, pool.checkedout()) == (0, 0)


def test_what_was_made_before_a_lost_connection_is_replaced_too(url: str) -> None:
    """A restart of the server ends them all: one that fails is enough."""
    engine = make_engine(parse_url(url), Pool(size=2, overflow=0))
    with engine.connect(), engine.connect():
        pass
    pool = pool_of(engine)
    pids = {pool.lend(backend) for _ in range(2)}
    assert len(pids) == 2
    for pid in pids:
        end(url, pid)
    with pytest.raises(ConnectionLost):
        pool.lend(one)
    assert {pool.lend(backend) for _ in range(2)}.isdisjoint(pids)
    engine.dispose()


def test_what_is_interrupted_is_not_used_again(engine: Engine) -> None:
    """Nobody knows how far the driver had come."""
    pool = pool_of(engine)
    pid = pool.lend(backend)

    def interrupted(_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pool.lend(interrupted)
    assert pool.lend(backend) != pid
    assert pool.checkedout() == 0


def test_pre_ping_replaces_what_was_lost_before(url: str) -> None:
    """As it does for SQLAlchemy's own way: nobody notices."""
    engine = make_engine(parse_url(url), Pool(size=1, overflow=0, pre_ping=True))
    pool = pool_of(engine)
    pid = pool.lend(backend)
    end(url, pid)
    assert pool.lend(backend) != pid
    engine.dispose()


def test_a_connection_that_cannot_be_made_is_not_in_use() -> None:
    """Neither way, however often it is tried; and it is no lost commit."""
    engine = make_engine(parse_url("postgresql://kgl@127.0.0.1:1/kgl"), Pool(size=1, overflow=0))
    use = Use(pool_of(engine))
    connections = Connections(engine)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            connections.open()
        with pytest.raises(StoreUnavailable) as refused:
            connections.lend(one, commits=True)
        assert not isinstance(refused.value, CommitUnknown)
    assert (use.now, pool_of(engine).checkedout()) == (0, 0)


def test_only_a_loss_in_the_middle_of_a_commit_leaves_it_unknown(engine: Engine, url: str) -> None:
    connections = Connections(engine)
    for commits, expected in ((False, StoreUnavailable), (True, CommitUnknown)):
        end(url, connections.lend(backend))
        with pytest.raises(expected):
            connections.lend(one, commits=commits)
        assert connections.lend(one, commits=commits) == (1,)
