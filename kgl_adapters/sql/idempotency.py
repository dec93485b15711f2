"""Kept answers in their table."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import bindparam, delete, select, text

from kgl_adapters.sql.encoding import Encoding, reads
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.schema import answers, table_for
from kgl_adapters.sql.statements import deleting_expired
from kgl_core.kernel.idempotency import KeptAnswer

ANSWER_COLUMNS: Final = ("id", "fingerprint", "answer", "created_at", "expires_at")

# With two keys, these are locks of another kind than the one-key locks that writers of changes announce themselves by.
_CLAIM: Final = text("SELECT pg_try_advisory_xact_lock(:high, :low)")


class AnswerRows(Encoding):
    """The rows of kept answers in one kind of database."""

    @reads("kept_answers")
    def answer(self, row: Sequence[Any]) -> KeptAnswer:
        """The kept answer in a row of ANSWER_COLUMNS."""
        id, fingerprint, answer, created_at, expires_at = row
        return KeptAnswer(id, fingerprint, answer, self.read_instant(created_at), self.read_instant(expires_at))

    def answer_values(self, kept: KeptAnswer) -> tuple[Any, ...]:
        """The values of ANSWER_COLUMNS."""
        moments = self.instant(kept.created_at), self.instant(kept.expires_at)
        return (kept.id, kept.fingerprint, kept.answer, *moments)


class AnswerTable:
    """The table of kept answers and the statements on it."""

    def __init__(self, *, is_sqlite: bool) -> None:
        self.table = table = table_for(answers, is_sqlite=is_sqlite)
        at_id = table.c.id == bindparam("at_id")
        self.get = select(*(table.c[name] for name in ANSWER_COLUMNS)).where(at_id)
        self.delete = delete(table).where(at_id)
        self.delete_expired = deleting_expired(table, table.c.id)


_ROWS: Final = {is_sqlite: AnswerRows(is_sqlite=is_sqlite) for is_sqlite in (False, True)}
_TABLES: Final = {is_sqlite: AnswerTable(is_sqlite=is_sqlite) for is_sqlite in (False, True)}


class SqlAnswers:
    """A `kgl_core.kernel.idempotency.AnswerRepository`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rows = _ROWS[session.is_sqlite]
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
