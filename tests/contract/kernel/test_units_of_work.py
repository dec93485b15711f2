"""What every `Store` and `UnitOfWork` promise: all or nothing, isolation, and no update lost."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import attrs
import pytest

from kgl_core import (
    AlreadyExists,
    EndsDeleted,
    EntityFilter,
    KglError,
    KnowledgeGraph,
    StaleVersion,
    StoreClosed,
    StoreError,
    TransactionConflict,
)
from kgl_core.access.users import UserFilter
from kgl_core.graph.entities import Entity
from kgl_core.kernel.units_of_work import Store
from tests.contract.samples import changed, create, created, entity, ids_of, keep, new_id, relationship, user


class Stop(Exception):
    """Thrown by tests to leave a block."""


def names(store: Store) -> list[str]:
    """The names of all entities that are committed."""
    with store.read() as uow:
        return [found.name for found in uow.entities.list(EntityFilter(is_active=None), "name", None, 100)]


def test_what_is_committed_stays(store: Store) -> None:
    """One commit keeps what all repositories took."""
    a, b, ada = entity("a"), entity("b"), user()
    ab = relationship(a, b)
    with store.begin() as uow:
        uow.entities.add([a, b])
        uow.relationships.add([ab])
        uow.users.add([ada])
        uow.changes.append([created(a), created(b), created(ab)])
        uow.commit()
    with store.snapshot() as uow:
        assert uow.entities.get(a.id) == a
        assert uow.relationships.get(ab.id) == ab
        assert uow.users.get(ada.id) == ada
        assert uow.changes.count() == 3


def test_a_new_entity_is_kept_with_its_change(store: Store) -> None:
    """In one call, which keeps both exactly, or where the key or the id is taken neither."""
    full = entity("full", key="k", aliases=("one", "two"), confidence=0.5, source="s", source_type="t",
                  metadata={"a": [1, None, "%s"]})  # fmt: skip
    create(store, full)
    for taken in (entity("same key", key="k"), attrs.evolve(entity("same id"), id=full.id)):
        with pytest.raises(AlreadyExists):
            create(store, taken)
    with store.read() as uow:
        assert uow.entities.list(EntityFilter(), "name", None, 5) == [full]
        [change] = uow.changes.read(None, 5)
    assert attrs.evolve(change, cursor=None) == created(full)


@pytest.mark.parametrize("leaves_by", ["end", "exception"])
def test_what_is_not_committed_leaves_no_trace(store: Store, leaves_by: str) -> None:
    """Leaving the block without a commit, silently or by an exception, takes back every kind of write."""
    a, b = entity("a", key="k"), entity("b")
    keep(store, a, b)

    def leave() -> None:
        with store.begin() as uow:
            c = entity("c")
            uow.entities.replace([changed(a, name="A", key="other")])
            uow.entities.add([c])
            uow.relationships.add([relationship(a, b), relationship(b, c)])
            uow.users.add([user()])
            uow.changes.append([created(c)])
            if leaves_by == "exception":
                raise Stop

    if leaves_by == "exception":
        with pytest.raises(Stop):
            leave()
    else:
        leave()
    with store.snapshot() as uow:
        assert uow.entities.get(a.id) == uow.entities.get_by("k") == a
        assert uow.entities.get_by("other") is None
        assert uow.entities.count(EntityFilter()) == 2
        assert list(uow.relationships.scan(None, 5)) == []
        assert (uow.users.count(UserFilter()), uow.changes.count()) == (0, 0)


def test_uncommitted_writes_are_seen_by_nobody_else(store: Store) -> None:
    """Readers beside a writer see what is committed, and do not wait for it."""
    a = entity("a")
    keep(store, a)
    with store.begin() as uow:
        uow.entities.replace([changed(a, name="A")])
        uow.entities.add([entity("b")])
        assert names(store) == ["a"]
        with store.snapshot() as other:
            assert other.entities.get(a.id) == a
        uow.commit()
    assert names(store) == ["A", "b"]


def test_a_reading_call_sees_what_is_committed_at_that_call(store: Store) -> None:
    """Two calls on one reading unit of work may see different states."""
    with store.read() as uow:
        assert uow.entities.count(EntityFilter()) == 0
    keep(store, entity())
    with store.read() as uow:
        assert uow.entities.count(EntityFilter()) == 1


def test_a_snapshot_stays_at_its_moment_and_holds_up_no_writer(store: Store) -> None:
    """All calls see what was committed at the first, though others commit meanwhile."""
    a = entity("a")
    keep(store, a)
    with store.snapshot() as uow:
        assert uow.entities.get(a.id) == a
        with store.begin() as writer:
            writer.entities.replace([changed(a, name="A", key="k")])
            writer.entities.add([entity("b")])
            writer.users.add([user()])
            writer.changes.append([created(a)])
            writer.commit()
        assert uow.entities.get(a.id) == a
        assert uow.entities.get_by("k") is None
        assert uow.entities.count(EntityFilter()) == 1
        assert (uow.users.count(UserFilter()), uow.changes.count(), list(uow.changes.read(None, 5))) == (0, 0, [])
    assert names(store) == ["A", "b"]


def test_an_inner_unit_of_work_takes_back_only_its_own(store: Store) -> None:
    """Left without a commit, or by an exception, what was done before and after it stays."""
    with store.begin() as uow:
        uow.entities.add([entity("before")])
        with uow.begin() as inner:
            inner.entities.add([entity("lost", key="k")])
        with suppress(Stop), uow.begin() as inner:
            inner.entities.add([entity("lost too", key="k")])
            raise Stop
        with uow.begin() as inner:
            inner.entities.add([entity("kept", key="k")])
            inner.commit()
        uow.entities.add([entity("zafter")])
        uow.commit()
    assert names(store) == ["before", "kept", "zafter"]


def test_an_inner_unit_of_work_recovers_from_a_refusal(store: Store) -> None:
    """What a store refuses inside leaves the outer unit of work fit for use."""
    a = entity("a", key="k")
    keep(store, a)
    refusals: list[Callable[..., None]] = [
        lambda uow: uow.entities.add([entity("x"), entity(key="k")]),
        lambda uow: uow.entities.add([entity(id=a.id)]),
        lambda uow: uow.entities.replace([entity(id=a.id, version=1)]),
        lambda uow: uow.relationships.add([relationship(a, entity("stranger"))]),
    ]
    with store.begin() as uow:
        uow.entities.add([entity("b")])
        for refuse in refusals:
            with pytest.raises(KglError, match=r"taken|version|there is no"), uow.begin() as inner:
                refuse(inner)
        uow.entities.add([entity("c")])
        uow.commit()
    assert names(store) == ["a", "b", "c"]


def test_an_inner_commit_is_undone_with_the_outer(store: Store) -> None:
    """Only the outermost commit keeps anything."""
    with store.begin() as uow:
        with uow.begin() as inner:
            inner.entities.add([entity("a")])
            with inner.begin() as innermost:
                innermost.entities.add([entity("b")])
                innermost.commit()
            inner.commit()
        assert uow.entities.count(EntityFilter()) == 2
    assert names(store) == []


def test_inner_units_of_work_nest(store: Store) -> None:
    """Taking back the middle one takes back what the innermost committed into it."""
    with store.begin() as uow:
        with uow.begin() as inner, inner.begin() as innermost:
            innermost.entities.add([entity("lost")])
            innermost.commit()
        uow.entities.add([entity("kept")])
        uow.commit()
    assert names(store) == ["kept"]


def test_a_closed_store_refuses_everything(store: Store) -> None:
    """Every way in raises StoreClosed; closing again is fine."""
    keep(store, entity())
    store.close()
    store.close()
    for enter in (store.begin, store.read, store.snapshot):
        with pytest.raises(StoreClosed), enter():
            pass


def test_a_closed_graph_refuses_everything(kg: KnowledgeGraph) -> None:
    """Every call on the library's face raises StoreClosed, also on behalf of others."""
    kg.entities.create(type="person", name="Ada")
    kg.close()
    kg.close()
    calls: list[Callable[[], object]] = [
        lambda: kg.entities.create(type="person", name="Ada"),
        lambda: kg.entities.list(),
        lambda: kg.entities.get_many(ids=[new_id()]),
        lambda: kg.relationships.count(),
        lambda: kg.users.list(),
        lambda: kg.changes(),
        lambda: kg.stats(),
        lambda: list(kg.dump()),
        lambda: kg.load([{"kind": "entity", "type": "person", "name": "Ada", "key": "ada"}]),
        lambda: kg.transaction().__enter__(),
    ]
    for call in calls:
        with pytest.raises(StoreClosed):
            call()


def test_a_dump_left_early_gives_its_connection_back(kg: KnowledgeGraph) -> None:
    """The teardown of every test finds connections that were not given back."""
    for number in range(3):
        kg.entities.create(type="person", name=str(number))
    records = kg.dump()
    next(records)
    records.close()


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Run ``work`` with the numbers below ``count``, all at once, and raise what any of them raised."""
    start = threading.Barrier(count, timeout=30)

    def run(number: int) -> None:
        start.wait()
        work(number)

    with ThreadPoolExecutor(count) as pool:
        for done in [pool.submit(run, number) for number in range(count)]:
            done.result()


def test_no_update_is_lost_where_versions_are_expected(kg: KnowledgeGraph) -> None:
    """Sixteen threads add to one list, each reading again when it is told that its version is stale."""
    one = kg.entities.create(type="counter", name="n", metadata={"seen": []})

    def add(number: int) -> None:
        while True:
            current = kg.entities.get(one.id)
            try:
                kg.entities.update(
                    one.id,
                    metadata={"seen": [*current.metadata["seen"], number]},
                    expected_version=current.version,
                )
            except StaleVersion:
                continue
            return

    in_threads(16, add)
    final = kg.entities.get(one.id)
    assert sorted(final.metadata["seen"]) == list(range(16))
    assert final.version == 17


def test_every_update_counts_where_no_version_is_expected(kg: KnowledgeGraph) -> None:
    """Eight threads change one entity at once: each waits for its turn, and the log has every version in order."""
    one = kg.entities.create(type="counter", name="n")

    def change(number: int) -> None:
        for turn in range(3):
            kg.entities.update(one.id, name=f"{number}/{turn}")

    in_threads(8, change)
    assert kg.entities.get(one.id).version == 25
    versions = [change.record.version for change in kg.changes(limit=200).items]
    assert versions == list(range(1, 26))


def test_relationships_are_made_once_by_many_at_once(kg: KnowledgeGraph) -> None:
    """Eight threads join the same two entities: one does it, the others are told that it was done."""
    a, b = (kg.entities.create(type="person", name=name) for name in "ab")
    made: list[object] = []
    refused: list[str] = []

    def join(_: int) -> None:
        try:
            made.append(kg.relationships.create(a.id, "knows", b.id))
        except AlreadyExists as error:
            refused.append(error.field)

    in_threads(8, join)
    assert len(made) == 1
    assert refused == ["triple"] * 7
    assert kg.relationships.count() == 1


def test_no_relationship_survives_the_deletion_of_its_end(kg: KnowledgeGraph) -> None:
    """Whatever comes first, joining or deleting: afterwards no active relationship has a deleted end."""
    for _ in range(5):
        hub = kg.entities.create(type="person", name="hub")
        others = [kg.entities.create(type="person", name="other") for _ in range(4)]

        def work(number: int, hub: Entity = hub, others: list[Entity] = others) -> None:
            if number == 0:
                kg.entities.delete(hub.id)
                return
            with suppress(EndsDeleted):
                kg.relationships.create(hub.id, "knows", others[number - 1].id)

        in_threads(5, work)
        assert kg.relationships.count(entity_id=hub.id) == 0


def test_a_lock_makes_others_wait(store: Store) -> None:
    """Two units of work read, then write, the same entity: the second to lock it sees what the first has written."""
    one = entity("one", metadata={"n": 0})
    keep(store, one)

    def count(_: int) -> None:
        with store.begin() as uow:
            (found,) = uow.entities.find([one.id], lock="update")
            uow.entities.replace([changed(found, metadata={"n": found.metadata["n"] + 1})])
            uow.commit()

    in_threads(2, count)
    with store.read() as uow:
        final = uow.entities.get(one.id)
    assert final is not None
    assert (final.metadata, final.version) == ({"n": 2}, 3)


def test_a_shared_lock_is_shared(concurrent_store: Store) -> None:
    """Two units of work can both join the same entity."""
    one = entity()
    keep(concurrent_store, one)
    with concurrent_store.begin() as first, concurrent_store.begin() as second:
        assert list(first.entities.find([one.id], lock="share")) == [one]
        assert list(second.entities.find([one.id], lock="share")) == [one]


def test_a_deadlock_ends_as_a_conflict(concurrent_store: Store) -> None:
    """Two units of work that lock two entities in opposite order: one is told to run again, the other goes on."""
    one, two = entity(), entity()
    keep(concurrent_store, one, two)
    both_hold_one = threading.Barrier(2, timeout=30)
    conflicts: list[int] = []

    def lock(number: int) -> None:
        first, second = (one, two) if number == 0 else (two, one)
        try:
            with concurrent_store.begin() as uow:
                uow.entities.find([first.id], lock="update")
                both_hold_one.wait()
                uow.entities.find([second.id], lock="update")
                uow.commit()
        except TransactionConflict:
            conflicts.append(number)

    in_threads(2, lock)
    assert len(conflicts) == 1
    with concurrent_store.begin() as uow:
        assert len(ids_of(uow.entities.find([one.id, two.id], lock="update"))) == 2


def test_a_commit_after_a_refused_write_keeps_all_or_says_that_it_does_not(store: Store) -> None:
    """Whoever goes on after an error outside an inner unit of work must not believe that it was kept."""
    one = entity("one", key="k")
    keep(store, one)
    with store.begin() as uow:
        uow.entities.add([entity("two")])
        with pytest.raises(AlreadyExists):
            uow.entities.add([entity("three", key="k")])
        kept = 2
        try:
            uow.commit()
        except StoreError:
            kept = 1
    with store.read() as uow:
        assert uow.entities.count(EntityFilter()) == kept
