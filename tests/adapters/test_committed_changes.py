"""A store that tells of changes: of those that were committed, once, and of no others."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

from kgl_adapters.clock_and_ids import random
from kgl_core import AlreadyExists, Change, ChangeAction, InvalidInput, KnowledgeGraph
from kgl_core.access.passwords import Passwords
from kgl_core.graph.journal.changes import Observer
from kgl_core.kernel.permissions import SYSTEM
from kgl_core.kernel.units_of_work import Context, Store
from tests.contract.fakes import CheapHasher
from tests.contract.samples import Clock, Ids


class Told:
    """What an observer was told, call by call."""

    def __init__(self) -> None:
        self.calls: list[Sequence[Change]] = []

    def __call__(self, changes: Sequence[Change]) -> None:
        self.calls.append(list(changes))

    def actions(self) -> list[ChangeAction]:
        return [change.action for changes in self.calls for change in changes]


@pytest.fixture
def told() -> Told:
    """An observer that was told nothing yet."""
    return Told()


def _observed_graph(store: Any, observer: Observer) -> KnowledgeGraph:
    store.observer = observer
    return KnowledgeGraph(Context(store, SYSTEM, Clock(), Ids()), Passwords(CheapHasher()), random)


@pytest.fixture
def graph(store: Store, told: Told) -> KnowledgeGraph:
    """A knowledge graph whose store is observed."""
    return _observed_graph(store, told)


def test_the_observer_is_told_of_every_change_that_a_call_commits(graph: KnowledgeGraph, told: Told) -> None:
    """A deletion that takes a relationship along is told with both, as the log has them."""
    ada = graph.entities.create(type="person", name="Ada")
    notes = graph.entities.create(type="document", name="Note G")
    graph.relationships.create(ada.id, "wrote", notes.id)
    graph.entities.delete(ada.id)
    graph.entities.restore(ada.id)
    created, deleted, restored = ChangeAction.CREATED, ChangeAction.DELETED, ChangeAction.RESTORED
    assert told.actions() == [created, created, created, deleted, deleted, restored, restored]
    logged = graph.changes(limit=200).items
    assert [change.record for changes in told.calls for change in changes] == [change.record for change in logged]


def test_the_observer_is_told_after_the_commit(store: Store) -> None:
    """Whoever looks when told finds the change in the store."""
    seen: list[int] = []

    def look(changes: Sequence[Change]) -> None:
        with store.read() as uow:
            seen.append(uow.changes.count())

    graph = _observed_graph(store, look)
    with graph.transaction() as tx:
        tx.entities.create(type="person", name="Ada")
        tx.entities.create(type="person", name="Bob")
        assert seen == []
    assert seen == [2]


def test_the_observer_is_told_nothing_of_what_is_undone(graph: KnowledgeGraph, told: Told) -> None:
    """Neither a transaction that raises, nor a call that is refused, nor a dry run reaches the observer."""
    with suppress(RuntimeError), graph.transaction() as tx:
        tx.entities.create(type="person", name="Ada")
        raise RuntimeError
    with pytest.raises(InvalidInput):
        graph.entities.create(type="person", name="")
    graph.load([{"kind": "entity", "key": "Q1", "type": "person", "name": "Ada"}], dry_run=True)
    assert told.actions() == []


def test_a_call_that_fails_within_a_transaction_is_left_out(graph: KnowledgeGraph, told: Told) -> None:
    """The transaction's other calls are told together when it commits, and only then."""
    with graph.transaction() as tx:
        tx.entities.create(type="person", name="Ada", key="Q1")
        with pytest.raises(AlreadyExists):
            tx.entities.create(type="person", name="Bob", key="Q1")
        tx.entities.create(type="person", name="Eve")
        assert told.actions() == []
    assert [change.record.name for changes in told.calls for change in changes] == ["Ada", "Eve"]  # type: ignore[union-attr]


def test_a_load_is_told_batch_by_batch(graph: KnowledgeGraph, told: Told) -> None:
    """What a load changed is told, what it left as it was is not, atomic or not."""
    lines = [{"kind": "entity", "key": key, "type": "person", "name": key} for key in ("Q1", "Q2")]
    graph.load(lines)
    graph.load([*lines, {"kind": "entity", "key": "Q3", "type": "person", "name": "Eve"}], atomic=True)
    assert told.actions() == [ChangeAction.CREATED] * 3


def test_an_account_is_no_change_of_the_graph(graph: KnowledgeGraph, told: Told) -> None:
    """A commit without changes tells nothing."""
    graph.users.create(email="ada@example.org", password="correct horse battery")
    assert told.actions() == []
