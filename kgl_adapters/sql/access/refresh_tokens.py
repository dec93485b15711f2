"""Refresh tokens in their table."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, select, update

from kgl_adapters.sql.access.rows import ACCESS_ROWS, REFRESH_TOKEN_COLUMNS
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.schema import refresh_tokens, table_for
from kgl_adapters.sql.statements import deleting_expired
from kgl_core.access.tokens import RefreshToken


class RefreshTokenTable:
    """The table of refresh tokens and the statements on it."""

    def __init__(self, *, is_sqlite: bool) -> None:
        self.table = table = table_for(refresh_tokens, is_sqlite=is_sqlite)
        columns = table.c
        self.get = select(*(columns[name] for name in REFRESH_TOKEN_COLUMNS)).where(
            columns.hash == bindparam("at_hash")
        )
        self.mark_used = (
            update(table)
            .where(columns.hash == bindparam("at_hash"))
            .values(used_at=bindparam("at"), child_seed=bindparam("seed"))
        )
        self.revoke_family = (
            update(table)
            .where(columns.family == bindparam("of_family"), columns.revoked_at.is_(None))
            .values(revoked_at=bindparam("at"))
        )
        self.delete_expired = deleting_expired(table, columns.hash)


_TABLES: Final = {is_sqlite: RefreshTokenTable(is_sqlite=is_sqlite) for is_sqlite in (False, True)}


class SqlRefreshTokens:
    """A `kgl_core.access.tokens.RefreshTokenRepository`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rows = ACCESS_ROWS[session.is_sqlite]
        self._of = _TABLES[session.is_sqlite]

    def get(self, hash: bytes) -> RefreshToken | None:
        row = self._session.execute(self._of.get, {"at_hash": hash}).one_or_none()
        return None if row is None else self._rows.refresh_token(row)

    def add(self, token: RefreshToken) -> None:
        self._session.insert(self._of.table, REFRESH_TOKEN_COLUMNS, [self._rows.refresh_token_values(token)])

    def mark_used(self, hash: bytes, at: datetime, child_seed: bytes) -> None:
        parameters = {"at_hash": hash, "at": self._rows.instant(at), "seed": child_seed}
        self._session.execute(self._of.mark_used, parameters)

    def revoke_family(self, family: UUID, at: datetime) -> None:
        parameters = {"of_family": self._rows.id(family), "at": self._rows.instant(at)}
        self._session.execute(self._of.revoke_family, parameters)

    def delete_expired(self, now: datetime, limit: int) -> int:
        parameters = {"now": self._rows.instant(now), "limit": limit}
        return len(self._session.execute(self._of.delete_expired, parameters).all())
