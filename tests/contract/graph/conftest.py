"""A store of each kind that can be backed up and restored."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import STORES
from tests.contract.restoring import Archive, archive_of


@pytest.fixture(params=STORES)
def archive(
    request: pytest.FixtureRequest, sqlite_template: Path, tmp_path: Path, postgres_server: str, postgres_template: str
) -> Iterator[Archive]:
    """An empty store that can be backed up and restored."""
    with archive_of(request.param, sqlite_template, tmp_path, postgres_server, postgres_template) as made:
        yield made
