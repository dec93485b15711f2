"""SQLite's files: made for their owner alone, since they hold password hashes."""

from __future__ import annotations

import os
import shlex
import warnings
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from sqlalchemy import URL

_OWNER_ONLY: Final = 0o600
_COMPANIONS: Final = ("", "-wal", "-shm", "-journal")


def database_file(url: URL) -> Path | None:
    """The file that an SQLite URL names; None for a database in memory, and for other stores."""
    name = url.database
    if url.drivername != "sqlite" or name in (None, "", ":memory:"):
        return None
    if not is_uri(url):
        return Path(str(name)).absolute()
    name = unquote(urlsplit(str(name)).path)
    return None if name == ":memory:" or url.query.get("mode") == "memory" else Path(name)


def is_uri(url: URL) -> bool:
    """Whether SQLite reads the name as a URI (https://www.sqlite.org/uri.html)."""
    return "uri" in url.query and str(url.database).startswith("file:")


def make_private(file: Path) -> None:
    """Make an empty file for its owner alone, whatever the umask, unless there is one.

    It is a new database to SQLite, which gives its -wal and -shm the same mode.
    """
    try:
        made = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
    except OSError:
        return  # it is there; or it can't be made, and SQLite will say so
    os.fchmod(made, _OWNER_ONLY)
    os.close(made)


def advice_on_modes(url: URL) -> str | None:
    """What to tell the owner of database files that others may use, with the command to run; None when all is well."""
    file = database_file(url)
    if file is None or os.name != "posix":
        return None
    loose = [path for suffix in _COMPANIONS if _is_loose(path := f"{file}{suffix}")]
    if not loose:
        return None
    return (
        f"other users of this machine can read or change {loose[0]}, and it holds password hashes: "
        f"run {shlex.join(['chmod', '600', *loose])}"
    )


def warn_of_modes(url: URL) -> None:
    """Give this advice as a UserWarning, which Python shows once."""
    if advice := advice_on_modes(url):
        warnings.warn(advice, stacklevel=3)


def _is_loose(path: str) -> bool:
    try:
        return bool(os.stat(path).st_mode & 0o077)
    except OSError:
        return False
