"""Throttling counters in their table."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, case, delete, update
from sqlalchemy.dialects import postgresql, sqlite

from kgl_adapters.sql.access.tables import COUNTERS
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.kernel.statements import deleting_expired
from kgl_core.access.throttling import Counter


class CounterTable:
    """The table of counters and the statements on it."""

    def __init__(self, *, is_sqlite: bool) -> None:
        self.table = table = COUNTERS[is_sqlite]
        columns = table.c
        insert: Any = sqlite.insert(table) if is_sqlite else postgresql.insert(table)
        is_over = columns.expires_at <= bindparam("now", type_=columns.expires_at.type)
        # One statement: whoever counts at the same time waits for the row and then sees what was counted.
        self.increment = (
            insert.values(key=bindparam("key"), count=1, expires_at=bindparam("expires_at"))
            .on_conflict_do_update(
                index_elements=[columns.key],
                set_={
                    "count": case((is_over, 1), else_=columns.count + 1),
                    "expires_at": case((is_over, insert.excluded.expires_at), else_=columns.expires_at),
                },
            )
            .returning(columns["count"], columns.expires_at)
        )
        has_key = columns.key == bindparam("at_key")
        self.decrement = update(table).where(has_key, columns["count"] > 0).values(count=columns["count"] - 1)
        self.clear = delete(table).where(has_key)
        self.delete_expired = deleting_expired(table, columns.key)


_TABLES: Final = {is_sqlite: CounterTable(is_sqlite=is_sqlite) for is_sqlite in (False, True)}


class SqlCounters:
    """A `kgl_core.access.throttling.CounterRepository`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._encoding = session.encoding
        self._of = _TABLES[session.is_sqlite]

    def increment(self, key: bytes, now: datetime, expires_at: datetime) -> Counter:
        parameters = {"key": key, "now": self._encoding.instant(now), "expires_at": self._encoding.instant(expires_at)}
        count, ends_at = self._session.execute(self._of.increment, parameters).one()
        return Counter(count, self._encoding.read_instant(ends_at))

    def decrement(self, keys: Sequence[bytes]) -> None:
        for key in keys:
            self._session.execute(self._of.decrement, {"at_key": key})

    def clear(self, keys: Sequence[bytes]) -> None:
        for key in keys:
            self._session.execute(self._of.clear, {"at_key": key})

    def delete_expired(self, now: datetime, limit: int) -> int:
        parameters = {"now": self._encoding.instant(now), "limit": limit}
        return len(self._session.execute(self._of.delete_expired, parameters).all())
