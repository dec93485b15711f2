"""Nobody who follows the feed misses a change, whichever way it was written."""

from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, Final
from uuid import UUID

import pytest
from sqlalchemy import text

from kgl_adapters import connect
from kgl_adapters.sql.units_of_work import SqlStore
from kgl_core import Change, Entity, KnowledgeGraph
from kgl_core.kernel.units_of_work import Store
from tests.conftest import STORES
from tests.contract.samples import Ids, entity, graph_on

WRITERS: Final = 6


def write_every_way(kg: KnowledgeGraph, writer: int, rounds: int) -> None:
    """Create, update, load, delete with relationships, restore, and several of them in one transaction."""
    for number in range(rounds):
        name = f"{writer}/{number}"
        hub = kg.entities.create(type="t", name=name)
        kg.entities.update(hub.id, name=f"{name}!")
        ends: list[dict[str, Any]] = [
            {"kind": "entity", "key": f"{name}/{end}", "type": "t", "name": "n"} for end in range(3)
        ]
        edges: list[dict[str, Any]] = [
            {
                "kind": "relationship",
                "relationship_type": "r",
                "source_entity_id": str(hub.id),
                "target_entity_key": each["key"],
            }
            for each in ends
        ]
        assert kg.load([*ends, *edges]).created == 6
        kg.entities.delete(hub.id)
        assert len(kg.entities.restore(hub.id).relationships) == 3
        with kg.transaction() as tx:
            one = tx.entities.create(type="t", name=f"{name}/tx")
            edge = tx.relationships.create(hub.id, "s", one.id)
            tx.relationships.update(edge.id, confidence=0.5)
            tx.relationships.delete(edge.id)


def follow(kg: KnowledgeGraph, is_over: Callable[[], bool]) -> list[Change]:
    """What a reader of the feed has read once the writers have ended and nothing more comes."""
    seen: list[Change] = []
    cursor: str | None = None
    while True:
        was_over = is_over()
        page = kg.changes(after=cursor, limit=7)
        seen += page.items
        cursor = page.next_cursor
        if was_over and not page.items:
            return seen


def require_complete(kg: KnowledgeGraph, seen: list[Change]) -> None:
    """Each change of the log once, in its order, and each record's versions from 1 on."""
    cursors = [change.cursor for change in seen]
    assert len(set(cursors)) == len(cursors) == kg.stats().changes
    assert seen == follow(kg, lambda: True)
    versions: dict[UUID, list[int]] = defaultdict(list)
    for change in seen:
        versions[change.record.id].append(change.record.version)
        if not isinstance(change.record, Entity):
            assert change.record.source_entity_id in versions
            assert change.record.target_entity_id in versions
    assert all(found == list(range(1, len(found) + 1)) for found in versions.values())


def race(kg: KnowledgeGraph, rounds: int) -> None:
    """Let the writers write beside each other and beside a reader who follows them."""
    with ThreadPoolExecutor(WRITERS) as pool:
        work = [pool.submit(write_every_way, kg, writer, rounds) for writer in range(WRITERS)]
        seen = follow(kg, lambda: not wait(work, timeout=0).not_done)
        for each in work:
            each.result()
    require_complete(kg, seen)
    assert len(seen) == WRITERS * rounds * (1 + 1 + 6 + 4 + 4 + 4)


def test_a_reader_beside_many_writers_sees_every_change_once(kg: KnowledgeGraph) -> None:
    """Whatever way each was written, and in the order of the log."""
    race(kg, rounds=3)


def test_a_check_beside_many_writers_finds_no_fault(kg: KnowledgeGraph) -> None:
    """It sees records, journal and references as they were at one moment, and holds up nobody."""
    with ThreadPoolExecutor(WRITERS) as pool:
        work = [pool.submit(write_every_way, kg, writer, 2) for writer in range(WRITERS)]
        is_over = False
        while not is_over:
            is_over = not wait(work, timeout=0).not_done
            report = kg.check()
            assert report.faults == report.notes == ()
        for each in work:
            each.result()
    assert report.looked_at["changes"] == kg.stats().changes == WRITERS * 2 * 20


@pytest.mark.soak
@pytest.mark.parametrize("store_name", STORES)
def test_a_reader_beside_many_writers_sees_every_change_once_for_long(
    empty_url: Callable[[str], str], store_name: str
) -> None:
    """The same for longer."""
    with connect(empty_url(store_name)) as kg:
        race(kg, rounds=40 if store_name == "memory" else 150)


def test_a_creation_that_waits_after_it_took_its_number_is_not_missed(concurrent_store: Store) -> None:
    """A single creation takes its number, then waits for a key; one that comes later must not be read before it."""
    assert isinstance(concurrent_store, SqlStore)
    kg = graph_on(concurrent_store)
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with ThreadPoolExecutor(1) as pool:
        with concurrent_store.begin() as holder:
            holder.entities.add([entity("holder", key="k")])
            early = pool.submit(kg.entities.create, type="t", name="early", key="k")
            with concurrent_store.engine.connect() as observer:
                while not observer.execute(waiting).scalar_one():
                    assert not early.done()
            graph_on(concurrent_store, ids=Ids(seed=1)).entities.create(type="t", name="late")
            page = kg.changes()
            assert page.items == ()
        made = early.result()
    seen = kg.changes(after=page.next_cursor).items
    assert [change.record.name for change in seen if isinstance(change.record, Entity)] == [made.name, "late"]
