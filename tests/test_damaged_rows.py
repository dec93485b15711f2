"""One damaged row: whatever reads it says so in one way, and an export saves the others."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kgl_adapters import connect
from kgl_core import KnowledgeGraph, UnreadableRow
from tests.contract.damage import Sample, fill, raw
from tests.http.conftest import making_apis, problem
from tests.test_cli import kgl

DAMAGES = {
    "metadata": """'{{"a":NaN}}'""",
    "created_by": "''",
    "created_at": "9223372036854775807",
    "aliases": "'['",
    "name": "CAST(x'ff41' AS TEXT)",
}
NOT_AN_OBJECT = {"metadata": "'[1]'", "aliases": """'{{"a":1}}'"""}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "graph.db"


@pytest.fixture
def sample(file: Path) -> Sample:
    """What is in it."""
    with connect(f"sqlite:///{file}") as kg:
        return fill(kg)


def damage(file: Path, sample: Sample, column: str, value: str) -> None:
    """Write this into a column of the sample's first entity."""
    with raw(f"sqlite:///{file}") as on:
        on.run(f"UPDATE entities SET {column} = {value} WHERE id = {{ada}}", ada=sample.ada.id)


@pytest.mark.parametrize(("column", "value"), [*DAMAGES.items(), *NOT_AN_OBJECT.items()])
def test_what_reads_a_damaged_row_says_so(file: Path, sample: Sample, column: str, value: str) -> None:
    """In every way of reading, with the same error; others are read as ever."""
    damage(file, sample, column, value)
    reads: list[Callable[[KnowledgeGraph], object]] = [
        lambda kg: kg.entities.get(sample.ada.id),
        lambda kg: kg.entities.get_by_key("a"),
        lambda kg: kg.entities.list(),
        lambda kg: kg.entities.list_json({}, sort="created_at", limit=50, cursor=None),
        lambda kg: kg.entities.get_many(ids=[sample.ada.id]),
        lambda kg: list(kg.dump()),
    ]
    with connect(f"sqlite:///{file}") as kg:
        for read in reads:
            with pytest.raises(UnreadableRow, match="kgl check"):
                read(kg)
        assert kg.entities.get(sample.note.id) == sample.note


@pytest.mark.parametrize("record", ["5", "[]", "{{", '{{"id": 1}}'])
def test_a_damaged_change_stops_the_feed_with_the_same_error(file: Path, sample: Sample, record: str) -> None:
    """It is not passed over: who follows would miss it."""
    with raw(f"sqlite:///{file}") as on:
        on.run(f"UPDATE changes SET record = '{record}' WHERE sequence = 3")
    with connect(f"sqlite:///{file}") as kg, pytest.raises(UnreadableRow, match="row 3 of changes"):
        kg.changes()


@pytest.mark.parametrize(("column", "value"), DAMAGES.items())
def test_an_export_saves_the_others_and_names_what_is_damaged(
    file: Path, sample: Sample, column: str, value: str, tmp_path: Path
) -> None:
    """With status 1, to a file and to standard output."""
    damage(file, sample, column, value)
    answer = kgl(f"sqlite:///{file}", "export", status=1)
    assert [json.loads(line)["id"] for line in answer.stdout.splitlines()] == [
        *sorted(str(each.id) for each in (sample.note, sample.gone)),
        *sorted(str(each.id) for each in (sample.edge, sample.gone_edge)),
    ]
    assert f"entity {sample.ada.id} is damaged" in answer.stderr
    assert ("text that is not UTF-8" in answer.stderr) is (column == "name")
    copy = tmp_path / "copy.ndjson"
    kgl(f"sqlite:///{file}", "export", "--output", str(copy), status=1)
    assert copy.read_text() == answer.stdout


@pytest.mark.parametrize(("column", "value"), DAMAGES.items())
def test_over_http_a_damaged_row_is_a_problem(file: Path, sample: Sample, column: str, value: str) -> None:
    """A stable code, and no word of what the row holds; an export is refused, never cut short in silence."""
    damage(file, sample, column, value)
    with making_apis(f"sqlite:///{file}") as make:
        api = make()
        for path in ("/api/v1/entities", f"/api/v1/entities/{sample.ada.id}", "/api/v1/export"):
            problem(api("GET", path), 500, "unreadable_row")
