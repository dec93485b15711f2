"""kgl is installed under the name of its own distribution, wherever it says how to install something."""

import re
import shlex
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest

from kgl_core.distribution import DISTRIBUTION

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"].keys()
WRITTEN = [
    path
    for pattern in ("*.md", "Makefile", "Dockerfile", "docker-compose.yml", ".env.example", ".ci/*", "docs/**/*")
    for path in ROOT.glob(pattern)
    if path.is_file()
]
SOURCES = [path for package in ("kgl_core", "kgl_adapters", "kgl_http") for path in (ROOT / package).rglob("*.py")]
OTHERS: set[str] = set()
"""Other distributions that kgl tells people to install, each on purpose."""

TAKES_A_VALUE = {"-r", "--requirement", "-c", "--constraint", "--index-url", "--find-links", "--target"}


def installed_by(text: str) -> list[str]:
    """What the commands in ``text`` install: requirements, without options and without files that list them."""
    text = text.replace("{DISTRIBUTION}", DISTRIBUTION).replace("\\\n", " ")
    found = []
    for command in re.findall(r"\b(?:pip3?|pipx|uv|uvx)\b(?: install| add| run)+\b([^\n`;&|)]*)", text):
        quoted = re.match(r"(?:[^'\"]|'[^']*'|\"[^\"$]*\")*", command)
        words = shlex.split(quoted[0] if quoted else "")
        options = {index for index, word in enumerate(words) if word in TAKES_A_VALUE}
        found += [
            word
            for index, word in enumerate(words)
            if not word.startswith("-") and index not in options and index - 1 not in options
        ]
    return found


def is_ours_or_meant(requirement: str) -> bool:
    """Whether a requirement is a path, this distribution with extras that it has, or another that is meant."""
    name, _, extras = requirement.partition("[")
    if extras and not set(extras.removesuffix("]").split(",")) <= set(EXTRAS):
        return False
    return name in {".", DISTRIBUTION, *OTHERS} or "/" in name


@pytest.mark.parametrize("path", [*WRITTEN, *SOURCES], ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_tells_people_to_install_a_stranger_s_package(path: Path) -> None:
    """Each `pip install` in a document, a file of the image or a message is of kgl's own distribution."""
    text = path.read_text()
    assert [requirement for requirement in installed_by(text) if not is_ours_or_meant(requirement)] == []
    assert not re.search(r"\bkgl\[", text), "kgl is the name of the command; the distribution has another"


def test_the_scan_finds_what_would_be_wrong() -> None:
    """The names that a reader would install, in every way that a command is written."""
    text = """pip install 'kgl[postgres]'
    `pip install --upgrade kgl`, or (pip install "kgl-backend[extra]")
    x/bin/pip3 install --require-hashes -r some.lock -c pins kgl && uv pip install kgl==1; pipx install kgl
    raise Error(f"pip install '{DISTRIBUTION}[service]'")
    pip install --no-deps . && pip install dist/*.whl"""
    wrong = ["kgl[postgres]", "kgl", "kgl-backend[extra]", "kgl", "kgl==1", "kgl"]
    right = [f"{DISTRIBUTION}[service]", ".", "dist/*.whl"]
    assert installed_by(text) == wrong + right
    assert [requirement for requirement in wrong + right if is_ours_or_meant(requirement)] == right


def test_the_messages_name_the_distribution() -> None:
    """Without the driver or the web server's packages, the command says which extra brings them."""
    for missing, url, command, extra in (
        ("psycopg", "postgresql://nobody@localhost/none", "stats", "postgres"),
        ("gunicorn", "sqlite://", "serve", "service"),
    ):
        program = f"import sys; sys.modules[{missing!r}] = None; from kgl_http.cli.main import main; main()"
        told = subprocess.run(
            [sys.executable, "-c", program, "--database-url", url, command],
            capture_output=True,
            text=True,
            check=False,
        )
        assert told.returncode == 1
        assert f"pip install '{DISTRIBUTION}[{extra}]'" in told.stderr
        assert "Traceback" not in told.stderr


def test_the_distribution_is_what_the_code_calls_it() -> None:
    """The name in pyproject.toml, the installed metadata and the constant are one; the command stays `kgl`."""
    installed = distribution(DISTRIBUTION)
    assert (PROJECT["name"], PROJECT["version"]) == (DISTRIBUTION, installed.version)
    assert [(entry.group, entry.name) for entry in installed.entry_points] == [("console_scripts", "kgl")]
