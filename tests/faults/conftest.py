"""Databases for services that fail."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kgl_adapters import connect
from tests.postgres import fresh_database


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database at head that the test has for itself."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "graph.db")
        yield f"sqlite:///{tmp_path / 'graph.db'}"
        return
    with fresh_database(request.getfixturevalue("postgres_server")) as url:
        connect(url, migrate=True).close()
        yield url
