"""How long walks and patterns may take: what takes longer is an error, and no part of an answer."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from kgl_adapters import connect
from kgl_adapters.memory.exploration import patterns as memory_patterns
from kgl_adapters.memory.store import MemoryStore
from kgl_adapters.sql.engine import sessions
from kgl_adapters.sql.engine.engines import Pool, make_engine, parse_url
from kgl_adapters.sql.units_of_work import SqlStore
from kgl_core import StatementTimeout
from kgl_core.kernel.units_of_work import Store
from tests.contract.exploration.drawing import Drawn

CHAIN: dict[str, Any] = {
    "nodes": {name: {} for name in "abcd"},
    "relationships": {one + other: {"source": one, "target": other} for one, other in ("ab", "bc", "cd")},
    "order": [{"variable": "d", "metadata": "n"}],
    "limit": 1,
}


@pytest.fixture
def drawn(store_url: str) -> Iterator[Drawn]:
    """Everybody knows everybody, in a store whose statements may take an hour."""
    store: Store = MemoryStore()
    if store_url != "memory://":
        store = SqlStore(make_engine(parse_url(store_url), Pool(statement_timeout_s=3600)))
    drawn = Drawn(store)
    drawn.draw(", ".join(f"{one}-{other}" for one in "ABCDEFGHIJ" for other in "ABCDEFGHIJ"))
    yield drawn
    store.close()


@pytest.fixture
def hours(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the clock shows when it is looked at; the last of it for ever."""
    shown = [0.0]
    monkeypatch.setattr(sessions, "monotonic", lambda: 3600 * (shown.pop(0) if len(shown) > 1 else shown[0]))
    return shown


def test_all_statements_of_a_walk_have_one_limit(drawn: Drawn, store_url: str, hours: list[float]) -> None:
    """However short each is. The next walk has its own."""
    if store_url == "memory://":
        return
    for walk in (drawn.around, lambda name: drawn.paths(name, "J")):
        hours[:] = [0, 0, 2]
        with pytest.raises(StatementTimeout, match="ask for less"):
            walk("A")
        assert walk("A")


def test_a_limit_ends_with_the_search(drawn: Drawn, hours: list[float]) -> None:
    """In a transaction, too, whose other calls may come hours later."""
    with drawn.kg.transaction() as tx:
        oaks = [tx.entities.create(type="tree", name="Oak") for _ in range(2)]
        assert len(tx.search("oak").items) == 2
        hours[:] = [2]
        assert len(tx.search("oak").items) == 2
        assert tx.entities.get(oaks[0].id) == oaks[0]


def test_who_connects_sets_the_limit(store_url: str, hours: list[float]) -> None:
    """In seconds; without it, there is none."""
    if store_url == "memory://":
        return
    with connect(store_url, statement_timeout=3600) as limited, connect(store_url) as free:
        ada = free.entities.create(type="person", name="Ada")
        hours[:] = [0, 2]
        with pytest.raises(StatementTimeout, match="ask for less"):
            limited.graph.neighborhood(ada.id)
        hours[:] = [0, 2]
        assert [each.entity for each in free.graph.neighborhood(ada.id).entities] == [ada]


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_limit_must_be_above_nothing(timeout: float) -> None:
    """PostgreSQL would take 0 for any time."""
    with pytest.raises(ValueError, match="above 0"):
        connect("memory://", statement_timeout=timeout)


def test_a_pattern_that_fits_too_often(
    drawn: Drawn, store_url: str, hours: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is given up in the middle of its statement, or in memory when it has looked at too much."""
    limit = memory_patterns.LOOKED_AT_MAX
    monkeypatch.setattr(memory_patterns, "LOOKED_AT_MAX", 5_000)
    hours[:] = [0, 0, 2]
    if store_url.startswith("postgres"):  # which ends its statements by itself
        hours[:] = [0, 2]
    with pytest.raises(StatementTimeout, match="ask for less") as caught:
        drawn.kg.graph.match(CHAIN)
    assert isinstance(caught.value.__cause__, sqlite3.Error) == store_url.startswith("sqlite")
    monkeypatch.setattr(memory_patterns, "LOOKED_AT_MAX", limit)
    assert len(drawn.kg.graph.match(CHAIN).rows) == 1
    assert len(drawn.kg.entities.list(limit=200).items) == 10
