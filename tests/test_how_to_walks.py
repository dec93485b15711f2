"""The pages on walks and lists, followed to the letter: examples, requests and commands do what the pages say."""

import doctest
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from tests.http.conftest import making_apis
from tests.test_cli import kgl

ROOT = Path(__file__).parent.parent
PAGES = ("see-what-is-around", "find-paths", "look-at-a-subgraph", "filter-lists", "find-by-name", "link-names")
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
REQUEST = re.compile(r"^```http\n(GET|POST) (\S+)\n(.*?)```\n\n```json\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ kgl (.*)\n((?:(?!\$ |```).*\n)*)", re.MULTILINE)
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.mark.parametrize("page", PAGES)
def test_the_page_can_be_followed(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From an empty folder with the demo graph in it; the requests are to the database that the examples made."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    text = (ROOT / f"docs/how-to/{page}.md").read_text()
    examples = doctest.DocTestParser().get_doctest("\n".join(PYTHON.findall(text)), {}, page, page, 0)
    outcome = doctest.DocTestRunner().run(examples, clear_globs=False)
    assert (outcome.failed, outcome.attempted >= 8) == (0, True)
    [database] = tmp_path.glob("*.db")
    ids = {name: str(value.id) for name, value in examples.globs.items() if hasattr(value, "id")}
    requests = REQUEST.findall(text)
    assert requests
    with making_apis(f"sqlite:///{database}") as make:
        api = make()
        for method, target, body, expected in requests:
            path, _, query = put_in(ids, target).partition("?")
            sent = {"body": put_in(ids, body), "headers": {"Content-Type": "application/json"}} if body else {}
            answer = api(method, path, query_string=query, **sent)
            assert answer.status_code == 200, answer.text
            check(json.loads(UUID.sub("ID", answer.text)), json.loads(expected))
    for command, told in COMMAND.findall(text):
        assert kgl(f"sqlite:///{database}", *shlex.split(command)).stdout == told


def put_in(ids: dict[str, str], text: str) -> str:
    """The text with an id in place of each name in braces."""
    return re.sub(r"\{(\w+)\}", lambda name: ids[name[1]], text)


def check(answer: Any, expected: Any) -> None:
    """What a page shows of an answer is so; what it leaves out may be anything. Lists are whole, in any order."""
    if isinstance(expected, dict):
        for name, value in expected.items():
            check(answer[name], value)
    elif isinstance(expected, list):
        assert sorted(map(json.dumps, answer)) == sorted(map(json.dumps, expected))
    else:
        assert answer == expected
