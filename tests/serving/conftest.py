"""One service for each database, for all tests of this folder."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import fresh_database
from tests.serving.service import Service, serving


@pytest.fixture(scope="package", params=["sqlite", "postgres"])
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A running service with two workers of four threads, over a database at head."""
    folder = tmp_path_factory.mktemp("service")
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), folder / "graph.db")
        with serving(f"sqlite:///{folder / 'graph.db'}", folder / "run") as running:
            yield running
        return
    server, template = (request.getfixturevalue(f"postgres_{name}") for name in ("server", "template"))
    with fresh_database(server, template) as url, serving(url, folder / "run") as running:
        yield running


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """The URL of an SQLite database at head, for what does not depend on the database."""
    shutil.copy(sqlite_template, tmp_path / "graph.db")
    return f"sqlite:///{tmp_path / 'graph.db'}"
