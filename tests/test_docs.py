"""The documents hold true: their examples run, their links lead somewhere, their tables match the code."""

import doctest
import re
import secrets
import subprocess
import sys
from pathlib import Path

import attrs
import click
import falcon.inspect
import pytest
from prometheus_client.parser import text_string_to_metric_families

from kgl_core.kernel.permissions import ROLE_GRANTS, Action
from kgl_core.storage.loading.load import BATCH_RECORDS_MAX
from kgl_http.cli.main import main
from kgl_http.container import Container
from kgl_http.server.metrics import Metrics
from kgl_http.settings import Settings, read_settings
from tests.picture import COMMAND, PAGE, drawn

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_the_examples_of_the_readme_run(tmp_path, monkeypatch):
    """What the README shows is what a reader gets."""
    monkeypatch.chdir(tmp_path)
    text = re.sub(r"^```.*$", "", (ROOT / "README.md").read_text(), flags=re.MULTILINE)
    example = doctest.DocTestParser().get_doctest(text, {}, "README.md", "README.md", 0)
    assert len(example.examples) >= 3
    outcome = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example)
    assert outcome.failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page):
    """Every relative link names a file that is there, and a heading in it where it names one."""
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        path, _, heading = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(), flags=re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings}, target


PATH = re.compile(r"(?:(?:kgl_\w+|tests|docs|migrations)/[\w./-]*|\w+\.py)(?:::\w+)?")


def named_in(text):
    """The files, folders and tests that a text names in its code spans, each as a path."""
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return {word for span in spans for word in span.split() if PATH.fullmatch(word)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_pages_name_are_there(page):
    """A file or folder is named by its path from the top, so that it can be opened and moved along."""
    missing = []
    for name in sorted(named_in(page.read_text())):
        path, _, test = name.partition("::")
        if not (ROOT / path).exists() or (test and f"\ndef {test}(" not in (ROOT / path).read_text()):
            missing.append(name)
    where = page.relative_to(ROOT)
    assert missing == [], f"{where} names what is not there: give the present paths, from the top of the repository"


def test_the_page_on_architecture_answers_enough_questions():
    """Its table has twenty questions or more, each with a file to open."""
    table = PAGE.read_text().partition("## Where to look for what")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+\?) \| (.+) \|$", table, re.MULTILINE)
    assert len(rows) >= 20
    assert [question for question, answer in rows if not named_in(answer)] == []


def test_the_picture_shows_the_house_as_it_is():
    """Rooms, their imports and what they say of themselves are drawn from the code."""
    page = PAGE.read_text()
    assert "\n| `kgl_core/kernel/` | " in page
    assert page == drawn(page), f"docs/architecture.md shows another house than the code. To draw it anew: {COMMAND}"


def entries():
    """What every setting says of itself."""
    return [field.metadata["environ_config"] for field in attrs.fields(Settings)]


def test_the_readme_lists_every_setting():
    """Each variable stands in the README with its default and its meaning, and no other does."""
    rows = dict(re.findall(r"^\| `([A-Z_]+)` \| (.* \| .*) \|$", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert rows == {entry.name: f"{shown(entry.default)} | {entry.help}" for entry in entries()}


def shown(default):
    """A default as one writes it."""
    if default == "":
        return "none"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_the_readme_lists_every_route():
    """Each path with its methods stands in the README's table, and no other does."""
    text = (ROOT / "README.md").read_text()
    container = Container(settings=read_settings({"DATABASE_URL": "memory://", "JWT_SECRET": secrets.token_hex()}))
    container.init_resources()
    served = {
        route.path: {method.method for method in route.methods if not method.internal} - {"HEAD"}
        for route in falcon.inspect.inspect_routes(container.app())
    }
    container.shutdown_resources()
    rows = re.findall(r"^\| ([A-Z, ]+) \| `(/[^`]*)` \| .+ \|$", text, re.MULTILINE)
    assert {path: set(methods.split(", ")) for methods, path in rows} == served


def test_every_metric_is_documented():
    """The names that a scrape finds stand in the reference, and no others do."""
    documented = set(re.findall(r"^\| `(kgl_\w+)` \|", (ROOT / "docs/reference/http.md").read_text(), re.MULTILINE))
    families = text_string_to_metric_families(Metrics().render().decode())
    found = {f"{family.name}{'_total' if family.type == 'counter' else ''}" for family in families}
    assert documented == {name for name in found if not name.endswith("_created")}


def test_the_readme_lists_every_command():
    """Each command of ``kgl`` stands in the README's table."""
    text = (ROOT / "README.md").read_text()
    for name, command in main.commands.items():
        assert f"`kgl {name}" in text
        if isinstance(command, click.Group):
            for sub in command.commands:
                assert sub in text


def test_the_permission_table_matches_the_code():
    """The columns of people's roles say what the code grants."""
    text = (ROOT / "docs/reference/library.md").read_text()
    rows = {
        "read": Action.READ,
        "create": Action.CREATE,
        "change and delete": Action.CHANGE,
        "restore": Action.RESTORE,
        "rank sources and extractors, withdraw sources": Action.RANK,
        "manage users": Action.MANAGE_USERS,
        "manage service clients": Action.MANAGE_CLIENTS,
        "operate the service": Action.OPERATE,
    }
    assert set(rows.values()) == set(Action)
    for label, action in rows.items():
        found = re.search(rf"^\| {label} \| (.*) \| (.*) \| (.*) \| .* \| .* \|$", text, re.MULTILINE)
        assert found, label
        for cell, grants in zip(found.groups(), ROLE_GRANTS.values(), strict=True):
            granted = grants.get(action)
            assert cell == "no" if granted is None else cell in {"yes", granted.name.lower()}


def test_the_batch_size_is_the_documented_one():
    """The number of records in a transaction is a promise of the format's page."""
    assert f"up to {BATCH_RECORDS_MAX:,} records" in (ROOT / "docs/reference/ndjson.md").read_text()


def test_the_example_of_the_format_loads(tmp_path):
    """The lines that the format's page shows load as they stand."""
    text = (ROOT / "docs/reference/ndjson.md").read_text()
    example = re.search(r"```json\n(.*?)```", text, re.DOTALL)
    assert example
    (tmp_path / "example.ndjson").write_text(example[1])
    answer = subprocess.run(
        [
            sys.executable,
            "-c",
            "from kgl_adapters import connect; print(connect('memory://').load(open('example.ndjson')))",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "created=3" in answer.stdout
    assert "refused=0" in answer.stdout
