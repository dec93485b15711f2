"""Revocations of access tokens in their table."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from kgl_adapters.sql.access.tables import REVOCATIONS
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.kernel.statements import deleting_expired
from kgl_core.kernel.permissions import Actor


class RevocationTable:
    """The table of revocations and the statements on it."""

    def __init__(self, *, is_sqlite: bool) -> None:
        table = REVOCATIONS[is_sqlite]
        insert: Any = sqlite.insert(table) if is_sqlite else postgresql.insert(table)
        self.add = insert.values({column.name: bindparam(column.name) for column in table.c}).on_conflict_do_nothing()
        self.of = select(table.c.id).where(table.c.subject == bindparam("of_subject"))
        self.delete_expired = deleting_expired(table, table.c.id)


_TABLES: Final = {is_sqlite: RevocationTable(is_sqlite=is_sqlite) for is_sqlite in (False, True)}


class SqlRevocations:
    """A `kgl_core.access.tokens.RevocationRepository`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._encoding = session.encoding
        self._of = _TABLES[session.is_sqlite]

    def add(self, id: UUID, subject: Actor, expires_at: datetime) -> None:
        parameters = {
            "id": self._encoding.id(id),
            "subject": str(subject),
            "expires_at": self._encoding.instant(expires_at),
        }
        self._session.execute(self._of.add, parameters)

    def of(self, subject: Actor) -> frozenset[UUID]:
        found = self._session.execute(self._of.of, {"of_subject": str(subject)})
        return frozenset(self._encoding.read_id(id) for (id,) in found)

    def delete_expired(self, now: datetime, limit: int) -> int:
        parameters = {"now": self._encoding.instant(now), "limit": limit}
        return len(self._session.execute(self._of.delete_expired, parameters).all())
