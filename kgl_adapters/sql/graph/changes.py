"""Changes in their table, in an order that no reader can miss one in: that of their sequence numbers.

A record's changes get their numbers while the record is locked, so the order is that in which its versions were made.
SQLite has one writer at a time. PostgreSQL has many: a transaction can take a number and commit late, behind one that
took a higher number. So a writer announces, before it takes its first number, which one was the last taken, by a shared
advisory lock whose key is that number (`kgl_adapters.sql.graph.announcing`), and a reader goes no further than the
lowest number announced by a transaction that still runs. It asks in this order: which number was the last taken, what
is announced, and then for the changes. Whoever takes a number after the first question is not in its way, whoever did
before has announced it by the second, or has ended and is seen by the third.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, func, select, text

from kgl_adapters.sql.engine.encoding import UNREADABLE, reason_of
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.graph.announcing import ANNOUNCED, ANNOUNCEMENT, insert_announced
from kgl_adapters.sql.graph.change_rows import CHANGE_COLUMNS, ChangeRows
from kgl_adapters.sql.graph.tables import CHANGES
from kgl_core.graph.journal.changes import BEGINNING, Change, Observer, Place
from kgl_core.kernel.store_errors import UnreadableRow

_IDENTIFYING: Final = 6
"""How many of the columns that are read identify a change: not its run, which has no part in cursors."""
_SEQUENCE_MAX: Final = 2**63 - 1
COMPLETE_UP_TO: Final = (
    "WITH issued AS MATERIALIZED ("
    " SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS sequence FROM backend_entities.changes_sequence_seq"
    ") SELECT least(issued.sequence, ("
    " SELECT min(-1 - announced.key)"
    " FROM (SELECT (CAST(classid AS bigint) << 32) | CAST(objid AS bigint) AS key FROM pg_locks"
    "  WHERE issued.sequence IS NOT NULL AND locktype = 'advisory' AND mode = 'ShareLock' AND objsubid = 1"
    "  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS announced"
    " WHERE announced.key < 0"
    ")) FROM issued"
)
"""Finds a sequence number up to which every change there will ever be has been committed; not on a standby."""
_SELECTS: Final = {
    is_sqlite: select(*(table.c[name] for name in ("sequence", "at", "actor", "action", "subject", "record", "run")))
    .where(table.c.sequence <= bindparam("up_to"))
    .limit(bindparam("limit"))
    for is_sqlite, table in CHANGES.items()
}
_APPEND_ONE: Final = f"WITH {ANNOUNCED} {insert_announced(CHANGE_COLUMNS)}"
_READS: Final = {
    is_sqlite: select.where(CHANGES[is_sqlite].c.sequence >= bindparam("first")).order_by(CHANGES[is_sqlite].c.sequence)
    for is_sqlite, select in _SELECTS.items()
}
_READS_OF_RUN: Final = {
    is_sqlite: select.where(
        CHANGES[is_sqlite].c.sequence > bindparam("first"),
        CHANGES[is_sqlite].c.run == bindparam("run", type_=CHANGES[is_sqlite].c.run.type),
    ).order_by(CHANGES[is_sqlite].c.sequence)
    for is_sqlite, select in _SELECTS.items()
}
_ENDS: Final = {
    is_sqlite: select.order_by(CHANGES[is_sqlite].c.sequence.desc()) for is_sqlite, select in _SELECTS.items()
}
_COUNTS_OF_RUN: Final = {
    is_sqlite: select(table.c.action, func.count())
    .where(table.c.run == bindparam("run", type_=table.c.run.type))
    .group_by(table.c.action)
    .order_by(table.c.action)
    for is_sqlite, table in CHANGES.items()
}
_COUNTS: Final = {is_sqlite: select(func.count()).select_from(table) for is_sqlite, table in CHANGES.items()}


class SqlChangeLog:
    """A `kgl_core.graph.journal.changes.ChangeLog`. ``on_append`` is called with the changes that were appended."""

    def __init__(self, session: Session, on_append: Observer | None = None) -> None:
        self._session, self._on_append = session, on_append
        self._rows = ChangeRows(session.encoding)

    def append(self, changes: Sequence[Change]) -> None:
        self._insert(changes)
        if self._on_append is not None:
            self._on_append(changes)

    def _insert(self, changes: Sequence[Change]) -> None:
        write = self._rows.write
        if len(changes) == 1 and not self._session.is_sqlite:
            self._session.write(_APPEND_ONE, write(changes[0]))
            return
        if changes and not self._session.is_sqlite:
            self._session.write(ANNOUNCEMENT)
        self._session.insert(CHANGES[self._session.is_sqlite], CHANGE_COLUMNS, changes, write, may_refuse=False)

    def read(self, after: str | None, limit: int, run: UUID | None = None) -> Sequence[Change]:
        if run is not None:
            return self._read_run(after, limit, run)
        place = Place.parse(after)
        has_place = place != BEGINNING
        # It stands although an older writer may have announced itself since it was read.
        up_to = max(self.complete_up_to(), place.sequence)
        parameters = {"first": place.sequence, "up_to": up_to, "limit": limit + has_place}
        rows = self._session.execute(_READS[self._session.is_sqlite], parameters).all()
        if has_place:
            place.require(self._place(rows[0]) if rows else None)
        return [self._change(row) for row in rows[has_place:]]

    def _read_run(self, after: str | None, limit: int, run: UUID) -> Sequence[Change]:
        place = Place.parse(after)
        if place != BEGINNING:
            place.require(self.end(place.sequence))
        up_to = max(self.complete_up_to(), place.sequence)
        of_run = {"run": self._session.encoding.id(run), "first": place.sequence, "up_to": up_to, "limit": limit}
        rows = self._session.execute(_READS_OF_RUN[self._session.is_sqlite], of_run)
        return [self._change(row) for row in rows]

    def complete_up_to(self) -> int:
        """A sequence number up to which every change there will ever be has been committed."""
        return (
            _SEQUENCE_MAX if self._session.is_sqlite else int(self._session.execute(text(COMPLETE_UP_TO)).scalar_one())
        )

    def end(self, up_to: int) -> Place:
        """The place after the last change up to this sequence number."""
        row = self._session.execute(_ENDS[self._session.is_sqlite], {"up_to": up_to, "limit": 1}).one_or_none()
        return BEGINNING if row is None else self._place(row)

    def count(self) -> int:
        return int(self._session.execute(_COUNTS[self._session.is_sqlite]).scalar_one())

    def count_by_action(self, run: UUID) -> dict[str, int]:
        of_run = {"run": self._session.encoding.id(run)}
        return {row[0]: row[1] for row in self._session.execute(_COUNTS_OF_RUN[self._session.is_sqlite], of_run)}

    def _change(self, row: Sequence[Any]) -> Change:
        change = self._rows.read(row)
        return Change(change.at, change.actor, change.action, change.record, self._place(row).cursor, change.run)

    def _place(self, row: Sequence[Any]) -> Place:
        sequence, at, *more = row[:_IDENTIFYING]
        try:
            return Place.of(sequence, self._session.encoding.read_instant(at).astimezone(UTC), *more)
        except UNREADABLE as error:
            raise UnreadableRow(f"the row {sequence} of changes", reason_of(error)) from error
