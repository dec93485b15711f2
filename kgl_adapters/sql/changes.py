"""Changes in their table, in an order that no reader can miss one in: that of their sequence numbers.

A record's changes get their numbers while the record is locked, so the order is that in which its versions were made.
SQLite has one writer at a time. PostgreSQL has many: a transaction can take a number and commit late, behind one that
took a higher number. So a writer announces, before it takes its first number, which one was the last taken, by a shared
advisory lock whose key is that number (`kgl_adapters.sql.announcing`), and a reader goes no further than the lowest
number announced by a transaction that still runs. It asks in this order: which number was the last taken, what is
announced, and then for the changes. Whoever takes a number after the first question is not in its way, whoever did
before has announced it by the second, or has ended and is seen by the third.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import bindparam, func, select, text

from kgl_adapters.sql import schema
from kgl_adapters.sql.announcing import ANNOUNCE, ANNOUNCED, insert_announced
from kgl_adapters.sql.record_json import read_record
from kgl_adapters.sql.rows import CHANGE_COLUMNS
from kgl_adapters.sql.session import Session
from kgl_core.changes import CHANGES, Change, ChangeAction
from kgl_core.pages import decode_cursor, encode_cursor
from kgl_core.permissions import Actor

_SEQUENCE_MAX: Final = 2**63 - 1
_COMPLETE_UP_TO: Final = text(
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
_TABLES: Final = {is_sqlite: schema.on(schema.changes, is_sqlite=is_sqlite) for is_sqlite in (False, True)}
_READS: Final = {
    is_sqlite: select(*(table.c[name] for name in ("sequence", "at", "actor", "action", "subject", "record")))
    .where(table.c.sequence > bindparam("after"), table.c.sequence <= bindparam("up_to"))
    .order_by(table.c.sequence)
    .limit(bindparam("limit"))
    for is_sqlite, table in _TABLES.items()
}
_APPEND_ONE: Final = f"WITH {ANNOUNCED} {insert_announced(CHANGE_COLUMNS)}"
_COUNTS: Final = {is_sqlite: select(func.count()).select_from(table) for is_sqlite, table in _TABLES.items()}


class SqlChangeLog:
    """A `kgl_core.changes.ChangeLog`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rows = session.rows

    def append(self, changes: Sequence[Change]) -> None:
        rows = [self._rows.change_values(change) for change in changes]
        if len(rows) == 1 and not self._session.is_sqlite:
            self._session.run(_APPEND_ONE, rows[0])
            return
        if rows and not self._session.is_sqlite:
            self._session.execute(ANNOUNCE)
        self._session.insert(_TABLES[self._session.is_sqlite], CHANGE_COLUMNS, rows)

    def read(self, after: str | None, limit: int) -> Sequence[Change]:
        last = 0 if after is None else decode_cursor(CHANGES, after, int)[0]
        up_to = _SEQUENCE_MAX if self._session.is_sqlite else self._session.execute(_COMPLETE_UP_TO).scalar_one()
        parameters = {"after": last, "up_to": up_to, "limit": limit}
        return [
            Change(
                self._rows.read_instant(at),
                Actor.parse(actor),
                ChangeAction(action),
                read_record(subject, record),
                encode_cursor(CHANGES, sequence),
            )
            for sequence, at, actor, action, subject, record in self._session.execute(
                _READS[self._session.is_sqlite], parameters
            )
        ]

    def count(self) -> int:
        return int(self._session.execute(_COUNTS[self._session.is_sqlite]).scalar_one())
