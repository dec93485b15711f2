"""Changes in their table, in an order that no reader can miss one in.

SQLite has one writer at a time, so the sequence is the order of commits. PostgreSQL has many: a transaction can take a
number and commit late, behind one that took a higher number. So changes are read in the order of the transactions'
ids, and only those of transactions below the oldest that still runs: everything that may yet appear comes later. That
order is also the one in which versions were made, because no transaction builds on a row whose writer has a higher id
(`kgl_adapters.sql.statements.changed_later`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import func, select, text

from kgl_adapters.sql.rows import CHANGE_COLUMNS, read_json
from kgl_adapters.sql.schema import changes
from kgl_adapters.sql.session import Session
from kgl_core.changes import CHANGES, Change, ChangeAction
from kgl_core.pages import decode_cursor, encode_cursor
from kgl_core.permissions import Actor

_SQLITE: Final = text(
    "SELECT 0, sequence, at, actor, action, subject, record FROM changes"
    " WHERE sequence > :sequence ORDER BY sequence LIMIT :limit"
)
_POSTGRES: Final = text(
    "SELECT CAST(CAST(transaction AS text) AS bigint), sequence, at, actor, action, subject, record"
    " FROM backend_entities.changes"
    " WHERE (transaction, sequence) > (CAST(CAST(:transaction AS text) AS xid8), :sequence)"
    " AND transaction < pg_snapshot_xmin(pg_current_snapshot())"
    " ORDER BY transaction, sequence LIMIT :limit"
)
_COUNT: Final = select(func.count()).select_from(changes)


class SqlChangeLog:
    """A `kgl_core.changes.ChangeLog`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rows = session.rows

    def append(self, changes_: Sequence[Change]) -> None:
        self._session.insert(changes, CHANGE_COLUMNS, [self._rows.change_values(change) for change in changes_])

    def read(self, after: str | None, limit: int) -> Sequence[Change]:
        transaction, sequence = (0, 0) if after is None else decode_cursor(CHANGES, after, int, int)
        parameters: dict[str, Any] = {"sequence": sequence, "limit": limit}
        if not self._session.is_sqlite:
            parameters["transaction"] = str(transaction)
        rows = self._session.execute(_SQLITE if self._session.is_sqlite else _POSTGRES, parameters)
        return [
            Change(
                self._rows.read_instant(at),
                Actor.parse(actor),
                ChangeAction(action),
                read_json(subject, record),
                encode_cursor(CHANGES, transaction, sequence),
            )
            for transaction, sequence, at, actor, action, subject, record in rows
        ]

    def count(self) -> int:
        return int(self._session.execute(_COUNT).scalar_one())
