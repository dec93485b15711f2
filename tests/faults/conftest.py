"""Databases for services that fail."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database at head that the test has for itself."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "graph.db")
        return f"sqlite:///{tmp_path / 'graph.db'}"
    url: str = request.getfixturevalue("own_postgres_url")
    return url
