"""Kept answers in their table."""

from __future__ import annotations

import struct
from datetime import datetime
from typing import Final

from sqlalchemy import Column, bindparam, delete, select, text

from kgl_adapters.sql.engine.driver_errors import note_unique
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.kernel.row_forms import compile_reader, compile_writer
from kgl_adapters.sql.kernel.statements import deleting_expired
from kgl_adapters.sql.kernel.tables import AUTH, define, index
from kgl_adapters.sql.types import BYTES, INSTANT
from kgl_core.kernel.idempotency import KeptAnswer
from kgl_core.kernel.nouns.noun import fields_of

_FIELDS: Final = fields_of(KeptAnswer)
_COLUMNS: Final = tuple(field.name for field in _FIELDS)

# With two keys, these are locks of another kind than the one-key locks that writers of changes announce themselves by.
_CLAIM: Final = text("SELECT pg_try_advisory_xact_lock(:high, :low)")


ANSWERS: Final = define(
    "kept_answers",
    AUTH,
    lambda is_sqlite: [
        Column("id", BYTES, primary_key=True),
        Column("fingerprint", BYTES, nullable=False),
        Column("answer", BYTES, nullable=False),
        Column("created_at", INSTANT, nullable=False),
        Column("expires_at", INSTANT, nullable=False),
        index("ix_kept_answers_expires_at", "expires_at"),
    ],
)
note_unique("pk_kept_answers", "kept_answers.id", "request", "idempotency key")


class AnswerTable:
    """The table of kept answers and the statements on it."""

    def __init__(self, *, is_sqlite: bool) -> None:
        self.table = table = ANSWERS[is_sqlite]
        at_id = table.c.id == bindparam("at_id")
        self.write = compile_writer(_FIELDS, is_sqlite=is_sqlite)
        self.read = compile_reader(KeptAnswer, _FIELDS, "kept_answers", is_sqlite=is_sqlite)
        self.get = select(*(table.c[field.name] for field in _FIELDS)).where(at_id)
        self.delete = delete(table).where(at_id)
        self.delete_expired = deleting_expired(table, table.c.id)


_TABLES: Final = {is_sqlite: AnswerTable(is_sqlite=is_sqlite) for is_sqlite in (False, True)}


class SqlAnswers:
    """A `kgl_core.kernel.idempotency.AnswerRepository`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._of = _TABLES[session.is_sqlite]

    def get(self, id: bytes) -> KeptAnswer | None:
        row = self._session.execute(self._of.get, {"at_id": id}).one_or_none()
        return None if row is None else self._of.read(row)

    def claim(self, id: bytes) -> bool:
        if self._session.is_sqlite:
            return True  # there is one writer at a time
        high, low = struct.unpack(">ii", id[:8])
        return bool(self._session.execute(_CLAIM, {"high": high, "low": low}).scalar_one())

    def add(self, answer: KeptAnswer) -> None:
        self._session.insert(self._of.table, _COLUMNS, [answer], self._of.write)

    def delete(self, id: bytes) -> None:
        self._session.execute(self._of.delete, {"at_id": id})

    def delete_expired(self, now: datetime, limit: int) -> int:
        parameters = {"now": self._session.encoding.instant(now), "limit": limit}
        return len(self._session.execute(self._of.delete_expired, parameters).all())
