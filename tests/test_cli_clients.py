"""``kgl client``, as an operator types it."""

import re
import shutil
from pathlib import Path

import pytest

from kgl_adapters import connect
from tests.test_cli import kgl

SHOWN = re.compile(r"client_id {6}([0-9a-f-]{36})\nclient_secret {2}([A-Za-z0-9_-]{43})\n")


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """The URL of an SQLite database at head: what is stored where, the contract tests try."""
    shutil.copy(sqlite_template, tmp_path / "graph.db")
    return f"sqlite:///{tmp_path / 'graph.db'}"


def test_a_client_from_creation_to_deletion(sqlite_url: str) -> None:
    """Its secret is on standard output alone, each time it is made, and nowhere else."""
    told = kgl(sqlite_url, "client", "create", "Publishing", "--scope", "graph:write", "--scope", "graph:read")
    shown = SHOWN.fullmatch(told.stdout)
    assert shown
    assert "cannot be shown again" in told.stderr
    assert shown[2] not in told.stderr
    listed = kgl(sqlite_url, "client", "list").stdout
    assert listed.split() == [shown[1], "never", "expires", "graph:read", "graph:write", "Publishing"]
    again = SHOWN.fullmatch(
        kgl(sqlite_url, "client", "rotate", shown[1], "--expires-at", "2999-01-31T12:00:00Z").stdout
    )
    assert again
    assert (again[1] == shown[1], again[2] == shown[2]) == (True, False)
    assert "expires 2999-01-31 12:00Z" in kgl(sqlite_url, "client", "list").stdout
    kgl(sqlite_url, "client", "rotate", shown[1])
    assert "expires 2999-01-31 12:00Z" in kgl(sqlite_url, "client", "list").stdout
    last = SHOWN.fullmatch(kgl(sqlite_url, "client", "rotate", shown[1], "--expires-at", "never").stdout)
    assert last
    with connect(sqlite_url) as kg:
        assert kg.clients.get(shown[1]).has_secret(last[2])
        assert kg.clients.get(shown[1]).expires_at is None
    assert "is deleted" in kgl(sqlite_url, "client", "delete", shown[1]).stdout
    assert kgl(sqlite_url, "client", "list").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "says", "status"),
    [
        (["create", "ai"], "--scope", 2),
        (["create", "ai", "--scope", "admin"], "graph:read", 2),
        (["create", " ", "--scope", "graph:read"], "visible character", 1),
        (["create", "ai", "--scope", "graph:read", "--expires-at", "soon"], "such as 2027-01-31T12:00:00Z", 2),
        (["create", "ai", "--scope", "graph:read", "--expires-at", "2999-01-31"], "with a time zone", 1),
        (["create", "ai", "--scope", "graph:read", "--expires-at", "2020-01-31T00:00Z"], "a moment to come", 1),
        (["rotate", "ai"], "an id is a UUID", 1),
        (["rotate", "01890a5d-ac96-774b-bcce-b302099a8057"], "there is no client", 1),
        (["delete", "01890a5d-ac96-774b-bcce-b302099a8057"], "there is no client", 1),
    ],
)
def test_a_refused_client_says_why(sqlite_url: str, arguments: list[str], says: str, status: int) -> None:
    """And what to give instead."""
    assert says in kgl(sqlite_url, "client", *arguments, status=status).stderr
