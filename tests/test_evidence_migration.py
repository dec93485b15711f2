"""Migrations of evidence: facts go up with nothing lost and the feed in its place, and down where nothing is lost."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, inspect, text

from kgl_adapters import connect
from kgl_adapters.sql.engine.engines import reflecting
from kgl_adapters.sql.kernel.tables import GRAPH
from kgl_adapters.sql.storage import migrating as migrate
from kgl_adapters.sql.storage.revisions import REVISIONS
from kgl_core import KnowledgeGraph, StoreError
from kgl_core.graph.entities import ENTITY
from tests.contract.evidence.documents import document, joins, keyed, require_sound

STEPS = len(REVISIONS) - REVISIONS.index("0011")
LATER = STEPS - 1
"""How many migrations came after 0011."""
FACT_COLUMNS = {"pinned", "sources_for", "sources_against", "is_retired", "has_assertions"}


def fill(kg: KnowledgeGraph) -> None:
    """Facts that are active and deleted, with sources and confidences, of which nobody else has said anything."""
    with kg.run("by hand") as run:
        ada = run.entities.create(
            type="person", name="Ada", key="ada", confidence=0.1 + 0.2, source="s", source_type="t"
        )
        note = run.entities.create(type="note", name="G", metadata={"pinned": ["/name"], "is_retired": True})
    wrote = kg.relationships.create(ada.id, "wrote", note.id, confidence=0.0, key="k", valid_from="1843")
    kg.relationships.update(wrote.id, source="letters")
    gone = kg.entities.create(type="person", name="Gone")
    kg.relationships.create(ada.id, "knew", gone.id)
    kg.entities.delete(gone.id)
    kg.load([{"kind": "entity", "type": "person", "name": "Bo", "key": "bo", "confidence": 1.0}])


def everything(kg: KnowledgeGraph) -> Any:
    """All facts, all changes with their cursors, and all runs."""
    return (
        kg.entities.list(is_active=None).items,
        kg.relationships.list(is_active=None).items,
        kg.changes(limit=200).items,
        kg.runs.list().items,
    )


def schema_of(engine: Engine) -> str | None:
    """The schema of the graph's tables."""
    return None if engine.dialect.name == "sqlite" else GRAPH


def columns(engine: Engine, table: str) -> set[str]:
    """The names of a table's columns."""
    with engine.connect() as connection, reflecting(connection):
        return {column["name"] for column in inspect(connection).get_columns(table, schema=schema_of(engine))}


def tables(engine: Engine) -> set[str]:
    """The names of the graph's tables."""
    with engine.connect() as connection, reflecting(connection):
        return {*inspect(connection).get_table_names(schema=schema_of(engine))}


def test_facts_go_up_and_down_with_nothing_lost(url: str, engine: Engine) -> None:
    """Nor do readers of the feed lose their place, whichever schema the cursor is from."""
    migrate.upgrade(engine)
    migrate.downgrade(engine, STEPS)
    assert not FACT_COLUMNS & columns(engine, "entities") | FACT_COLUMNS & columns(engine, "entity_relationships")
    assert {"sources", "assertions"}.isdisjoint(tables(engine))
    migrate.upgrade(engine)
    with connect(url, migrate=False) as kg:
        fill(kg)
        before = everything(kg)
        cursor = kg.changes(limit=3).next_cursor
    for _ in range(2):
        migrate.downgrade(engine, STEPS)
        assert migrate.current_revision(engine) == "0010"
        migrate.upgrade(engine)
        with connect(url, migrate=False) as kg:
            assert everything(kg) == before
            assert kg.changes(after=cursor, limit=200).items == before[2][3:]
            require_sound(kg)


def test_facts_from_before_are_supported_by_what_they_say(url: str, engine: Engine) -> None:
    """No extraction retires them, and their confidences count as those of a source of their own."""
    migrate.upgrade(engine)
    with connect(url, migrate=False) as kg:
        fill(kg)
    migrate.downgrade(engine, STEPS)
    migrate.upgrade(engine)
    with connect(url, migrate=False) as kg:
        ada = kg.entities.get_by_key("ada")
        assert (ada.sources_for, ada.sources_against, ada.is_retired, ada.pinned) == (1, 0, False, ())
        kg.extract("d", "x", document(keyed("ada", "Ada", confidence=0.5), keyed("bo"), joins("ada", "knows", "bo")))
        assert kg.entities.get(ada.id).confidence == 1 - (1 - (0.1 + 0.2)) * 0.5
        gone = kg.withdraw("d", "x")
        assert (len(gone.retired), len(gone.kept)) == (1, 2)
        assert kg.entities.get(ada.id).confidence == 0.1 + 0.2
        require_sound(kg)


EVIDENCE: dict[str, Callable[[KnowledgeGraph], object]] = {
    "a source": lambda kg: kg.sources.create(uri="s"),
    "an extraction": lambda kg: kg.extract("d", "x", document(keyed("ada"))),
    "an assertion": lambda kg: kg.assertions.add(ENTITY, kg.entities.get_by_key("bo").id),
    "an extraction of nothing": lambda kg: kg.extract("d", "x", {}),
    "a withdrawn extraction": lambda kg: (kg.extract("d", "x", document(keyed("z"))), kg.withdraw("d", "x")),
    "a pin": lambda kg: kg.assertions.pin(ENTITY, kg.entities.get_by_key("bo").id, ["/name"]),
}


@pytest.mark.parametrize("kind", EVIDENCE)
@pytest.mark.parametrize("steps", [STEPS, STEPS + 1, 99])
def test_the_way_down_refuses_to_lose_evidence(url: str, engine: Engine, kind: str, steps: int) -> None:
    """It takes nothing back, not even of later migrations, and says what to do; the graph works on."""
    migrate.upgrade(engine)
    with connect(url, migrate=False) as kg:
        fill(kg)
        EVIDENCE[kind](kg)
        before = everything(kg), kg.assertions.list(is_withdrawn=None).items, kg.sources.list().items
    with pytest.raises(StoreError, match="nothing was taken back"):
        migrate.downgrade(engine, steps)
    assert migrate.current_revision(engine) == migrate.HEAD
    with connect(url, migrate=False) as kg:
        assert (everything(kg), kg.assertions.list(is_withdrawn=None).items, kg.sources.list().items) == before
        require_sound(kg)
        kg.extract("e", "x", document(keyed("ada")))


def test_assertions_about_single_values_do_not_go_down(url: str, engine: Engine) -> None:
    """All others do, and come up again as they were."""
    migrate.upgrade(engine)
    with connect(url, migrate=False) as kg:
        fill(kg)
        kg.extract("d", "x", document(keyed("ada"), keyed("bo")))
        before = everything(kg), kg.assertions.list(is_withdrawn=None).items, kg.sources.list().items
    migrate.downgrade(engine, LATER)
    migrate.upgrade(engine)
    with connect(url, migrate=False) as kg:
        assert (everything(kg), kg.assertions.list(is_withdrawn=None).items, kg.sources.list().items) == before
        kg.assertions.add(ENTITY, kg.entities.get_by_key("bo").id, source="d", about="/metadata/born", value=1)
    with pytest.raises(StoreError, match="nothing was taken back"):
        migrate.downgrade(engine, LATER)
    assert migrate.current_revision(engine) == migrate.HEAD
    with connect(url, migrate=False) as kg:
        assert kg.entities.get_by_key("bo").metadata == {"born": 1}
        require_sound(kg)


def test_extractors_are_known_after_the_way_up(url: str, engine: Engine) -> None:
    """By what they have asserted, since then; those that are ranked do not go down."""
    migrate.upgrade(engine)
    with connect(url, migrate=False) as kg:
        kg.extract("d", "b 源", document(keyed("ada")))
        kg.extract("e", "a", document(keyed("ada", "Ranked")))
        kg.extract("f", "b 源", document(keyed("bo")))
        kg.assertions.add(ENTITY, kg.entities.get_by_key("bo").id)
        first = kg.assertions.list().items[0]
        before = kg.extractors.list().items
        assert [each.name for each in before] == ["b 源", "a"]
    migrate.downgrade(engine, len(REVISIONS) - REVISIONS.index("0015"))
    migrate.upgrade(engine)
    with connect(url, migrate=False) as kg:
        after = kg.extractors.list().items
        assert [(each.id, each.name, each.rank) for each in after] == [(each.id, each.name, 0) for each in before]
        assert (after[0].created_by, after[0].created_at) == (first.asserted_by, first.asserted_at)
        kg.extractors.rank(kg.extractors.get_by_name("a").id, 1)
    with pytest.raises(StoreError, match="extractors with a rank"):
        migrate.downgrade(engine, 1)
    with connect(url, migrate=False) as kg:
        assert kg.entities.get_by_key("ada").name == "Ranked"
        require_sound(kg)


def test_going_up_writes_no_row(url: str, engine: Engine) -> None:
    """Its time does not grow with the number of facts: the new columns have constants for the rows that are there."""
    migrate.upgrade(engine)
    with connect(url, migrate=False) as kg:
        fill(kg)
    migrate.downgrade(engine, STEPS)
    if engine.dialect.name == "sqlite":
        migrate.upgrade(engine)
        return
    files = f"SELECT pg_relation_filenode('{GRAPH}.entities'), pg_relation_filenode('{GRAPH}.entity_relationships')"
    with engine.connect() as connection:
        before = connection.execute(text(files)).one()
        rows = connection.execute(text(f"SELECT id, xmin, ctid FROM {GRAPH}.entities ORDER BY id")).all()
    migrate.upgrade(engine)
    with engine.connect() as connection:
        assert connection.execute(text(files)).one() == before
        assert connection.execute(text(f"SELECT id, xmin, ctid FROM {GRAPH}.entities ORDER BY id")).all() == rows
