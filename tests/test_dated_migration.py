"""Migration 0009: a database of version 0.1.0 is carried up with nothing lost, and down again if that loses nothing."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from kgl_adapters import connect
from kgl_adapters.sql.engine.engines import make_engine, parse_url
from kgl_adapters.sql.kernel.tables import GRAPH
from kgl_adapters.sql.storage import migrating as migrate
from kgl_adapters.sql.storage.revisions import REVISIONS
from kgl_core import KnowledgeGraph, Relationship, StoreError
from tests.postgres import fresh_database

STEPS = len(REVISIONS) - REVISIONS.index("0009")
COLUMNS = (
    "id, source_entity_id, relationship_type, target_entity_id, confidence, source, source_type, metadata, created_by,"
    " created_at, updated_at, version, deleted_at, deleted_by, deleted_with"
)
AWKWARD = {"valid_to": "x", "key": [{"valid_from": 1e22, "a": 1.0}], "end": '","valid_to":null}'}


@pytest.fixture
def old(url: str, engine: Engine) -> Engine:
    """A database of version 0.1.0, with relationships that are active, deleted, and deleted with an end."""
    with connect(url, migrate=True) as kg:
        ada, note, gone = (kg.entities.create(type="t", name=name, key=name) for name in ("Ada", "Note", "Gone"))
        wrote = kg.relationships.create(ada.id, "wrote", note.id, confidence=0.1, source="s", metadata=AWKWARD)
        kg.relationships.update(wrote.id, confidence=0.5)
        kg.relationships.create(note.id, "wrote", ada.id)
        for _ in range(2):
            kg.relationships.delete(kg.relationships.create(ada.id, "saw", note.id).id)
        kg.relationships.create(ada.id, "saw", gone.id, metadata=AWKWARD)
        kg.entities.delete(gone.id)
    migrate.downgrade(engine, STEPS)
    return engine


def rows(engine: Engine, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
    """All rows of a table, by their first column."""
    schema = "" if engine.dialect.name == "sqlite" else f"{GRAPH}."
    with engine.connect() as connection:
        found = connection.execute(text(f"SELECT {columns} FROM {schema}{table} ORDER BY 1"))
        return [tuple(row) for row in found]


def everything(engine: Engine) -> list[Any]:
    """All that there is of the graph, as the database has it."""
    changes = "sequence, at, actor, action, subject, subject_id, CAST(record AS text)"
    return [
        rows(engine, "entity_relationships"),
        rows(engine, "changes", changes),
        rows(engine, migrate.VERSION_TABLE),
    ]


def log(kg: KnowledgeGraph) -> list[Any]:
    """All changes, without their cursors."""
    return [(change.at, change.action, change.record) for change in kg.changes(limit=200).items]


def test_the_changes_of_an_old_database_name_no_new_field(old: Engine) -> None:
    """The earlier kgl does not know them, and could not read its feed."""
    told = [json.loads(row[0]) for row in rows(old, "changes", "CAST(record AS text), subject") if row[1] != "entity"]
    assert len(told) == 9
    assert {len(record) for record in told} == {15}
    assert [record["metadata"] for record in told].count(AWKWARD) == 4


def test_an_old_database_is_carried_up_and_down_with_nothing_lost(url: str, old: Engine) -> None:
    """Every row and every change are as they were, and in between all of them are read, checked and changed."""
    before = everything(old)
    for _ in range(2):
        migrate.upgrade(old)
        assert rows(old, "entity_relationships", COLUMNS) == before[0]
        assert everything(old)[1] == before[1]
        with connect(url, migrate=False) as kg:
            assert kg.check().is_clean
            found = kg.relationships.list(is_active=None).items
            assert {(each.key, each.valid_from, each.valid_to) for each in found} == {(None, None, None)}
            assert {record.metadata["valid_to"] for _, _, record in log(kg) if record.metadata} == {"x"}
            assert kg.relationships.count(valid_at="1994") == 2
        migrate.downgrade(old, STEPS)
        assert everything(old) == before


def test_what_was_written_since_goes_down_too_where_it_is_of_the_old_kind(url: str, old: Engine) -> None:
    """And comes up again as it was."""
    migrate.upgrade(old)
    with connect(url, migrate=False) as kg:
        ada, note = kg.entities.get_by_key("Ada").id, kg.entities.get_by_key("Note").id
        kg.relationships.create(ada, "likes", note, metadata=AWKWARD)
        dumped, told = list(kg.dump()), log(kg)
    migrate.downgrade(old, STEPS)
    assert {
        len(json.loads(row[0])) for row in rows(old, "changes", "CAST(record AS text), subject") if row[1] != "entity"
    } == {15}
    migrate.upgrade(old)
    with connect(url, migrate=False) as kg:
        assert (list(kg.dump()), log(kg)) == (dumped, told)
        assert kg.check().is_clean


def keyed(kg: KnowledgeGraph, ada: Any, note: Any) -> Relationship:
    return kg.relationships.create(ada, "wrote", note, key="k")


def from_a_date(kg: KnowledgeGraph, ada: Any, note: Any) -> Relationship:
    return kg.relationships.create(ada, "met", note, valid_from="1994")


def of_itself(kg: KnowledgeGraph, ada: Any, note: Any) -> Relationship:
    return kg.relationships.create(ada, "cites", ada)


def deleted(kg: KnowledgeGraph, ada: Any, note: Any) -> Relationship:
    return kg.relationships.delete(keyed(kg, ada, note).id)


def once_dated(kg: KnowledgeGraph, ada: Any, note: Any) -> Relationship:
    made = kg.relationships.create(ada, "met", note, valid_to="1994")
    return kg.relationships.update(made.id, valid_to=None)


def take_back_what_came_after(engine: Engine) -> None:
    """Undo the migrations after 0009: each is a transaction of its own on PostgreSQL."""
    if STEPS > 1:
        migrate.downgrade(engine, STEPS - 1)


@pytest.mark.parametrize("make", [keyed, from_a_date, of_itself, deleted, once_dated])
def test_what_the_earlier_schema_cannot_hold_is_not_taken_back(url: str, old: Engine, make: Any) -> None:
    """Not even if it is deleted, or was so only once. The command says why, without a traceback; nothing changes."""
    migrate.upgrade(old)
    with connect(url, migrate=False) as kg:
        make(kg, kg.entities.get_by_key("Ada").id, kg.entities.get_by_key("Note").id)
    take_back_what_came_after(old)
    before = everything(old)
    with pytest.raises(StoreError, match="earlier schema can't hold"):
        migrate.downgrade(old, 1)
    assert everything(old) == before
    migrate.upgrade(old)
    with connect(url, migrate=False) as kg:
        assert kg.check().is_clean


def test_the_command_says_why_in_one_line(url: str, old: Engine) -> None:
    """Also where more migrations were to be taken back: none of them is."""
    migrate.upgrade(old)
    with connect(url, migrate=False) as kg:
        of_itself(kg, kg.entities.get_by_key("Ada").id, None)
    take_back_what_came_after(old)
    before = everything(old)
    kgl = str(Path(sys.executable).with_name("kgl"))
    for steps in ("1", "99"):
        answer = subprocess.run(
            [kgl, "--database-url", url, "migrate", "--down", steps], capture_output=True, text=True, input=""
        )
        assert (answer.returncode, answer.stdout) == (1, "")
        assert answer.stderr.startswith("Error: 1 relationships have or had a key")
        assert answer.stderr.count("\n") == 1
    assert everything(old) == before


def test_an_interrupted_upgrade_is_run_again(postgres_server: str) -> None:
    """PostgreSQL keeps what comes before the building of an index, and perhaps an index that was never finished."""
    with fresh_database(postgres_server) as url:
        engine = make_engine(parse_url(url))
        migrate.upgrade(engine)
        migrate.downgrade(engine, STEPS)
        table, index = f"{GRAPH}.entity_relationships", "uq_entity_relationships_triple_new"
        with engine.begin() as connection:
            connection.execute(text(f"ALTER TABLE {table} ADD COLUMN key text COLLATE \"C\" NOT NULL DEFAULT ''"))
            connection.execute(text(f"ALTER TABLE {table} DROP CONSTRAINT ck_entity_relationships_self"))
            connection.execute(text(f"CREATE UNIQUE INDEX {index} ON {table} (id)"))
        migrate.upgrade(engine)
        engine.dispose()
        with connect(url, migrate=False) as kg:
            ada = kg.entities.create(type="t", name="Ada").id
            for key in (None, "a", "b"):
                kg.relationships.create(ada, "cites", ada, key=key)
            assert kg.check().is_clean
