"""A load that is killed has kept whole transactions, and goes on where it was when it is started again."""

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import NullPool, create_engine, text

from kgl_adapters import connect
from kgl_adapters.sql.engine.engines import parse_url
from kgl_core import Change, KnowledgeGraph, Relationship

KILLS: Final = 50
BATCH: Final = 100
BATCHES: Final = KILLS + 10
KILLED: Final = "kgl-killed-load"
CHECKOUT: Final = Path(__file__).parents[2]


def records() -> Iterator[dict[str, Any]]:
    """Entities and relationships, mixed, so that every batch has both."""
    chance = random.Random(5)
    for number in range(BATCHES * BATCH):
        if number < 2 or number % 5 < 2:
            yield {"kind": "entity", "type": "person", "key": f"e{number}", "name": f"Ada {number}", "aliases": ["A"]}
            continue
        # The source is the last entity; each of the three relationships that follow it has a type of its own.
        source = number - number % 5 + 1
        target = chance.randrange(source // 5 + 1) * 5
        yield {
            "kind": "relationship",
            "source_entity_key": f"e{source}",
            "relationship_type": f"type_{number % 5}",
            "target_entity_key": f"e{target}",
            "confidence": 0.5,
        }


@contextmanager
def loading(url: str, file: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that loads the file; killed at the end if it still runs."""
    if not url.startswith("sqlite"):
        url += f"&application_name={KILLED}"
    command = [sys.executable, "-m", "tests.soak.loader", url, str(file), str(BATCH)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT) as process:
        try:
            yield process
        finally:
            process.kill()


def kill_within(url: str, file: Path, commits: int, statements: int) -> None:
    """Start the load and kill it a number of statements after its ``commits``-th commit."""
    with loading(url, file) as process:
        assert process.stdout is not None
        told = iter(process.stdout)
        for _ in range(commits):
            while next(told) != "commit\n":
                pass
        for _ in range(statements):
            assert not next(told).startswith("done")
        process.kill()
    assert process.returncode == -9


def statements_of_a_batch(url: str, file: Path) -> int:
    """How many statements and commits an undisturbed load tells of, for each batch."""
    with loading(url, file) as process:
        assert process.stdout is not None
        *told, done = process.stdout
    assert done.startswith("done")
    return len(told) // told.count("commit\n")


def wait_for_server(url: str) -> None:
    """Return when PostgreSQL has noticed that the killed process is gone."""
    if url.startswith("sqlite"):
        return
    engine = create_engine(parse_url(url), poolclass=NullPool)
    with engine.connect() as connection:
        ended = text("SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE application_name = :name")
        assert all(connection.execute(ended, {"name": KILLED}).scalars())


def check_intact(url: str) -> None:
    """SQLite finds no fault in its file."""
    if not url.startswith("sqlite"):
        return
    engine = create_engine(parse_url(url), poolclass=NullPool)
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA integrity_check")).scalars().all() == ["ok"]
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []


def log(kg: KnowledgeGraph) -> list[Change]:
    """All changes."""
    found: list[Change] = []
    while page := kg.changes(after=found[-1].cursor if found else None, limit=200).items:
        found += page
    return found


def kept_batches(kg: KnowledgeGraph, names: Sequence[str]) -> int:
    """How many batches the graph holds, once it is sure that it holds these wholly, and nothing else."""
    changes, dumped = log(kg), list(kg.dump())
    assert Counter(str(change.record.id) for change in changes) == Counter(record["id"] for record in dumped)
    assert {change.action for change in changes} <= {"created"}
    entities = {record["id"]: record["key"] for record in dumped if record["kind"] == "entity"}
    found = set(entities.values())
    for change in changes:
        if isinstance(change.record, Relationship):
            source, target = (entities[str(end)] for end in change.record.ends)
            found.add(f"{source} {change.record.relationship_type} {target}")
    assert len(found) == len(dumped)
    assert found == set(names[: len(found)])
    assert len(found) % BATCH == 0
    return len(found) // BATCH


def name(record: dict[str, Any]) -> str:
    """What a record is known by."""
    if record["kind"] == "entity":
        return str(record["key"])
    return f"{record['source_entity_key']} {record['relationship_type']} {record['target_entity_key']}"


@pytest.mark.soak
@pytest.mark.parametrize("store_name", ["sqlite", "postgres"])
def test_killed_loads_keep_whole_transactions(empty_url: Callable[[str], str], tmp_path: Path, store_name: str) -> None:
    """However often: every batch is kept wholly, with its changes, or not at all; and the last load completes it."""
    file, start = tmp_path / "records.ndjson", tmp_path / "start.ndjson"
    all_records = list(records())
    names = [name(record) for record in all_records]
    assert len(set(names)) == len(all_records) == BATCHES * BATCH
    lines = [json.dumps(record) + "\n" for record in all_records]
    file.write_text("".join(lines))
    start.write_text("".join(lines[: 4 * BATCH]))
    statements = statements_of_a_batch(empty_url(store_name), start)
    url = empty_url(store_name)
    chance = random.Random(store_name)
    batches = 0
    for _ in range(KILLS):
        kill_within(url, file, batches, chance.randrange(1, 2 * statements))
        wait_for_server(url)
        check_intact(url)
        with connect(url, migrate=False) as kg:
            kept = kept_batches(kg, names)
        assert batches <= kept <= batches + 2
        batches = kept
    with loading(url, file) as process:
        assert process.stdout is not None
        *_, done = process.stdout
    assert done.split()[2:] == [str((BATCHES - batches) * BATCH), "0", str(batches * BATCH), "0"]
    with connect(url, migrate=False) as kg:
        assert kept_batches(kg, names) == BATCHES
