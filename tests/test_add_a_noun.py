"""The page on adding a noun: followed to the letter on a copy of kgl, it gives a noun that does all it promises."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import program

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/how-to/add-a-noun.md"
BLOCK = re.compile(r"^### (\S+)\n\n```(python|diff)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES_MAX = 9
"""How many files outside of the tests a noun may cost."""

TESTS = [
    "tests/contract/kernel/test_repositories.py",
    "tests/http/api/test_permissions.py::test_every_route_is_in_the_table",
    "tests/http/graph/test_topics.py",
    "tests/test_architecture.py",
    "tests/test_docs.py::test_the_readme_lists_every_route",
    "tests/test_docs.py::test_the_picture_shows_the_house_as_it_is",
    "tests/test_migrations.py::test_every_migration_runs_up_and_down_with_data_in_the_tables[sqlite]",
    "tests/test_migrations.py::test_tables_in_code_are_what_the_migrations_make",
]
OF_TOPICS = "topic or every_noun or every_route or outgrows or import_each_other or docs or migrations"
"""Of the contract, what other nouns do is known already."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the checkout, as far as it is under version control or could be."""
    listing = [program("git"), "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, tmp_path / name)
    return tmp_path


def follow(page: str, root: Path) -> list[str]:
    """Do in ``root`` what the page says. Returns the paths of the files that it wrote or changed."""
    blocks = BLOCK.findall(page)
    assert len(blocks) == page.count("\n### ") == page.count("\n```") / 2, "each block stands below the name of a file"
    for path, kind, text in blocks:
        if kind == "python":
            assert not (root / path).exists(), f"{path} is there already"
            (root / path).write_text(text)
        else:
            (root / path).write_text(changed((root / path).read_text(), text, path))
    return [path for path, _, _ in blocks]


def changed(text: str, diff: str, path: str) -> str:
    """The text with the hunks of a diff, which are separated by lines of @@."""
    text = f"\n{text}"
    for hunk in re.split(r"^@@\n", diff, flags=re.MULTILINE):
        lines = [line or " " for line in hunk.splitlines()]
        assert {line[0] for line in lines} <= {" ", "+", "-"}, (
            f"in the change of {path}, begin each line with + - or blank"
        )
        before, after = ("".join(f"\n{line[1:]}" for line in lines if line[0] != left_out) for left_out in "+-")
        assert f"{text}\n".count(f"{before}\n") == 1, f"{path} has these lines not once:{before}"
        text = f"{text}\n".replace(f"{before}\n", f"{after}\n")[:-1]
    return text[1:]


def run(root: Path, *command: str, **environment: str) -> None:
    """Run a command in the copy, which must succeed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "KGL_", "DATABASE_"))}
    done = subprocess.run(
        [str(Path(sys.executable).parent / command[0]), *command[1:]],
        cwd=root,
        env={**kept, "PYTHONPATH": str(root), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_who_follows_the_page_gets_a_noun(copy: Path, postgres_server: str) -> None:
    """In no more files than it says, in the style of the house, and with all that records can do, on every store."""
    paths = follow(PAGE.read_text(), copy)
    assert len({path for path in paths if not path.startswith("tests/")}) <= FILES_MAX
    code = [path for path in paths if path.endswith(".py")]
    run(copy, "ruff", "format", "--check", *code)
    run(copy, "ruff", "check", *code)
    run(copy, "lint-imports", "--no-cache", "--no-logo")
    run(copy, "mypy")
    tests = ["-p", "no:cacheprovider", "-q", "-k", OF_TOPICS, *TESTS]
    run(copy, "python", "-m", "pytest", *tests, KGL_TEST_DATABASE_URL=postgres_server)
