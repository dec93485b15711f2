"""Indexes of metadata: they are built beside writers, change no answer, and stand in nobody's way."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from kgl_adapters import connect
from kgl_adapters.sql.engine.engines import begin, make_engine, parse_url
from kgl_adapters.sql.kernel.tables import GRAPH
from kgl_adapters.sql.storage import metadata_indexes, migrating
from kgl_adapters.sql.storage.metadata_indexes import MetadataIndex
from kgl_adapters.sql.storage.revisions import REVISIONS
from kgl_core import InvalidInput, KnowledgeGraph
from kgl_core.graph.entities import ENTITY
from kgl_core.graph.metadata import METADATA_BYTES_MAX
from kgl_core.graph.nouns import GRAPH_NOUNS
from kgl_core.graph.relationships import RELATIONSHIP
from kgl_core.kernel.store_errors import MigrationNeeded
from tests.postgres import fresh_database
from tests.test_cli import kgl

NAMES: tuple[str, ...] = ("country", "a.b", "it's", "'; DROP TABLE users; --", "50%", "%(x)s %s", "ชื่อ 🔵", "n" * 300)
NAMES += ("$.a", "[0]", "0", " ")
VALUES: tuple[Any, ...] = ("FR", "x" * 9_000, 1, 1.0, True, None, [1], {"a": "FR"}, "it's")


@pytest.fixture
def filled(url: str) -> Iterator[KnowledgeGraph]:
    """A graph with each value under each name, and with none."""
    with connect(url, migrate=True) as kg:
        center = kg.entities.create(type="t", name="n")
        for name in NAMES:
            for value in VALUES:
                entity = kg.entities.create(type="t", name="n", metadata={name: value})
                kg.relationships.create(entity.id, "r", center.id, metadata={name: value})
        yield kg


def answers(kg: KnowledgeGraph) -> list[Any]:
    """What lists find by each name and value."""
    wanted: list[dict[str, Any]] = [{"has_metadata": name} for name in NAMES]
    wanted += [{"metadata": {name: value}} for name in NAMES for value in ("FR", 1, True, None, ["it's", "x" * 9_000])]
    found = [kg.entities.list(**filter, limit=200).items for filter in wanted]
    return found + [kg.relationships.list(**filter, limit=200).items for filter in wanted]


def test_they_change_no_answer(filled: KnowledgeGraph, engine: Engine) -> None:
    """Whatever a name holds; what is written later is found, too, and all is right with the database."""
    before = answers(filled)
    for noun in GRAPH_NOUNS:
        assert [metadata_indexes.add(engine, noun, name) for name in NAMES] == [True] * len(NAMES)
        assert not metadata_indexes.add(engine, noun, "country")
    assert answers(filled) == before
    expected = [MetadataIndex(noun.plural, name) for noun in GRAPH_NOUNS for name in NAMES]
    assert metadata_indexes.added(engine) == sorted(expected)
    large = {"country": "é" * ((METADATA_BYTES_MAX - 20) // 2)}
    late = filled.entities.create(type="t", name="late", metadata=large)
    assert filled.entities.list(metadata=large).items == (late,)
    assert filled.check().is_clean
    assert metadata_indexes.drop(engine, ENTITY, "it's")
    assert not metadata_indexes.drop(engine, ENTITY, "it's")
    assert MetadataIndex("entities", "it's") not in metadata_indexes.added(engine)
    assert MetadataIndex("relationships", "it's") in metadata_indexes.added(engine)


def test_migrations_go_up_and_down_past_them(filled: KnowledgeGraph, engine: Engine) -> None:
    """Those of tables that stay are kept."""
    metadata_indexes.add(engine, ENTITY, "country")
    metadata_indexes.add(engine, RELATIONSHIP, "country")
    migrating.downgrade(engine, 1)
    with pytest.raises(MigrationNeeded):
        metadata_indexes.added(engine)
    migrating.upgrade(engine)
    assert len(metadata_indexes.added(engine)) == 2
    migrating.downgrade(engine, len(REVISIONS))
    migrating.upgrade(engine)
    assert metadata_indexes.added(engine) == []


@pytest.mark.parametrize("name", ["", 'a"b', "a\\b", "a\nb", "a\x00b", "x" * (METADATA_BYTES_MAX + 1)])
def test_a_name_that_cannot_be_indexed_is_refused(name: str) -> None:
    """Before anything is opened."""
    with pytest.raises(InvalidInput):
        metadata_indexes.add(make_engine(parse_url("sqlite:////nowhere/graph.db")), ENTITY, name)


def test_damaged_metadata_is_in_nobodys_way(tmp_path: Path) -> None:
    """An index can be built, and used, where a record can't be read."""
    url = f"sqlite:///{tmp_path / 'graph.db'}"
    with connect(url) as kg:
        damaged = kg.entities.create(type="t", name="damaged", metadata={"country": "FR"})
        right = kg.entities.create(type="t", name="right", metadata={"country": "FR"})
        engine = kg._context.store.engine  # type: ignore[attr-defined]
        with engine.begin() as connection:
            sql = 'UPDATE entities SET metadata = \'{"country": "FR\' WHERE id = ?'
            connection.exec_driver_sql(sql, (damaged.id.bytes,))
        for _ in range(2):
            assert kg.entities.list(metadata={"country": "FR"}).items == (right,)
            metadata_indexes.add(engine, ENTITY, "country")


@pytest.fixture
def postgres_engine(postgres_server: str) -> Iterator[Engine]:
    """An engine on a migrated PostgreSQL database."""
    with fresh_database(postgres_server) as fresh:
        engine = make_engine(parse_url(fresh))
        migrating.upgrade(engine)
        yield engine
        engine.dispose()


def test_they_are_built_beside_an_open_writer(postgres_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is waited for; that is told, and others can write meanwhile."""
    monkeypatch.setattr(metadata_indexes, "_LOOKS_EVERY_S", 0.02)
    insert = text(
        f"INSERT INTO {GRAPH}.entities (id, type, name, aliases, metadata, created_by, created_at, updated_at,"
        " version, sort_name) VALUES (gen_random_uuid(), 't', 'n', '[]', '{\"a\" : 1}', 'system', now(), now(), 1, 'n')"
    )
    told: list[str] = []
    is_waiting = threading.Event()

    def tell(phase: str, percent: int | None) -> None:
        told.append(phase)
        if phase.startswith("waiting for writers"):
            is_waiting.set()

    builder = threading.Thread(target=lambda: metadata_indexes.add(postgres_engine, ENTITY, "a", on_progress=tell))
    with postgres_engine.connect() as writer:
        begin(writer)
        writer.execute(insert)
        builder.start()
        assert is_waiting.wait(60)
        with postgres_engine.connect() as other:
            other.execute(insert)
        assert metadata_indexes.added(postgres_engine) == [MetadataIndex("entities", "a", is_whole=False)]
        with connect(postgres_engine.url.render_as_string(hide_password=False), migrate=False) as kg:
            assert "damaged_index" not in [problem.kind.code for problem in kg.check().faults]
        writer.commit()
    builder.join()
    assert metadata_indexes.added(postgres_engine) == [MetadataIndex("entities", "a")]


def test_what_an_interrupted_build_has_left_is_built_anew(postgres_engine: Engine) -> None:
    """It is shown as what it is until then."""
    metadata_indexes.add(postgres_engine, ENTITY, "a")
    with postgres_engine.begin() as connection:
        left = "SELECT oid FROM pg_class WHERE relname LIKE 'ix_metadata_%'"
        connection.execute(text(f"UPDATE pg_index SET indisvalid = false WHERE indexrelid IN ({left})"))
    assert metadata_indexes.added(postgres_engine) == [MetadataIndex("entities", "a", is_whole=False)]
    with connect(postgres_engine.url.render_as_string(hide_password=False), migrate=False) as kg:
        assert [problem.kind.code for problem in kg.check().faults] == ["damaged_index"]
    assert metadata_indexes.add(postgres_engine, ENTITY, "a")
    assert metadata_indexes.added(postgres_engine) == [MetadataIndex("entities", "a")]


def test_an_operator_adds_lists_and_drops_them(tmp_path: Path, sqlite_template: Path) -> None:
    """By the command line, which says what it did; a mistyped name makes no file."""
    assert "there is no file" in kgl(f"sqlite:///{tmp_path / 'graph.db'}", "index", "list", status=1).stderr
    assert [*tmp_path.iterdir()] == []
    url = f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'graph.db')}"
    assert kgl(url, "index", "add", "metadata.it's").stdout == "Built the index of metadata.it's of entities.\n"
    assert "already: nothing to do" in kgl(url, "index", "add", "metadata.it's").stdout
    kgl(url, "index", "add", "metadata.a.b", "--of", "relationships")
    assert "kgl index list shows" in kgl(url, "index", "drop", "metadata.a.b", status=1).stderr
    assert kgl(url, "index", "drop", "metadata.it's").stdout == "Dropped the index of metadata.it's of entities.\n"
    assert kgl(url, "index", "list").stdout == "relationships   metadata.a.b\n"
    assert "such as metadata.country" in kgl(url, "index", "add", "country", status=2).stderr
