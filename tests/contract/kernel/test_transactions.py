"""Several calls as one: kept together, or not at all."""

import pytest

from kgl_core import AlreadyExists, EndsDeleted, InvalidInput, KglError, KnowledgeGraph, NotFound, StaleVersion
from tests.contract.samples import ids_of


class Stop(Exception):
    """Thrown by tests to leave a block."""


def test_all_calls_are_kept_when_the_block_ends(kg: KnowledgeGraph) -> None:
    """Each sees those before it, of every noun; the log holds their changes in their order."""
    with kg.transaction() as tx:
        a = tx.entities.create(type="t", name="a", key="a")
        b = tx.entities.create(type="t", name="b")
        ab = tx.relationships.create(a.id, "r", b.id)
        a2 = tx.entities.update(a.id, name="A", expected_version=1)
        assert tx.entities.get(a.id) == tx.entities.get_by_key("a") == a2
        assert ids_of(tx.entities.list().items) == [a.id, b.id]
        assert tx.entities.get_many(ids=[b.id], keys=["a"]) == [a2, b]
        tx.entities.delete(b.id)
        assert tx.relationships.count() == 0
        assert tx.entities.restore(b.id).relationships == (ab.id,)
        tx.relationships.update(ab.id, source="s")
        user = tx.users.create(email="ada@example.org", password="a few unrelated words")
        tx.users.set_role(user.id, "admin")
    assert kg.entities.get(a.id) == a2
    assert kg.relationships.get(ab.id).version == 4
    assert kg.users.get(user.id).role == "admin"
    done = [(str(change.action), change.record.id) for change in kg.changes().items]
    assert done == [
        ("created", a.id),
        ("created", b.id),
        ("created", ab.id),
        ("updated", a.id),
        ("deleted", ab.id),
        ("deleted", b.id),
        ("restored", b.id),
        ("restored", ab.id),
        ("updated", ab.id),
    ]


def test_no_call_is_kept_when_the_block_raises(kg: KnowledgeGraph) -> None:
    """Records, changes and accounts alike; the error is the one that was raised."""
    a = kg.entities.create(type="t", name="a")

    def fail() -> None:
        with kg.transaction() as tx:
            tx.entities.update(a.id, name="A")
            b = tx.entities.create(type="t", name="b")
            tx.relationships.create(a.id, "r", b.id)
            tx.users.create(email="ada@example.org", password="a few unrelated words")
            raise Stop

    with pytest.raises(Stop):
        fail()
    assert list(kg.entities.list().items) == [a]
    stats = kg.stats()
    assert (stats.relationships.active, stats.users, stats.changes) == (0, 0, 1)


def test_a_failing_call_takes_back_only_itself(kg: KnowledgeGraph) -> None:
    """Whatever the failure, the calls before and after it are kept."""
    a = kg.entities.create(type="t", name="a", key="a")
    gone = kg.entities.create(type="t", name="gone")
    kg.entities.delete(gone.id)
    kg.users.create(email="ada@example.org", password="a few unrelated words")
    with kg.transaction() as tx:
        b = tx.entities.create(type="t", name="b")
        with pytest.raises(AlreadyExists):
            tx.entities.create(type="t", name="x", key="a")
        with pytest.raises(AlreadyExists):
            tx.entities.update(b.id, key="a")
        with pytest.raises(InvalidInput):
            tx.entities.create(type="t", name="")
        with pytest.raises(StaleVersion):
            tx.entities.delete(b.id, expected_version=2)
        with pytest.raises(EndsDeleted):
            tx.relationships.create(b.id, "r", gone.id)
        r = tx.relationships.create(a.id, "r", b.id)
        with pytest.raises(AlreadyExists):
            tx.relationships.create(a.id, "r", b.id)
        with pytest.raises(AlreadyExists):
            tx.users.create(email="ADA@example.org", password="a few unrelated words")
        with pytest.raises(NotFound):
            tx.relationships.delete(a.id)
        c = tx.entities.create(type="t", name="c")
    assert ids_of(kg.entities.list().items) == [a.id, b.id, c.id]
    done = [(str(change.action), change.record.id) for change in kg.changes().items]
    assert done[3:] == [("created", b.id), ("created", r.id), ("created", c.id)]


def test_others_do_not_see_an_open_transaction(kg: KnowledgeGraph) -> None:
    """What is not committed is seen through ``tx`` alone."""
    with kg.transaction() as tx:
        a = tx.entities.create(type="t", name="a")
        assert kg.entities.count() == 0
        assert kg.changes().items == ()
        with pytest.raises(NotFound):
            kg.entities.get(a.id)
    assert kg.entities.get(a.id) == a


def test_a_transaction_acts_as_its_graph_does(kg: KnowledgeGraph) -> None:
    """Calls in a transaction are made by the actor that opened it."""
    user = kg.users.create(email="ada@example.org", password="a few unrelated words")
    with kg.acting_as(user).transaction() as tx:
        made = tx.entities.create(type="t", name="a")
        with pytest.raises(KglError):
            tx.users.list()
    assert kg.entities.get(made.id).created_by == user.actor


def test_transactions_follow_each_other(kg: KnowledgeGraph) -> None:
    """One that was undone leaves nothing behind for the next, such as locks or keys."""
    for turn in range(3):
        try:
            with kg.transaction() as tx:
                made = tx.entities.create(type="t", name=f"{turn}", key="k")
                if turn < 2:
                    raise Stop
        except Stop:
            pass
    assert kg.entities.get_by_key("k") == made
    with kg.transaction():
        pass
    assert kg.stats().changes == 1


def test_a_transaction_beside_others_sees_their_commits(kg: KnowledgeGraph) -> None:
    """A transaction that has not written yet can build on what was committed after it was opened."""
    a = kg.entities.create(type="t", name="a")
    with kg.transaction() as tx:
        assert tx.entities.get(a.id) == a
    kg.entities.update(a.id, name="A")
    with kg.transaction() as tx:
        tx.entities.update(a.id, name="B", expected_version=2)
    assert kg.entities.get(a.id).version == 3


def test_an_older_transaction_builds_on_a_younger_one(concurrent_kg: KnowledgeGraph) -> None:
    """What was committed meanwhile is what it changes, and the log tells both in their order."""
    kg = concurrent_kg
    a = kg.entities.create(type="t", name="a")
    with kg.transaction() as tx:
        tx.entities.create(type="t", name="older")
        kg.entities.update(a.id, name="younger")
        tx.entities.update(a.id, name="older")
    assert [change.record.version for change in kg.changes().items if change.record.id == a.id] == [1, 2, 3]
