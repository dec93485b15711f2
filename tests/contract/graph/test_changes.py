"""What every `ChangeLog` promises, above all: that no reader ever misses a change."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from kgl_core import SYSTEM, Actor, ActorKind, Change, ChangeAction, InvalidCursor
from kgl_core.kernel.units_of_work import Store
from tests.contract.samples import NOON, SECOND, changed, created, deleted, entity, keep, relationship


def append(store: Store, *changes: Change) -> None:
    """Keep changes alone, in one unit of work."""
    with store.begin() as uow:
        uow.changes.append(changes)
        uow.commit()


def read(store: Store, after: str | None = None, limit: int = 200) -> tuple[list[Change], str | None]:
    """The changes past a cursor, without theirs, and the last one's cursor or else the same."""
    with store.read() as uow:
        found = list(uow.changes.read(after, limit))
    for change in found:
        assert type(change.cursor) is str
    return [Change(each.at, each.actor, each.action, each.record) for each in found], found[
        -1
    ].cursor if found else after


def test_changes_come_back_as_they_were_appended(store: Store) -> None:
    """Actor, action and the whole record after it, of every kind, one by one as several at once."""
    a, b = entity("a", aliases=("x",), key="k", confidence=0.5, metadata={"deep": [{"n": 1.0}]}), entity("b")
    r = relationship(a, b, source="s", metadata={"m": 1})
    actor = Actor(ActorKind.USER, "ada")
    changes = [
        created(a),
        created(b),
        created(r),
        Change(NOON + SECOND, actor, ChangeAction.UPDATED, changed(a, name="A", created_by=actor)),
        Change(NOON, SYSTEM, ChangeAction.DELETED, deleted(r, deleted_with=a.id)),
        Change(NOON, Actor(ActorKind.SERVICE, "ai:1"), ChangeAction.RESTORED, changed(r)),
    ]
    append(store, *changes)
    for change in changes:
        append(store, change)
    found, _ = read(store)
    assert found == changes * 2
    with store.read() as uow:
        assert uow.changes.count() == 12


def test_an_empty_log_has_no_changes(store: Store) -> None:
    """Nothing is read, nothing counted, and appending nothing is nothing."""
    append(store)
    assert read(store) == ([], None)
    with store.read() as uow:
        assert uow.changes.count() == 0


def test_cursors_lead_through_the_log(store: Store) -> None:
    """Any page size gives the same changes, and the last cursor waits for what comes next."""
    changes = [created(entity(str(number))) for number in range(11)]
    append(store, *changes[:4])
    for change in changes[4:]:
        append(store, change)
    for limit in (1, 3, 11, 100):
        found: list[Change] = []
        page, cursor = read(store, None, limit)
        while page:
            assert len(page) <= limit
            found += page
            page, cursor = read(store, cursor, limit)
        assert found == changes
    append(store, created(entity("next")))
    assert [change.record.name for change in read(store, cursor)[0]] == ["next"]  # type: ignore[union-attr]


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "W10", "🜨", "=", "WyJjaGFuZ2VzIiwxLDFd"])
def test_a_foreign_cursor_is_refused(store: Store, cursor: str) -> None:
    """A cursor that the log did not hand out is an error, never a silent start from the beginning."""
    with store.read() as uow, pytest.raises(InvalidCursor):
        uow.changes.read(cursor, 10)


def test_changes_live_and_die_with_their_unit_of_work(store: Store) -> None:
    """What is not committed is never read, from inside as from outside."""
    kept, lost = created(entity("kept")), created(entity("lost"))
    append(store, kept)
    with store.begin() as uow:
        uow.changes.append([lost])
        assert read(store)[0] == [kept]
    with store.begin() as uow:
        with uow.begin() as inner:
            inner.changes.append([lost])
        uow.commit()
    assert read(store)[0] == [kept]


def test_a_change_that_commits_late_is_not_missed(concurrent_store: Store) -> None:
    """A reader who follows the log sees each change once, though an older writer commits after a younger one."""
    early, late = created(entity("early")), created(entity("late"))
    seen, cursor = read(concurrent_store)
    with concurrent_store.begin() as old:
        old.changes.append([late])
        append(concurrent_store, early)
        page, cursor = read(concurrent_store, cursor)
        seen += page
        old.commit()
    while True:
        page, cursor = read(concurrent_store, cursor)
        if not page:
            break
        seen += page
    assert sorted(change.record.name for change in seen) == ["early", "late"]  # type: ignore[union-attr]


def test_many_writers_and_a_reader_lose_no_change(store: Store) -> None:
    """A reader who follows the log beside eight writers reads what the log holds in the end, in its order."""
    writers, each = 8, 6

    def write(writer: int) -> None:
        for number in range(each):
            append(store, created(entity(f"{writer}/{number}")), created(entity(f"{writer}/{number}+")))

    seen: list[Change] = []
    cursor: str | None = None
    with ThreadPoolExecutor(writers) as pool:
        work = [pool.submit(write, writer) for writer in range(writers)]
        is_over = False
        while not is_over:
            is_over = all(done.done() for done in work)
            page, cursor = read(store, cursor, 7)
            seen += page
            is_over = is_over and not page
        for done in work:
            done.result()
    names = [change.record.name for change in seen]  # type: ignore[union-attr]
    assert len(names) == len(set(names)) == writers * each * 2
    assert seen == read(store)[0]


def test_versions_stand_in_the_order_they_were_made(concurrent_store: Store) -> None:
    """Also where a unit of work that began to write earlier builds on what a later one has committed meanwhile."""
    one = entity("one")
    keep(concurrent_store, one)
    with concurrent_store.begin() as old:
        old.changes.append([created(entity("old"))])
        with concurrent_store.begin() as young:
            second = changed(one)
            young.entities.replace([second])
            young.changes.append([created(second)])
            young.commit()
        assert read(concurrent_store)[0] == []
        assert list(old.entities.find([one.id], lock="update")) == [second]
        third = changed(second)
        old.entities.replace([third])
        old.changes.append([created(third)])
        old.commit()
    assert [change.record.version for change in read(concurrent_store)[0]] == [1, 2, 3]


@pytest.mark.parametrize("by", ["id", "key"])
def test_a_relationship_stands_after_its_ends(concurrent_store: Store, by: str) -> None:
    """Also where a unit of work that began to write earlier joins what a later one has made."""
    old_end, young_end = entity("old"), entity("young", key="k")
    with concurrent_store.begin() as old:
        old.entities.add([old_end])
        old.changes.append([created(old_end)])
        with concurrent_store.begin() as young:
            young.entities.add([young_end])
            young.changes.append([created(young_end)])
            young.commit()
        [end] = old.entities.ends([young_end.id]) if by == "id" else old.entities.ends([], ["k"])
        joined = relationship(old_end, young_end)
        assert end.id == young_end.id
        old.relationships.add([joined])
        old.changes.append([created(joined)])
        old.commit()
    assert [change.record for change in read(concurrent_store)[0]] == [old_end, young_end, joined]


def test_an_abandoned_number_holds_nobody_up(concurrent_store: Store) -> None:
    """Changes whose unit of work was undone leave a gap, and readers pass over it."""
    kept = created(entity("kept"))
    with concurrent_store.begin() as lost:
        lost.changes.append([created(entity("lost"))])
        append(concurrent_store, kept)
        assert read(concurrent_store)[0] == []
    assert read(concurrent_store)[0] == [kept]


def test_changes_of_an_undone_inner_unit_leave_no_gap_in_the_promise(concurrent_store: Store) -> None:
    """What an inner unit announced ends with it; what the outer one appends later is announced again."""
    early, late = created(entity("early")), created(entity("late"))
    with concurrent_store.begin() as uow:
        with uow.begin() as inner:
            inner.changes.append([created(entity("undone"))])
        uow.changes.append([late])
        append(concurrent_store, early)
        assert read(concurrent_store)[0] == []
        uow.commit()
    assert read(concurrent_store)[0] == [late, early]


def test_a_unit_of_work_may_build_on_its_own_writes(store: Store) -> None:
    """Also when a unit of work within it made them, and when units of work beside it wrote meanwhile."""
    one, two = entity("one"), entity("two")
    with store.begin() as uow:
        for record in (one, two):
            with uow.begin() as inner:
                inner.entities.add([record])
                inner.changes.append([created(record)])
                inner.commit()
        with uow.begin() as inner:
            assert list(inner.entities.find([one.id], lock="update")) == [one]
            inner.entities.replace([changed(one)])
            inner.commit()
        assert {end.id for end in uow.entities.ends([one.id, two.id])} == {one.id, two.id}
        uow.relationships.add([relationship(one, two)])
        assert len(uow.relationships.touching(one.id, 5)) == 1
        uow.commit()
