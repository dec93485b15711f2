"""``kgl runs`` and ``kgl import --title``, as an operator types them."""

import re
import shutil
from pathlib import Path

import pytest

from kgl_adapters import connect
from tests.test_cli import kgl

LINES = (
    '{"kind": "entity", "key": "ada", "type": "person", "name": "Ada"}\n'
    '{"kind": "entity", "key": "bob", "type": "person", "name": "Bob"}\n'
)


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """The URL of an SQLite database at head: what is stored where, the contract tests try."""
    shutil.copy(sqlite_template, tmp_path / "graph.db")
    return f"sqlite:///{tmp_path / 'graph.db'}"


def test_runs_are_listed_the_latest_first(sqlite_url: str, tmp_path: Path) -> None:
    """With id, beginning, state, kind, counts, who began it and title; what is not counted yet is said so."""
    assert kgl(sqlite_url, "runs").stdout == ""
    file = tmp_path / "people.ndjson"
    file.write_text(LINES)
    told = kgl(sqlite_url, "import", "--title", "people", str(file)).stdout
    id = re.search(r"^The run is ([0-9a-f-]{36})\.$", told, re.MULTILINE)
    assert id
    kgl(sqlite_url, "import", str(file))
    with connect(sqlite_url) as kg:
        open_one = kg.runs.open("by hand")
    last, again, first = kgl(sqlite_url, "runs").stdout.splitlines()
    when = r"\d{4}-\d\d-\d\d \d\d:\d\dZ"
    assert re.fullmatch(rf"{open_one.id}  {when}  open       opened  not counted yet  system  by hand", last)
    assert re.fullmatch(rf"[0-9a-f-]{{36}}  {when}  completed  load    no changes       system", again)
    assert re.fullmatch(rf"{id[1]}  {when}  completed  load    2 created        system  people", first)
    assert kgl(sqlite_url, "runs", "--limit", "1").stdout.splitlines() == [last]


def test_an_import_without_a_title_does_not_speak_of_runs(sqlite_url: str, tmp_path: Path) -> None:
    """Nor does one that keeps nothing."""
    file = tmp_path / "people.ndjson"
    file.write_text(LINES)
    assert "run" not in kgl(sqlite_url, "import", str(file)).stdout
    assert "The run" not in kgl(sqlite_url, "import", "--dry-run", "--title", "people", str(file)).stdout


@pytest.mark.parametrize("limit", ["0", "201", "many"])
def test_a_limit_is_a_page(sqlite_url: str, limit: str) -> None:
    """As in every listing."""
    assert "--limit" in kgl(sqlite_url, "runs", "--limit", limit, status=2).stderr


def test_a_title_too_long_is_refused(sqlite_url: str, tmp_path: Path) -> None:
    """Before anything is loaded."""
    file = tmp_path / "people.ndjson"
    file.write_text(LINES)
    assert "/title" in kgl(sqlite_url, "import", "--title", "x" * 201, str(file), status=1).stderr
    assert kgl(sqlite_url, "runs").stdout == ""
