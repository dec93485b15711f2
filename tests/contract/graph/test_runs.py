"""Runs: which changes are part of one, when it ends and who may end it, alike in every store."""

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import pytest

from kgl_adapters import connect
from kgl_adapters.sql.engine import engines
from kgl_core import (
    Actor,
    ActorKind,
    Change,
    HistoryLost,
    InvalidCursor,
    InvalidInput,
    KnowledgeGraph,
    NotFound,
    PermissionDenied,
    Role,
    Run,
    RunEnded,
    RunKind,
    RunState,
    Scope,
    StoreBusy,
    StoreUnavailable,
)
from kgl_core.kernel.units_of_work import Store
from tests.contract.damage import raw
from tests.contract.restoring import Archive
from tests.contract.samples import SECOND, Clock, graph_on, new_id

PEOPLE: list[Mapping[str, Any]] = [
    {"kind": "entity", "key": key, "type": "person", "name": key} for key in ("ada", "bob", "cid")
]
ANN, BEN = (Actor(ActorKind.USER, str(new_id()), Role.USER) for _ in range(2))


class Broken(Exception):
    """What goes wrong in a block."""


def changes_of(kg: KnowledgeGraph, run: UUID | None, limit: int = 200) -> list[Change]:
    """All changes of a run, read page by page."""
    assert run is not None
    found: list[Change] = []
    cursor = None
    while (page := kg.runs.changes(run, after=cursor, limit=limit)).items:
        found += page.items
        cursor = page.next_cursor
    assert page.next_cursor == cursor
    return found


def actions(changes: list[Change]) -> list[str]:
    """What was done to records of what name or type."""
    return [f"{each.action} {getattr(each.record, 'name', 'relationship')}" for each in changes]


def test_what_a_block_does_is_part_of_its_run(kg: KnowledgeGraph) -> None:
    """A run is open while its block lasts, and completed afterwards, with the number of its changes of each action."""
    before = kg.entities.create(type="person", name="before")
    with kg.run("nightly import") as night:
        assert night.run_id is not None
        open_one = kg.runs.get(night.run_id)
        assert (open_one.title, open_one.kind, open_one.state) == ("nightly import", RunKind.OPENED, RunState.OPEN)
        assert (open_one.ended_at, open_one.counts) == (None, {})
        ada = night.entities.create(type="person", name="ada")
        bob = night.entities.create(type="person", name="bob")
        night.entities.update(ada.id, name="Ada")
        night.relationships.create(ada.id, "knows", bob.id)
        kg.entities.create(type="person", name="meanwhile")
        night.entities.delete(ada.id)
        night.entities.restore(ada.id)
        night.entities.update(before.id, name="after")
    run = kg.runs.get(str(night.run_id))
    assert (run.state, run.created_by, run.kind) == (RunState.COMPLETED, Actor(ActorKind.SYSTEM), RunKind.OPENED)
    assert run.ended_at is not None
    assert run.created_at < run.ended_at
    assert dict(run.counts) == {"created": 3, "deleted": 2, "restored": 2, "updated": 2}
    found = changes_of(kg, run.id)
    assert actions(found) == [
        "created ada",
        "created bob",
        "updated Ada",
        "created relationship",
        "deleted relationship",
        "deleted Ada",
        "restored Ada",
        "restored relationship",
        "updated after",
    ] or actions(found)[4:6] == ["deleted Ada", "deleted relationship"]
    everything = kg.changes().items
    assert [each for each in everything if each.run == run.id] == found
    assert [actions([each])[0] for each in everything if each.run is None] == ["created before", "created meanwhile"]
    assert kg.run_id is None


def test_a_block_that_raises_ends_its_run_as_failed(kg: KnowledgeGraph) -> None:
    """What it had done stays, and is counted."""

    def fail() -> None:
        with kg.run() as failing:
            failing.entities.create(type="person", name="ada")
            raise Broken

    with pytest.raises(Broken):
        fail()
    [run] = kg.runs.list().items
    assert (run.title, run.state, dict(run.counts)) == (None, RunState.FAILED, {"created": 1})


def test_a_run_without_changes_has_no_counts(kg: KnowledgeGraph) -> None:
    """And no page of changes leads anywhere."""
    with kg.run("idle") as idle:
        pass
    assert idle.run_id is not None
    run = kg.runs.get(idle.run_id)
    assert (run.title, dict(run.counts)) == ("idle", {})
    assert kg.runs.changes(run.id).items == ()
    assert kg.runs.changes(run.id).next_cursor is None


def test_a_transaction_within_a_run_is_part_of_it_or_leaves_nothing(kg: KnowledgeGraph) -> None:
    """Undone, it is not counted."""

    def undo(graph: KnowledgeGraph) -> None:
        with graph.transaction() as tx:
            tx.entities.create(type="person", name="nobody")
            raise Broken

    with kg.run() as run:
        with run.transaction() as tx:
            ada = tx.entities.create(type="person", name="ada")
            tx.entities.update(ada.id, name="Ada")
        with pytest.raises(Broken):
            undo(run)
    assert actions(changes_of(kg, run.run_id)) == ["created ada", "updated Ada"]


def test_runs_that_interleave_keep_their_changes_apart(kg: KnowledgeGraph) -> None:
    """In pages of any size, each in the order of the feed."""
    first, second = kg.runs.open("first"), kg.runs.open("second")
    one, two = kg.in_run(first.id), kg.in_run(str(second.id))
    for number in range(5):
        one.entities.create(type="person", name=f"1.{number}")
        kg.entities.create(type="person", name=f"0.{number}")
        two.entities.create(type="person", name=f"2.{number}")
    for limit in (1, 2, 5, 200):
        assert actions(changes_of(kg, first.id, limit)) == [f"created 1.{number}" for number in range(5)]
        assert actions(changes_of(kg, second.id, limit)) == [f"created 2.{number}" for number in range(5)]
    for_both = [each for run in (first, second) for each in changes_of(kg, run.id)]
    feed = [each for each in kg.changes().items if each.run is not None]
    assert sorted(for_both, key=feed.index) == feed


def test_a_cursor_of_the_feed_leads_through_a_run_too(kg: KnowledgeGraph) -> None:
    """The places are the same: reading a run goes on after any change, of whatever run."""
    with kg.run() as run:
        run.entities.create(type="person", name="a")
        outside = kg.entities.create(type="person", name="outside")
        run.entities.create(type="person", name="b")
    assert run.run_id is not None
    [at] = [each.cursor for each in kg.changes().items if each.record.id == outside.id]
    assert actions(list(kg.runs.changes(run.run_id, after=at).items)) == ["created b"]
    with pytest.raises(InvalidCursor):
        kg.runs.changes(run.run_id, after="no cursor")
    with pytest.raises(InvalidInput):
        kg.runs.changes(run.run_id, limit=0)


def test_the_other_way_around_nested_runs_are_runs_of_their_own(kg: KnowledgeGraph) -> None:
    """A change is part of one run at most: the inner one."""
    with kg.run("outer") as outer, outer.run("inner") as inner:
        inner.entities.create(type="person", name="in")
        outer.entities.create(type="person", name="out")
    assert actions(changes_of(kg, outer.run_id)) == ["created out"]
    assert actions(changes_of(kg, inner.run_id)) == ["created in"]


def test_another_actor_goes_on_in_the_run(kg: KnowledgeGraph) -> None:
    """`acting_as` changes who acts, not what it is part of."""
    with kg.run() as run:
        run.acting_as(ANN).entities.create(type="person", name="ada")
    [change] = changes_of(kg, run.run_id)
    assert change.actor == ANN


def test_nothing_becomes_part_of_a_run_that_has_ended(kg: KnowledgeGraph) -> None:
    """Neither by a graph that was in it before, nor by a new one; its counts stay right."""
    run = kg.runs.open()
    within = kg.in_run(run.id)
    ada = within.entities.create(type="person", name="ada")
    ended = within.runs.end(run.id, "failed")
    assert (ended.state, dict(ended.counts)) == (RunState.FAILED, {"created": 1})
    writes = [
        lambda: kg.in_run(run.id),
        lambda: within.entities.create(type="person", name="bob"),
        lambda: within.entities.update(ada.id, name="x"),
        lambda: within.entities.delete(ada.id),
        lambda: within.relationships.create(ada.id, "knows", ada.id),
        lambda: within.load(PEOPLE),
        lambda: within.load(PEOPLE, atomic=True),
        lambda: within.transaction().__enter__(),
    ]
    for write in writes:
        with pytest.raises(RunEnded, match="has ended") as refused:
            write()
        assert refused.value.run == ended
    assert within.entities.get(ada.id) == ada
    assert len(changes_of(kg, run.id)) == 1
    assert kg.runs.end(run.id) == ended, "ended twice, it stays as it was"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that are made from here on do not wait for a lock for as long as they otherwise would."""
    monkeypatch.setattr(engines, "WAIT_MAX_S", 0.2)


def test_a_run_ends_once_those_who_write_in_it_are_done(impatient: None, concurrent_kg: KnowledgeGraph) -> None:
    """Otherwise its counts would leave out what they commit; a writer who does not end is told as one."""
    kg = concurrent_kg
    run = kg.runs.open()
    with kg.in_run(run.id).transaction() as tx:
        tx.entities.create(type="person", name="ada")
        with pytest.raises(StoreBusy):
            kg.runs.end(run.id)
    assert dict(kg.runs.end(run.id).counts) == {"created": 1}


def test_a_run_ends_as_completed_or_failed_and_as_nothing_else(kg: KnowledgeGraph) -> None:
    """An open run can't be opened again, and its id is an id."""
    run = kg.runs.open()
    for state in ("open", "ended", ""):
        with pytest.raises(InvalidInput):
            kg.runs.end(run.id, state)
    with pytest.raises(InvalidInput):
        kg.runs.open("x" * 201)
    with pytest.raises(InvalidInput), kg.run("x" * 201):
        raise AssertionError
    for call in (kg.runs.get, kg.runs.end, kg.runs.changes, kg.in_run):
        with pytest.raises(InvalidInput):
            call("run")
        with pytest.raises(NotFound, match="no run"):
            call(new_id())
    assert kg.runs.list().items == (run,)


def test_who_opened_a_run_writes_in_it_and_ends_it(kg: KnowledgeGraph) -> None:
    """So does a moderator; others may look at it."""
    run = kg.acting_as(ANN).runs.open()
    other = kg.acting_as(BEN)
    for call in (other.in_run, other.runs.end):
        with pytest.raises(PermissionDenied):
            call(run.id)
    assert other.runs.get(run.id) == run
    assert other.runs.changes(run.id).items == ()
    moderator = kg.acting_as(Actor(ActorKind.USER, str(new_id()), Role.MODERATOR))
    moderator.in_run(run.id).entities.create(type="person", name="ada")
    assert dict(moderator.runs.end(run.id).counts) == {"created": 1}
    assert moderator.runs.get(run.id).created_by == ANN


def test_a_client_that_only_reads_opens_no_run(kg: KnowledgeGraph) -> None:
    """Nor does it write in one or end it, even under the id of one that could."""
    reader, writer = (
        Actor(ActorKind.SERVICE, "ai", scopes=frozenset({scope})) for scope in (Scope.GRAPH_READ, Scope.GRAPH_WRITE)
    )
    run = kg.acting_as(writer).runs.open()
    reading = kg.acting_as(reader)
    for call in (reading.runs.open, lambda: reading.run().__enter__()):
        with pytest.raises(PermissionDenied):
            call()
    for by_id in (reading.runs.end, reading.in_run):
        for id in (run.id, new_id()):
            with pytest.raises(PermissionDenied):
                by_id(id)
    assert reading.runs.list().items == (run,)
    with pytest.raises(PermissionDenied):
        kg.acting_as(writer).runs.get(run.id)


def test_runs_are_listed_the_latest_first_by_kind_state_and_time(store: Store) -> None:
    """In pages, either way around."""
    clock = Clock()
    kg = graph_on(store, clock)
    runs: list[Run] = []
    for number in range(5):
        clock.move()
        runs.append(kg.runs.open(f"run {number}"))
    clock.move()
    kg.load(PEOPLE, title="people")
    ended = [kg.runs.end(runs[0].id), kg.runs.end(runs[1].id, "failed")]
    [loaded] = kg.runs.list(kind="load").items
    latest = [loaded, *reversed(runs[2:]), *reversed(ended)]
    assert list(kg.runs.list().items) == latest
    assert list(kg.runs.list(sort="created_at").items) == latest[::-1]
    assert kg.runs.list(state="open").items == tuple(reversed(runs[2:]))
    assert kg.runs.list(state="failed").items == (ended[1],)
    assert kg.runs.list(kind="opened", state="completed").items == (ended[0],)
    between = kg.runs.list(created_after=runs[1].created_at, created_before=runs[4].created_at)
    assert between.items == (runs[3], runs[2])
    paged: list[Run] = []
    cursor = None
    while True:
        page = kg.runs.list(limit=4, cursor=cursor)
        paged += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert paged == latest
    for wrong in ({"kind": "nightly"}, {"state": "ended"}, {"sort": "title"}, {"limit": 0}):
        with pytest.raises(InvalidInput):
            kg.runs.list(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("atomic", [False, True])
def test_a_load_has_a_run_of_its_own(kg: KnowledgeGraph, atomic: bool) -> None:
    """Its summary names it, also where nothing changed; a title is what people know it by."""
    summary = kg.load(PEOPLE, atomic=atomic, title="people")
    assert summary.run is not None
    run = kg.runs.get(summary.run)
    assert (run.kind, run.state, run.title) == (RunKind.LOAD, RunState.COMPLETED, "people")
    assert dict(run.counts) == {"created": 3}
    assert actions(changes_of(kg, run.id)) == ["created ada", "created bob", "created cid"]
    again = kg.load(PEOPLE, atomic=atomic)
    assert again.run not in (None, run.id)
    assert changes_of(kg, again.run) == []


def test_a_load_that_keeps_nothing_leaves_no_run(kg: KnowledgeGraph) -> None:
    """An atomic one with a refused line, a dry run, one without records, and input that holds none."""
    refused: Mapping[str, Any] = {"kind": "entity", "type": "person"}
    assert kg.load([*PEOPLE, refused], atomic=True).run is None
    assert kg.load(PEOPLE, dry_run=True).run is None
    assert kg.load([]).run is None
    with pytest.raises(InvalidInput):
        kg.load(PEOPLE, title="x" * 201)
    with pytest.raises(InvalidInput):
        kg.load('"no record"', title="text")
    assert kg.runs.list().items == ()
    assert kg.load([*PEOPLE, refused]).run is not None


def test_a_load_within_a_run_is_part_of_that(kg: KnowledgeGraph) -> None:
    """It opens none, ends none, and takes no title."""
    with kg.run("night") as night:
        assert night.load(PEOPLE).run == night.run_id
        assert night.load(PEOPLE[:1], atomic=True).run == night.run_id
        assert night.load(PEOPLE, dry_run=True).run is None
        with pytest.raises(InvalidInput, match="has a title already"):
            night.load(PEOPLE, title="another")
        night.entities.create(type="person", name="last")
    [run] = kg.runs.list().items
    assert dict(run.counts) == {"created": 4}


@pytest.mark.parametrize("atomic", [False, True])
def test_a_load_that_is_broken_off_has_failed(kg: KnowledgeGraph, atomic: bool) -> None:
    """What it had committed stays and is counted; an atomic one leaves nothing, and no run either."""

    def stop(result: object) -> None:
        raise Broken

    with pytest.raises(Broken):
        kg.load(PEOPLE, atomic=atomic, on_result=stop)
    runs = kg.runs.list().items
    assert [(run.kind, run.state, dict(run.counts)) for run in runs] == (
        [] if atomic else [(RunKind.LOAD, RunState.FAILED, {"created": 3})]
    )


def test_a_load_stops_when_somebody_ends_its_run(kg: KnowledgeGraph) -> None:
    """What was loaded before stays; nothing is added to a run that has ended."""

    def records() -> Iterator[Mapping[str, Any]]:
        yield from ({**PEOPLE[0], "key": f"k{number}"} for number in range(5_001))

    def end(result: object) -> None:
        for run in kg.runs.list(state="open").items:
            kg.runs.end(run.id)

    with pytest.raises(RunEnded):
        kg.load(records(), on_result=end)
    [run] = kg.runs.list().items
    assert (run.state, dict(run.counts)) == (RunState.COMPLETED, {"created": kg.stats().changes})
    assert 0 < kg.stats().changes < 5_001


def test_a_store_in_trouble_does_not_hide_what_a_block_raises(store: Store, monkeypatch: Any) -> None:
    """A run that can't be ended stays open, as that of a process that dies; it can be ended later."""
    kg = graph_on(store)

    def fall() -> Any:
        def begin(**_: Any) -> Any:
            raise StoreUnavailable("the store")

        monkeypatch.setattr(store, "begin", begin)

    def work(error: Exception | None) -> None:
        with kg.run() as run:
            run.entities.create(type="person", name="ada")
            fall()
            if error is not None:
                raise error

    for error, expected in ((Broken(), Broken), (None, StoreUnavailable)):
        with pytest.raises(expected):
            work(error)
        monkeypatch.undo()
        [run] = kg.runs.list(state="open").items
        assert dict(kg.runs.end(run.id, "failed").counts) == {"created": 1}


def test_a_creation_outside_of_runs_does_not_look_at_them(store: Store, monkeypatch: Any) -> None:
    """It costs what it did before there were runs."""
    kg = graph_on(store)
    seen: list[bool] = []
    begin = store.begin

    def noting(*, adds_only: bool = False) -> Any:
        seen.append(adds_only)
        return begin(adds_only=adds_only)

    monkeypatch.setattr(store, "begin", noting)
    kg.entities.create(type="person", name="ada")
    assert seen == [True]


def test_a_restored_store_knows_the_cursors_of_a_run_that_it_lost(archive: Archive) -> None:
    """As the feed does: those up to the backup hold, later ones are lost."""
    kg = graph_on(archive.store)
    run = kg.runs.open().id
    kg.in_run(run).entities.create(type="person", name="kept")
    archive.back_up()
    kg = graph_on(archive.store, Clock(step=SECOND))
    kg.in_run(run).entities.create(type="person", name="lost")
    kept, lost = (each.cursor for each in changes_of(kg, run))
    archive.restore()
    kg = graph_on(archive.store, Clock(step=SECOND))
    assert kg.runs.changes(run, after=kept).items == ()
    with pytest.raises(HistoryLost):
        kg.runs.changes(run, after=lost)


def test_what_a_repair_changes_is_part_of_its_run(store_url: str) -> None:
    """As all that changes a record."""
    with connect(store_url) as kg:
        ada = kg.entities.create(type="person", name="ada")
        if store_url.startswith("memory"):
            return
        table = "entities" if store_url.startswith("sqlite") else "backend_entities.entities"
        with raw(store_url) as database:
            database.run(f"UPDATE {table} SET source = 'elsewhere'")
        with kg.run("repair") as run:
            assert run.check(repair=True).is_clean
        [change] = changes_of(kg, run.run_id)
        assert (change.record.id, change.action) == (ada.id, "updated")


def test_a_run_that_can_not_be_read_is_found(store_url: str) -> None:
    """By a check, which looks at every run."""
    with connect(store_url) as kg:
        kg.runs.open("fine")
        run = kg.runs.open("damaged")
        assert kg.check().looked_at["runs"] == 2
        if store_url.startswith("memory"):
            return
        table = "runs" if store_url.startswith("sqlite") else "backend_entities.runs"
        with raw(store_url) as database:
            for damage in ("state = 'gone'", "state = 'completed'"):
                database.run(f"UPDATE {table} SET {damage} WHERE title = 'damaged'")
                report = kg.check()
                [fault] = report.faults
                assert (fault.kind.code, fault.count) == ("unreadable_record", 1)
                assert str(run.id) in fault.examples[0]
