"""Queries: statements that are compiled once, for the driver to run by itself."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Dialect, Select
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import psycopg

_DIALECTS: Final[dict[bool, Dialect]] = {
    False: psycopg.dialect(),  # type: ignore[no-untyped-call]
    True: sqlite.dialect(paramstyle="named"),
}


class Query:
    """A statement that reads: its ``text`` with named parameters, and the values of those that are always the same.

    Where SQLAlchemy runs a statement, it also asks the driver for the names and types of all columns and wraps what
    comes back: that takes longer than the database needs for a short answer.
    """

    __slots__ = ("constants", "text")

    def __init__(self, statement: Select[Any], *, is_sqlite: bool) -> None:
        compiled = statement.compile(dialect=_DIALECTS[is_sqlite])
        self.text = str(compiled)
        self.constants = {name: value for name, value in compiled.params.items() if value is not None}
