"""SQLite's files: made for their owner alone, since they hold password hashes, and missed when they are gone."""

from __future__ import annotations

import os
import shlex
import warnings
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from sqlalchemy import URL

from kgl_core.kernel.store_errors import StoreReplaced

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


class OpenFile:
    """The file that the connections of an engine have open; it tells when none, or another, is in its place.

    What is written to a file that has no name any more is lost when its last connection closes.
    """

    def __init__(self, file: Path) -> None:
        self._file = os.path.abspath(file)
        self._identity: tuple[int, int] | None = None

    def note(self) -> None:
        """Take note of the file at the first connection. Raises StoreReplaced where a later one has another."""
        if self._identity is None:
            self._identity = self._find()
        self.require_in_place()

    def require_in_place(self) -> None:
        """Raise StoreReplaced where the file has been deleted or replaced since. It takes about a microsecond."""
        if self._identity is not None and self._find() != self._identity:
            raise StoreReplaced(self._file)

    def _find(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._file)
        except OSError:
            return None
        return found.st_dev, found.st_ino


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
