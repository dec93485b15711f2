"""Writes many rows at once: all of them, or none, so that the transaction can go on where a table refuses one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any


def copy_rows(cursor: Any, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Copy rows into a table of PostgreSQL. A refused one undoes the whole transaction."""
    with cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def copy_or_undo(cursor: Any, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Copy rows into a table of PostgreSQL, or undo that. A savepoint of SQLAlchemy's takes twice as long."""
    cursor.execute("SAVEPOINT before_rows")
    try:
        copy_rows(cursor, statement, rows)
    except BaseException:
        # A connection that is lost now, or was left in the middle by Ctrl-C, undoes more than this.
        with suppress(cursor.connection.Error):
            cursor.execute("ROLLBACK TO SAVEPOINT before_rows")
            cursor.execute("RELEASE SAVEPOINT before_rows")
        raise
    cursor.execute("RELEASE SAVEPOINT before_rows")


def insert_or_remove(cursor: sqlite3.Cursor, table: str, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows into a table of SQLite; if one is refused, remove those before it again.

    Under a savepoint, SQLite would first copy every page that changes to a file.
    """
    [(last,)] = cursor.execute(f"SELECT coalesce(max(rowid), 0) FROM {table}")  # noqa: S608  # names of our own
    try:
        cursor.executemany(statement, rows)
    except BaseException:
        _remove_after(cursor.connection, table, last)
        raise


def _remove_after(connection: sqlite3.Connection, table: str, last: int) -> None:
    """Remove the rows that were inserted after this one, or undo the whole transaction if that fails, too."""
    if not connection.in_transaction:  # SQLite has undone it, as it does when the disk is full
        return
    is_removed = False
    try:
        with suppress(sqlite3.Error):
            connection.execute(f"DELETE FROM {table} WHERE rowid > ?", (last,))  # noqa: S608  # names of our own
            is_removed = True
    finally:
        if not is_removed:
            connection.rollback()
