"""Kept answers in their table."""

from __future__ import annotations

import struct
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, delete, select, text

from kgl_adapters.sql.rows import ANSWER_COLUMNS
from kgl_adapters.sql.schema import answers, on
from kgl_adapters.sql.session import Session
from kgl_adapters.sql.statements import deleting_expired
from kgl_core.idempotency import KeptAnswer

# With two keys, these are locks of another kind than the one-key locks that writers of changes announce themselves by.
_CLAIM: Final = text("SELECT pg_try_advisory_xact_lock(:high, :low)")


class AnswerTable:
    """The table of kept answers and the statements on it."""

    def __init__(self, *, is_sqlite: bool) -> None:
        self.table = table = on(answers, is_sqlite=is_sqlite)
        at_id = table.c.id == bindparam("at_id")
        self.get = select(*(table.c[name] for name in ANSWER_COLUMNS)).where(at_id)
        self.delete = delete(table).where(at_id)
        self.delete_expired = deleting_expired(table, table.c.id)


_TABLES: Final = {is_sqlite: AnswerTable(is_sqlite=is_sqlite) for is_sqlite in (False, True)}


class SqlAnswers:
    """A `kgl_core.idempotency.AnswerRepository`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rows = session.rows
        self._of = _TABLES[session.is_sqlite]

    def get(self, id: bytes) -> KeptAnswer | None:
        row = self._session.execute(self._of.get, {"at_id": id}).one_or_none()
        return None if row is None else self._rows.answer(row)

    def claim(self, id: bytes) -> bool:
        if self._session.is_sqlite:
            return True  # there is one writer at a time
        high, low = struct.unpack(">ii", id[:8])
        return bool(self._session.execute(_CLAIM, {"high": high, "low": low}).scalar_one())

    def add(self, answer: KeptAnswer) -> None:
        self._session.insert(self._of.table, ANSWER_COLUMNS, [self._rows.answer_values(answer)])

    def delete(self, id: bytes) -> None:
        self._session.execute(self._of.delete, {"at_id": id})

    def delete_expired(self, now: datetime, limit: int) -> int:
        parameters = {"now": self._rows.instant(now), "limit": limit}
        return len(self._session.execute(self._of.delete_expired, parameters).all())
