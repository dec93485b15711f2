"""The history has an identity: what was read of another history is found out, and never read on from."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from kgl_adapters import connect
from kgl_adapters.memory.store import MemoryStore
from kgl_adapters.sql.graph.changes import SqlChangeLog
from kgl_core import Change, HistoryLost, InvalidCursor, KnowledgeGraph
from kgl_core.kernel.units_of_work import Store
from tests.conftest import STORES, WITH_CONCURRENT_WRITERS
from tests.contract.following import Follower, changes_after, export_while_written
from tests.contract.restoring import Archive
from tests.contract.samples import NOON, SECOND, Clock, Ids, created, entity, graph_on

LATER = NOON + 100 * SECOND


def create(kg: KnowledgeGraph, *names: str) -> None:
    """New entities of these names."""
    for name in names:
        kg.entities.create(type="person", name=name)


def names_of(changes: Any) -> list[str]:
    """The names of the entities that changes are about."""
    return [change.record.name for change in changes]


def cursors(kg: KnowledgeGraph) -> list[str]:
    """The cursors of all changes."""
    return [change.cursor or "" for change in changes_after(kg, None)]


def cursor_of(*parts: Any) -> str:
    """A cursor that holds these parts."""
    return base64.urlsafe_b64encode(json.dumps(parts, separators=(",", ":")).encode()).decode().rstrip("=")


@pytest.mark.parametrize("written_since", [0, 1, 3, 9])
@pytest.mark.parametrize("step", [timedelta(0), SECOND], ids=["same moments", "other moments"])
def test_a_restored_store_knows_what_was_read_after_the_backup(
    archive: Archive, step: timedelta, written_since: int
) -> None:
    """Written to less, as far or further than before, or not at all: places up to the backup hold, later ones are lost.

    Also where ids, times and actors are the same again, and only names differ.
    """
    create(graph_on(archive.store, Clock(step=step)), "a", "b", "c")
    archive.back_up()
    kg = graph_on(archive.store, Clock(step=step), Ids(1))
    create(kg, *(f"lost {number}" for number in range(3)))
    before = cursors(kg)
    archive.restore()
    kg = graph_on(archive.store, Clock(step=step), Ids(1))
    new = [f"new {number}" for number in range(written_since)]
    create(kg, *new)
    everything = ["a", "b", "c", *new]
    for place, cursor in enumerate(before, 1):
        if place <= 3:
            assert names_of(changes_after(kg, cursor)) == everything[place:]
            continue
        with pytest.raises(HistoryLost, match="fresh export"):
            kg.changes(after=cursor)
    assert names_of(changes_after(kg, None)) == everything


def test_another_store_knows_what_is_not_its_own(store: Store) -> None:
    """Also where both were loaded from the same dump, at different moments."""
    original = graph_on(MemoryStore())
    create(original, "a", "b", "c")
    records = list(original.dump())
    kg, other = graph_on(store, Clock(LATER)), graph_on(MemoryStore(), Clock(LATER + timedelta(microseconds=1)))
    for each in (kg, other):
        each.load(records)
    assert len(cursors(other)) == len(cursors(kg)) == 3
    for cursor in (*cursors(original), *cursors(other)):
        with pytest.raises(HistoryLost):
            kg.changes(after=cursor)


@pytest.mark.parametrize(("first", "last"), [(1, 1), (1, 5), (4, 6), (5, 5), (5, 10), (10, 10), (1, 10)])
def test_a_log_that_lost_changes_knows_the_places_in_them(archive: Archive, first: int, last: int) -> None:
    """At its head, in its middle and at its end; where no number moves, all other places hold."""
    kg = graph_on(archive.store)
    create(kg, *map(str, range(10)))
    before = cursors(kg)
    archive.forget_changes(first, last)
    for place, cursor in enumerate(before, 1):
        if first <= place <= last:
            with pytest.raises(HistoryLost):
                kg.changes(after=cursor)
        elif archive.store.__class__ is not MemoryStore:
            kept = [str(number) for number in range(place, 10) if not first <= number + 1 <= last]
            assert names_of(changes_after(kg, cursor)) == kept
    create(kg, *(f"new {number}" for number in range(10)))
    for cursor in before[first - 1 : last]:
        with pytest.raises(HistoryLost):
            kg.changes(after=cursor)


def test_an_empty_history_is_the_beginning_of_every_history(kg: KnowledgeGraph) -> None:
    """What was read of nothing is read on from the first change, also in another store."""
    for graph in (kg, graph_on(MemoryStore())):
        empty = graph.dump().cursor
        assert kg.changes(after=empty).next_cursor == empty
    create(kg, "a", "b")
    assert names_of(changes_after(kg, empty)) == ["a", "b"]
    assert kg.changes(after=empty) == kg.changes()


def test_a_cursor_of_version_0_1_proves_nothing(kg: KnowledgeGraph) -> None:
    """It is refused with the same way out, as is a proof that is none; what is malformed is no cursor at all."""
    create(kg, "a", "b")
    for parts in (("changes", 1), ("changes", 0), ("changes", 9), ("changes", 1, "00"), ("changes", 1, "x")):
        with pytest.raises(HistoryLost):
            kg.changes(after=cursor_of(*parts))
    for parts in (
        ("changes",),
        ("changes", 1, 1),
        ("changes", -1, "a"),
        ("changes", 0, "a"),
        ("changes", 1, ""),
        ("x", 1),
    ):
        with pytest.raises(InvalidCursor) as refused:
            kg.changes(after=cursor_of(*parts))
        assert not isinstance(refused.value, HistoryLost)


def test_an_export_and_the_feed_join(kg: KnowledgeGraph) -> None:
    """Read on after an export's place, nothing is missing, and while nobody else writes, nothing is told twice."""
    a, b = (kg.entities.create(type="person", name=name) for name in "ab")
    one = kg.relationships.create(a.id, "knows", b.id)
    followers = [Follower.of(kg)]
    assert followers[0].catch_up(kg) == []
    expected: list[tuple[str, Any]] = []
    for action, change in (
        ("updated", lambda: kg.entities.update(a.id, name="A")),
        ("deleted", lambda: kg.relationships.delete(one.id)),
        ("restored", lambda: kg.relationships.restore(one.id)),
        ("created", lambda: kg.entities.create(type="person", name="c")),
        ("deleted", lambda: kg.entities.delete(b.id)),
    ):
        followers.append(Follower.of(kg))
        change()
        expected.append((action, None))
    for number, follower in enumerate(followers[1:]):
        told = [change.action for change in follower.catch_up(kg)]
        assert told[: len(expected) - number - 1] == [action for action, _ in expected[number:-1]]
        assert told[len(expected) - number - 1 :] == ["deleted", "deleted"]  # the relationship goes first
        assert follower.copy == {record["id"]: record for record in kg.dump()}


def test_a_dump_tells_its_place_before_and_after_its_records(kg: KnowledgeGraph) -> None:
    """It is the same, and the moment is that of the first question."""
    create(kg, "a", "b")
    dump = kg.dump()
    place = dump.cursor
    create(kg, "c")
    assert [record["name"] for record in dump] == ["a", "b"]
    assert dump.cursor == place
    assert names_of(changes_after(kg, place)) == ["c"]
    late = kg.dump()
    assert next(late)["name"] == "a"
    create(kg, "d")
    assert [record["name"] for record in late] == ["b", "c"]
    assert names_of(changes_after(kg, late.cursor)) == ["d"]


def test_exports_of_a_graph_that_is_written_all_the_while_join_the_feed(kg: KnowledgeGraph) -> None:
    """Each export, with the changes taken over that follow its place, is what the graph is in the end."""
    followers = export_while_written(kg, lambda made: made >= 12, writers=3)
    final = {record["id"]: record for record in kg.dump()}
    assert len(followers[-1].copy) > 0
    for follower in followers:
        follower.catch_up(kg)
        assert follower.copy == final
    assert len({follower.cursor for follower in followers}) == 1


@pytest.mark.parametrize("store_name", [name for name in STORES if name not in WITH_CONCURRENT_WRITERS])
def test_where_one_writes_at_a_time_nothing_is_told_twice(empty_url: Callable[[str], str], store_name: str) -> None:
    """An export and the feed after it never both have one change."""
    with connect(empty_url(store_name)) as kg:
        for follower in export_while_written(kg, lambda made: made >= 6, writers=2):
            exported = set(follower.copy)
            born = {str(change.record.id) for change in follower.catch_up(kg) if change.action == "created"}
            assert not exported & born


def test_an_export_beside_an_open_transaction_misses_nothing(concurrent_store: Store) -> None:
    """What commits late is read on after the place; what is told twice says the same, so that the copy is right."""
    kg = graph_on(concurrent_store)
    early, late = entity("early"), entity("late")

    def keep(uow: Any, record: Any) -> None:
        uow.entities.add([record])
        uow.changes.append([Change(record.created_at, record.created_by, created(record).action, record)])

    with concurrent_store.begin() as old:
        keep(old, late)
        with concurrent_store.begin() as young:
            keep(young, early)
            young.commit()
        follower = Follower.of(kg)
        old.commit()
    assert [record["name"] for record in follower.copy.values()] == ["early"]
    assert names_of(follower.catch_up(kg)) == ["late", "early"]
    assert follower.copy == {record["id"]: record for record in kg.dump()}


def test_the_place_of_an_export_is_older_than_its_snapshot(
    concurrent_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that commits while the place is asked for is in the export, or is read on; never in neither."""
    kg = graph_on(concurrent_store)
    asked = SqlChangeLog.complete_up_to
    early, late = entity("early"), entity("late")

    with concurrent_store.begin() as old:
        old.changes.append([created(late)])
        with concurrent_store.begin() as young:
            young.entities.add([early])
            young.changes.append([created(early)])
            young.commit()
        old.entities.add([late])

        def commit_and_ask(log: SqlChangeLog) -> int:
            log.count()  # a snapshot that is open already stands from here on
            old.commit()
            monkeypatch.undo()
            return asked(log)

        monkeypatch.setattr(SqlChangeLog, "complete_up_to", commit_and_ask)
        follower = Follower.of(kg)
    follower.catch_up(kg)
    assert sorted(record["name"] for record in follower.copy.values()) == ["early", "late"]


LISTINGS: dict[str, Callable[[KnowledgeGraph, str | None], Any]] = {
    **{
        f"entities by {sort}": lambda kg, cursor, sort=sort: kg.entities.list(sort=sort, limit=2, cursor=cursor)
        for sort in ("created_at", "-created_at", "updated_at", "-updated_at", "name", "-name")
    },
    **{
        f"relationships by {sort}": lambda kg, cursor, sort=sort: kg.relationships.list(
            sort=sort, limit=2, cursor=cursor
        )
        for sort in ("created_at", "-updated_at")
    },
    "users": lambda kg, cursor: kg.users.list(limit=2, cursor=cursor),
    "clients": lambda kg, cursor: kg.clients.list(limit=2, cursor=cursor),
}


def fill(kg: KnowledgeGraph, *names: str) -> None:
    """A record of each kind for each name."""
    for name in names:
        one, other = (kg.entities.create(type="person", name=f"{name} {end}") for end in "ab")
        kg.relationships.create(one.id, "knows", other.id)
        kg.users.create(email=f"{name}@example.org", password="correct horse battery")
        kg.clients.create(name=name, scopes=["graph:read"])


def test_a_page_of_another_history_is_not_read_on_from(archive: Archive) -> None:
    """The item that its cursor stands at is not there after a restore, or is another of the same id."""
    archive.back_up()
    before = graph_on(archive.store)
    fill(before, "ada", "bob", "cid")
    firsts = {name: list_(before, None).next_cursor for name, list_ in LISTINGS.items() if name != "clients"}
    for seed in (0, 1):  # the same ids, and others
        archive.restore()
        kg = graph_on(archive.store, Clock(LATER), Ids(seed))
        fill(kg, "ada", "bob", "cid")
        for name, cursor in firsts.items():
            with pytest.raises(HistoryLost, match="without a cursor"):
                LISTINGS[name](kg, cursor)
            again = LISTINGS[name](kg, None)
            assert LISTINGS[name](kg, again.next_cursor).items


def test_a_page_holds_over_a_restore_that_lost_nothing_of_it(archive: Archive) -> None:
    """Where the item that it stands at was there at the backup, a listing goes on."""
    fill(graph_on(archive.store), "ada", "bob", "cid")
    archive.back_up()
    kg = graph_on(archive.store)
    firsts = {name: list_(kg, None) for name, list_ in LISTINGS.items()}
    archive.restore()
    kg = graph_on(archive.store)
    for name, list_ in LISTINGS.items():
        assert list_(kg, firsts[name].next_cursor).items, name


def test_a_page_of_clients_holds_when_one_was_deleted(kg: KnowledgeGraph) -> None:
    """They are deleted for good, so that the absence of one proves nothing; another of its id does."""
    made = [kg.clients.create(name=str(number), scopes=["graph:read"]).client for number in range(4)]
    first = kg.clients.list(limit=2)
    kg.clients.delete(made[1].id)
    assert kg.clients.list(limit=2, cursor=first.next_cursor).items == tuple(made[2:])
    other, copy = graph_on(MemoryStore()), graph_on(MemoryStore(), Clock(LATER))
    for each in (other, copy):
        fill(each, "ada", "bob", "cid")
    with pytest.raises(HistoryLost):
        copy.clients.list(limit=2, cursor=other.clients.list(limit=2).next_cursor)


def test_one_filter_has_one_cursor_however_it_is_put(kg: KnowledgeGraph) -> None:
    """Values in any order, repeated, or spelled otherwise."""
    made = [kg.entities.create(type=f"t{number % 3}", name=str(number), confidence=0.5) for number in range(6)]
    first = kg.entities.list(limit=2, type=["t0", "t1", "t2"], min_confidence=0.5)
    for types in (["t2", "t1", "t0"], ["t0", "t0", "t1", "t2", "t1"], ("t1", "t0", "t2")):
        page = kg.entities.list(limit=9, cursor=first.next_cursor, type=types, min_confidence=0.50)
        assert page.items == tuple(made[2:])
    one = kg.entities.list(limit=1, type=["t0", "t0"])
    assert kg.entities.list(limit=1, cursor=one.next_cursor, type="t0").items == (made[3],)
    for left, right in zip(made[::2], made[1::2], strict=True):
        kg.relationships.create(left.id, left.type, right.id)
    page = kg.relationships.list(limit=1, relationship_type=["t0", "t1", "t2"])
    types = ["t2", "t0", "t1", "t0"]
    assert len(kg.relationships.list(cursor=page.next_cursor, relationship_type=types).items) == 2
