"""``kgl check`` as an operator types it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from kgl_adapters import connect
from tests.contract.damage import Sample, fill, raw
from tests.test_cli import kgl


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "graph.db"


@pytest.fixture
def sample(file: Path) -> Sample:
    """What is in it."""
    with connect(f"sqlite:///{file}") as kg:
        return fill(kg)


def damage(file: Path, sample: Sample) -> None:
    """Do something that can be mended, and something that can't."""
    with raw(f"sqlite:///{file}") as on:
        on.run(
            "UPDATE entities SET sort_name = 'zzz', name = name || char(27) WHERE id = {ada}",
            "UPDATE changes SET action = 'exploded' WHERE subject_id = {note}",
            ada=sample.ada.id,
            note=sample.note.id,
        )


def test_a_clean_database_is_said_to_be_clean(file: Path, sample: Sample) -> None:
    """With how much was looked at, and status 0."""
    told = kgl(f"sqlite:///{file}", "check").stdout
    assert told.startswith(
        "Looked at 3 entities, 2 relationships, 12 changes, 0 runs, 0 sources, 0 extractors, 0 extractions, "
        "0 assertions, 1 users"
    )
    assert told.endswith("\nNo faults.\n")
    assert json.loads(kgl(f"sqlite:///{file}", "check", "--json").stdout)["is_clean"] is True


def test_faults_are_told_with_examples_and_the_way_out(file: Path, sample: Sample) -> None:
    """Each kind with its count, its records, what it means and what to do; a terminal is given nothing to obey."""
    damage(file, sample)
    told = kgl(f"sqlite:///{file}", "check", status=1).stdout
    assert "Fault stale_sort_name (1): entities whose sort_name is not what their name makes\n" in told
    assert f"entity {sample.ada.id}\n" in told
    assert "Fault unreadable_change (3): changes that cannot be read\n" in told
    assert "It means: " in told
    assert "kgl export" in told
    assert "Back up, then run `kgl check --repair`." in told
    assert "\x1b" not in told
    found: dict[str, Any] = json.loads(kgl(f"sqlite:///{file}", "check", "--json", status=1).stdout)
    assert found["is_clean"] is False
    assert {fault["code"]: fault["count"] for fault in found["faults"]} == {
        "stale_sort_name": 1,
        "unreadable_change": 3,
        "record_differs": 1,
    }
    assert [note["code"] for note in found["notes"]] == ["refused_today"]


def test_a_repair_mends_and_tells_what_is_left(file: Path, sample: Sample) -> None:
    """Status 1 as long as something is."""
    damage(file, sample)
    told = kgl(f"sqlite:///{file}", "check", "--repair", status=1).stdout
    assert "Mended stale_sort_name (1): " in told
    assert "Mended record_differs (1): " in told
    assert "Fault unreadable_change (3): changes that cannot be read\n" in told
    assert "stale_sort_name" not in kgl(f"sqlite:///{file}", "check", status=1).stdout


def test_without_repair_nothing_is_written(file: Path, sample: Sample) -> None:
    """Not one byte, damage or none; and a file that can't be written is looked at all the same."""
    damage(file, sample)
    with raw(f"sqlite:///{file}") as on:
        on.run("PRAGMA wal_checkpoint(TRUNCATE)")
    before = hashlib.sha256(file.read_bytes()).digest()
    told = kgl(f"sqlite:///{file}", "check", status=1).stdout
    read_only = f"sqlite:///file:{file}?mode=ro&immutable=1&uri=true"
    assert kgl(read_only, "check", status=1).stdout == told
    assert "read-only" in kgl(read_only, "check", "--repair", status=1).stderr
    assert hashlib.sha256(file.read_bytes()).digest() == before


def test_a_file_that_is_no_database_is_said_to_be_none(file: Path) -> None:
    """As by every command."""
    file.write_bytes(b"no database at all " * 300)
    assert "no intact SQLite database" in kgl(f"sqlite:///{file}", "check", status=1).stderr


def test_missing_tables_and_indexes_are_named(file: Path, sample: Sample) -> None:
    """With the one way out; no migration and no repair makes again what was in them."""
    with raw(f"sqlite:///{file}") as on:
        on.run("DROP TABLE kept_answers")
    for arguments in (["check"], ["check", "--repair"]):
        told = kgl(f"sqlite:///{file}", *arguments, status=1).stdout
        assert "    table kept_answers\n    index ix_kept_answers_expires_at\n" in told
        assert "Next: restore a backup" in told
        assert "then run" not in told
