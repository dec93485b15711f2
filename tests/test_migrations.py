"""Migrations: every step up and down with data in the tables, no drift, the same from Alembic's own command."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, Engine, inspect, text

from kgl_adapters import connect
from kgl_adapters.sql.engine.engines import begin, begin_snapshot, make_engine, parse_url, reflecting
from kgl_adapters.sql.graph.names import TERMS
from kgl_adapters.sql.kernel.tables import AUTH, GRAPH
from kgl_adapters.sql.schema import SCHEMA
from kgl_adapters.sql.storage import migrating as migrate
from kgl_adapters.sql.storage.revisions import REVISIONS
from kgl_core import KnowledgeGraph, MigrationNeeded, SchemaTooNew, StoreBusy, User
from tests.contract.samples import NOON, SECOND, client, refresh_token
from tests.postgres import fresh_database

ROOT = Path(__file__).parent.parent


def fill(kg: KnowledgeGraph) -> None:
    """Put something into every table."""
    ada = kg.entities.create(type="person", name="Ada", key="a", aliases=["Countess"], metadata={"born": 1815})
    note = kg.entities.create(type="document", name="Note G")
    kg.relationships.create(ada.id, "wrote", note.id, confidence=0.5)
    kg.entities.delete(note.id)
    with kg.run("nightly import") as night:
        night.entities.update(ada.id, confidence=0.5)
    user = kg.users.create(email="ada@example.org", password="a few unrelated words")
    fill_sessions(kg, user)


def fill_sessions(kg: KnowledgeGraph, user: User) -> None:
    """Put something into the tables that authentication alone uses."""
    with kg._context.store.begin() as uow:
        uow.refresh_tokens.add(refresh_token(user))
        uow.counters.increment(b"key", NOON, NOON + SECOND)
        made = client()
        uow.clients.add([made])
        uow.revocations.add(made.id, made.actor, NOON)
        uow.commit()


def steps_below(revision: str) -> int:
    """How many migrations a database at head must take back to be at the one before ``revision``."""
    return len(REVISIONS) - REVISIONS.index(revision)


def test_every_migration_runs_up_and_down_with_data_in_the_tables(url: str, engine: Engine) -> None:
    """What a migration does not take back keeps its rows, and after each way up the whole works."""
    with connect(url, migrate=True) as kg:
        fill(kg)
        before = list(kg.dump())
    for steps in range(1, len(REVISIONS) + 1):
        migrate.downgrade(engine, steps)
        expected = REVISIONS[-steps - 1] if steps < len(REVISIONS) else None
        assert migrate.current_revision(engine) == expected
        with pytest.raises(MigrationNeeded, match="kgl migrate"):
            connect(url, migrate=False)
        migrate.upgrade(engine)
        with connect(url, migrate=False) as kg:
            assert list(kg.dump()) == (before if steps < steps_below("0002") else [])
            users = kg.users.list().items
            assert len(users) == (1 if steps < steps_below("0001") else 0)
            if users:
                fill_sessions(kg, users[0])  # every way down takes these along
                kg.entities.create(type="person", name="Grace")
                before = list(kg.dump())
            else:
                fill(kg)


def test_changes_outlive_the_runs_that_a_way_down_takes_along(url: str, engine: Engine) -> None:
    """Below 0010 there are no runs; above it again, changes are part of none, and loads are runs as before."""
    with connect(url, migrate=True) as kg:
        with kg.run("nightly import") as night:
            night.entities.create(type="person", name="Ada")
        before = kg.changes().items
    migrate.downgrade(engine, steps_below("0010"))
    migrate.upgrade(engine)
    with connect(url, migrate=False) as kg:
        assert list(kg.changes().items) == [attrs.evolve(change, run=None) for change in before]
        assert kg.runs.list().items == ()
        loaded = kg.load([{"kind": "entity", "type": "person", "name": "Bob"}])
        assert [run.id for run in kg.runs.list().items] == [loaded.run]
        assert kg.check().is_clean


def test_going_down_further_than_there_is_ends_at_the_bottom(url: str, engine: Engine) -> None:
    """More steps than migrations empty the database."""
    migrate.upgrade(engine)
    migrate.downgrade(engine, 99)
    assert migrate.current_revision(engine) is None
    migrate.downgrade(engine, 1)
    assert [revision.is_applied for revision in migrate.history(engine)] == [False] * len(REVISIONS)


def test_tables_in_code_are_what_the_migrations_make(url: str, engine: Engine) -> None:
    """Alembic's autogenerate finds nothing to do, and checks and indexes have the same names."""
    migrate.upgrade(engine)
    is_sqlite = engine.dialect.name == "sqlite"
    expected = SCHEMA[is_sqlite]
    with engine.connect() as connection, reflecting(connection):
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": not is_sqlite,
                "include_name": lambda name, kind, _: kind != "schema" or is_sqlite or name in (AUTH, GRAPH),
                "version_table_schema": None if is_sqlite else GRAPH,
                "compare_type": True,
            },
        )
        differences = compare_metadata(context, expected)
        # SQLite's full-text table and the tables below it are described by no class.
        assert {table.name for action, table in differences if table.name.startswith(TERMS)} == (
            {TERMS, *(f"{TERMS}_{part}" for part in ("config", "data", "idx"))} if is_sqlite else set()
        )
        assert [each for each in differences if not each[1].name.startswith(TERMS)] == []
        found = inspect(connection)
        for table in expected.sorted_tables:
            checks = {check["name"] for check in found.get_check_constraints(table.name, schema=table.schema)}
            declared = {str(c.name) for c in table.constraints if isinstance(c, CheckConstraint)}
            assert checks == declared
            indexes = {index["name"] for index in found.get_indexes(table.name, schema=table.schema)}
            assert indexes == {index.name for index in table.indexes}


def test_there_is_no_trigger_and_no_function(url: str, engine: Engine) -> None:
    """What a write does stands in the code of its writer alone: no trigger in any schema of kgl, nor what it would run.

    The triggers that PostgreSQL makes itself for foreign keys are constraints.
    """
    migrate.upgrade(engine)
    found = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if engine.dialect.name == "sqlite"
        else "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
        f" UNION ALL SELECT proname FROM pg_proc WHERE CAST(pronamespace AS regnamespace) IN ('{AUTH}', '{GRAPH}')"
    )
    with engine.connect() as connection:
        assert connection.execute(text(found)).all() == []


def test_migrating_twice_changes_nothing(url: str, engine: Engine) -> None:
    """A database at head is left as it is."""
    migrate.upgrade(engine)
    migrate.upgrade(engine)
    assert migrate.current_revision(engine) == migrate.HEAD


def test_processes_that_migrate_at_once_do_not_meet(url: str) -> None:
    """One migrates, the others wait and find nothing to do."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            connect(url, migrate=True).close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with connect(url, migrate=False) as kg:
        fill(kg)


def test_a_database_of_a_newer_kgl_is_left_alone(url: str, engine: Engine) -> None:
    """Neither opened nor migrated: nobody here knows what its tables mean."""
    migrate.upgrade(engine)
    table = migrate.VERSION_TABLE if engine.dialect.name == "sqlite" else f"{GRAPH}.{migrate.VERSION_TABLE}"
    with engine.connect() as connection:
        transaction = begin(connection)
        connection.execute(text(f"UPDATE {table} SET version_num = '9999'"))
        transaction.commit()
    for attempt in (None, True, False):
        with pytest.raises(SchemaTooNew, match="upgrade kgl"):
            connect(url, migrate=attempt)


def alembic(url: str, *arguments: str) -> str:
    """What Alembic's own command answers in a checkout."""
    answer = subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout + answer.stderr


def test_alembic_runs_from_a_checkout(url: str, engine: Engine) -> None:
    """Its settings are in pyproject.toml, its database in DATABASE_URL."""
    alembic(url, "upgrade", "head")
    assert migrate.current_revision(engine) == migrate.HEAD
    alembic(url, "downgrade", "-1")
    assert migrate.current_revision(engine) == REVISIONS[-2]
    history = alembic(url, "history")
    assert all(revision in history for revision in REVISIONS)
    alembic(url, "upgrade", "head")
    assert "No new upgrade operations" in alembic(url, "check")
    connect(url, migrate=False).close()


@pytest.fixture
def postgres_engine(postgres_server: str) -> Iterator[Engine]:
    """An engine on an empty PostgreSQL database."""
    with fresh_database(postgres_server) as fresh:
        engine = make_engine(parse_url(fresh))
        yield engine
        engine.dispose()


def test_a_migration_that_cannot_get_its_lock_gives_up(
    postgres_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits a moment for those who use the tables, and then leaves them to it, rather than queue up everybody."""
    monkeypatch.setattr(migrate, "_LOCK_TIMEOUT", "50ms")
    migrate.upgrade(postgres_engine)
    with postgres_engine.connect() as reader:
        begin_snapshot(reader, {})
        reader.execute(text(f"SELECT count(*) FROM {GRAPH}.entities"))
        with pytest.raises(StoreBusy):
            migrate.downgrade(postgres_engine, steps_below("0002"))
    assert migrate.current_revision(postgres_engine) in REVISIONS


def test_indexes_are_built_beside_an_open_writer(postgres_engine: Engine) -> None:
    """The migration waits for a writer that has begun, and meanwhile lets others write."""
    migrate.upgrade(postgres_engine)
    migrate.downgrade(postgres_engine, steps_below("0003"))
    url = postgres_engine.url.render_as_string(hide_password=False)
    insert = text(
        f"INSERT INTO {GRAPH}.entities (id, type, name, aliases, metadata, created_by, created_at, updated_at,"
        " version, sort_name) VALUES (gen_random_uuid(), 't', 'n', '[]', '{}', 'system', now(), now(), 1, 'n')"
    )
    results: list[Any] = []
    builder = threading.Thread(target=lambda: results.append(connect(url, migrate=True).close()))
    waiting = text("SELECT count(*) FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting for writers%'")
    with postgres_engine.connect() as writer:
        begin(writer)
        writer.execute(insert)
        builder.start()
        with postgres_engine.connect() as other:
            while not other.execute(waiting).scalar_one():
                assert builder.is_alive()
            other.execute(insert)
        writer.commit()
    builder.join()
    assert results == [None]
    with connect(url, migrate=False) as kg:
        assert kg.entities.count() == 2


def test_what_an_interrupted_build_left_is_built_anew(postgres_engine: Engine) -> None:
    """An index that is there, but invalid, would never be used."""
    migrate.upgrade(postgres_engine)
    migrate.downgrade(postgres_engine, steps_below("0003"))
    with postgres_engine.begin() as connection:
        connection.execute(text(f"CREATE INDEX ix_entities_type ON {GRAPH}.entities (type)"))
        index = "to_regclass('backend_entities.ix_entities_type')"
        connection.execute(text(f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = {index}"))
    migrate.upgrade(postgres_engine)
    with postgres_engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM pg_index WHERE NOT indisvalid")).scalar_one() == 0


def test_runs_are_added_again_after_an_interruption(postgres_engine: Engine) -> None:
    """Where the last step was broken off, all the steps before it are there, and the revision is still the old one."""
    migrate.upgrade(postgres_engine)
    migrate.downgrade(postgres_engine, steps_below("0011"))
    with postgres_engine.begin() as connection:
        connection.execute(text(f"UPDATE {GRAPH}.alembic_version SET version_num = '0009'"))
        index = "to_regclass('backend_entities.ix_changes_run')"
        connection.execute(text(f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = {index}"))
    migrate.upgrade(postgres_engine)
    with postgres_engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM pg_index WHERE NOT indisvalid")).scalar_one() == 0
    assert migrate.current_revision(postgres_engine) == REVISIONS[-1]


def test_one_process_migrates_again_and_again(url: str, engine: Engine) -> None:
    """psycopg prepares what a connection repeats; the lock must not hold a snapshot then, which indexes wait for."""
    for _ in range(8):
        migrate.upgrade(engine)
        migrate.downgrade(engine, len(REVISIONS))
    assert migrate.current_revision(engine) is None
