"""Adds records and their change in one statement of PostgreSQL, which is a transaction by itself.

Two statements between BEGIN and COMMIT are less than half as fast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Final

from kgl_adapters.sql.engine.connections import Connections
from kgl_adapters.sql.engine.encoding import ENCODINGS
from kgl_adapters.sql.graph.announcing import ANNOUNCED, insert_announced
from kgl_adapters.sql.graph.change_rows import CHANGE_COLUMNS, ChangeRows
from kgl_adapters.sql.kernel.noun_table import NounTable
from kgl_core.graph.journal.changes import Change, Observer
from kgl_core.kernel.nouns.noun import AnyNoun

_CHANGE_ROWS: Final = ChangeRows(ENCODINGS[False])


class Additions:
    """A unit of work that only adds: `commit` does all of it.

    ``tables`` has the table of each noun. ``on_end`` is called when the statement has run, or has failed; ``observer``
    is told of the change.
    """

    def __init__(
        self,
        connections: Connections,
        tables: Mapping[AnyNoun, NounTable[Any, Any, Any]],
        on_end: Callable[[], object],
        observer: Observer | None,
    ) -> None:
        self._connections, self._of, self._on_end, self._observer = connections, tables, on_end, observer
        self._inserts: list[str] = []
        self._values: list[Any] = []
        self._changes: list[Change] = []

    def __enter__(self) -> Additions:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing: what was not committed was not begun."""

    def of(self, noun: AnyNoun) -> _NounAdditions:
        """What adds to a noun's table."""
        return _NounAdditions(self._of[noun], self._inserts, self._values)

    @property
    def changes(self) -> Additions:
        """What appends the change."""
        return self

    def append(self, changes: Sequence[Change]) -> None:
        """Append the change of what was added, of which there is one."""
        self._changes += changes

    def commit(self) -> None:
        """Add and append everything. Raises what adding and appending would, and CommitUnknown."""
        [change] = self._changes
        try:
            self._connections.run(_statement(*self._inserts), (*self._values, *_CHANGE_ROWS.write(change)))
        finally:
            self._on_end()
        if self._observer is not None:
            self._observer(self._changes)


class _NounAdditions:
    def __init__(self, of: NounTable[Any, Any, Any], inserts: list[str], values: list[Any]) -> None:
        self._of, self._inserts, self._values = of, inserts, values

    def add(self, records: Sequence[Any]) -> None:
        for record in records:
            self._inserts.append(_insert(self._of))
            self._values += self._of.write(record)
            if self._of.beside is not None and (adding := self._of.beside.adding(record)):
                self._inserts.append(adding[0])
                self._values += adding[1]


@cache
def _statement(*inserts: str) -> str:
    """A statement that takes the values of each of these, and then those of CHANGE_COLUMNS."""
    added = "".join(f"added_{number} AS ({insert}), " for number, insert in enumerate(inserts))
    return f"WITH {added}{ANNOUNCED} {insert_announced(CHANGE_COLUMNS)}"


@cache
def _insert(of: NounTable[Any, Any, Any]) -> str:
    names, marks = ", ".join(f'"{name}"' for name in of.inserted), ", ".join("%s" for _ in of.inserted)
    return f"INSERT INTO {of.table.fullname} ({names}) VALUES ({marks})"  # noqa: S608  # names of our own
