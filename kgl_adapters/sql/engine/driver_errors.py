"""Translates a driver's errors to ours: by SQLSTATE and constraint name, or by SQLite's message."""

from __future__ import annotations

import re
import sqlite3
from typing import Any, Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from kgl_core.kernel.errors import AlreadyExists, KglError, NotFound, TransactionConflict
from kgl_core.kernel.store_errors import (
    MigrationNeeded,
    StatementTimeout,
    StoreBusy,
    StoreFault,
    StoreFull,
    StoreReadOnly,
    StoreUnavailable,
    UnreadableRow,
)

_UNIQUE: Final[dict[str, tuple[str, str]]] = {}
"""What is unique, as the kind of record and the name of the value: by constraint, and by SQLite's first column."""
_REFERRED: Final = ("record", "that this one refers to")  # whoever adds the record knows more
# SQLite tells of ENOSPC alone by SQLITE_FULL. To a quota (EDQUOT) or a limit of a file's size (EFBIG) a write just
# fails, and so does growing the index of its log on a full disk.
_SQLITE_NO_ROOM: Final = (sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE)


def note_unique(constraint: str, column: str, kind: str, field: str) -> None:
    """Let violations of a unique constraint be told as AlreadyExists of this kind of record and field.

    ``column`` is the first of its columns, as ``table.column``, by which SQLite names it.
    """
    _UNIQUE[constraint] = _UNIQUE[column] = (kind, field)


def translate(error: BaseException, where: str) -> KglError:
    """Our error for a driver's; the caller chains it. ``where`` names the database without its password."""
    if isinstance(error, PoolTimeout):
        return StoreBusy("a database connection")
    driver = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(driver, sqlite3.Error):
        return _sqlite(driver, where)
    return _postgres(driver, where)


def _sqlite(error: sqlite3.Error, where: str) -> KglError:
    code = getattr(error, "sqlite_errorcode", 0) or 0
    words = str(error)
    if found := re.match(r"UNIQUE constraint failed: ([\w.]+)", words):
        return AlreadyExists(*_UNIQUE[found[1]])
    match code & 0xFF:
        case sqlite3.SQLITE_CONSTRAINT if code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
            return NotFound(*_REFERRED)
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreBusy(f"the write lock of {where}")
        case sqlite3.SQLITE_INTERRUPT:
            return StatementTimeout()
        case sqlite3.SQLITE_FULL:
            return StoreFull()
        case sqlite3.SQLITE_IOERR if code in _SQLITE_NO_ROOM:
            return StoreFull()
        case sqlite3.SQLITE_IOERR:
            return StoreUnavailable(f"{where} cannot be read or written ({words}); look at its disk")
        case sqlite3.SQLITE_READONLY:
            return StoreReadOnly()
        case sqlite3.SQLITE_CANTOPEN:
            return StoreUnavailable(f"{where} cannot be opened; check that its folder exists and may be written to")
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return StoreUnavailable(f"{where} is no intact SQLite database; choose another file or restore a backup")
    if words.startswith("Could not decode to UTF-8"):
        return UnreadableRow(f"a row in {where}", "it holds text that is not UTF-8")
    if words.startswith(("no such table", "no such column")):
        return MigrationNeeded(where, None)
    return StoreFault(words)


def _postgres(error: Any, where: str) -> KglError:
    state = getattr(error, "sqlstate", None) or ""
    constraint = getattr(getattr(error, "diag", None), "constraint_name", None)
    match state:
        case "23505" if constraint in _UNIQUE:
            return AlreadyExists(*_UNIQUE[constraint])
        case "23503":
            return NotFound(*_REFERRED)
        case "40001" | "40P01":
            return TransactionConflict()
        case "55P03":
            return StoreBusy(f"a lock in {where}")
        case "25P03" | "25P04":  # the server's own limits on what is idle, or on transactions
            return StoreUnavailable(f"{where} has ended a connection ({_first_line(error)}); try again")
        case "57014":
            return StatementTimeout()
        case "42P01" | "3F000" | "42703":
            return MigrationNeeded(where, None)
        case "53100":
            return StoreFull()
        case "25006":
            return StoreReadOnly()
        case "53300":
            return StoreBusy(f"a connection slot of {where}")
        case "3D000" | "28P01" | "28000" | "42501":
            return StoreUnavailable(f"{where}: {_first_line(error)}; check the URL and what its user may do")
    if not state and type(error).__name__ == "DataError":  # PEP 249's name: the driver can't read what the server sent
        return UnreadableRow(f"a row in {where}", _first_line(error))
    if not state or state.startswith(("08", "57P")):
        return StoreUnavailable(
            f"{where} cannot be reached ({_first_line(error)}); check that the server runs, and the URL"
        )
    return StoreFault(_first_line(error))


def _first_line(error: object) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0]
