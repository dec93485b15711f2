"""Queries: statements that are compiled once, for the driver to run by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Dialect, Select, TextClause, Update
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import psycopg

_DIALECTS: Final[dict[bool, Dialect]] = {
    False: psycopg.dialect(paramstyle="format"),  # type: ignore[no-untyped-call]
    True: sqlite.dialect(paramstyle="qmark"),
}


class Query:
    """A statement for the driver: its ``text``, and how to put its parameters into their order.

    Where SQLAlchemy runs a statement, it also asks the driver for the names and types of all columns and wraps what
    comes back: that takes longer than the database needs for a short answer.
    """

    __slots__ = ("_constants", "_names", "text")

    def __init__(self, statement: Select[Any] | Update | TextClause, *, is_sqlite: bool) -> None:
        compiled = statement.compile(dialect=_DIALECTS[is_sqlite])
        self.text = str(compiled)
        self._names: Sequence[str] = compiled.positiontup or ()
        self._constants = {name: value for name, value in compiled.params.items() if value is not None}

    def values(self, parameters: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values of the parameters in the order in which the text has them."""
        if self._constants:
            parameters = {**self._constants, **parameters}
        return tuple([parameters[name] for name in self._names])
