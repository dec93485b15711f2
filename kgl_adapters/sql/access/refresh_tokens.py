"""Refresh tokens in their table."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, select, update

from kgl_adapters.sql.access.tables import REFRESH_TOKENS
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.kernel.row_forms import compile_reader, compile_writer
from kgl_adapters.sql.kernel.statements import deleting_expired
from kgl_core.access.tokens import RefreshToken
from kgl_core.kernel.nouns.noun import fields_of

_FIELDS: Final = fields_of(RefreshToken)
_COLUMNS: Final = tuple(field.name for field in _FIELDS)


class RefreshTokenTable:
    """The table of refresh tokens and the statements on it."""

    def __init__(self, *, is_sqlite: bool) -> None:
        self.table = table = REFRESH_TOKENS[is_sqlite]
        columns = table.c
        self.write = compile_writer(_FIELDS, is_sqlite=is_sqlite)
        self.read = compile_reader(RefreshToken, _FIELDS, table.name, is_sqlite=is_sqlite)
        self.get = select(*(columns[name] for name in _COLUMNS)).where(columns.hash == bindparam("at_hash"))
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
        self._encoding = session.encoding
        self._of = _TABLES[session.is_sqlite]

    def get(self, hash: bytes) -> RefreshToken | None:
        row = self._session.execute(self._of.get, {"at_hash": hash}).one_or_none()
        return None if row is None else self._of.read(row)

    def add(self, token: RefreshToken) -> None:
        self._session.insert(self._of.table, _COLUMNS, [token], self._of.write)

    def mark_used(self, hash: bytes, at: datetime, child_seed: bytes) -> None:
        parameters = {"at_hash": hash, "at": self._encoding.instant(at), "seed": child_seed}
        self._session.execute(self._of.mark_used, parameters)

    def revoke_family(self, family: UUID, at: datetime) -> None:
        parameters = {"of_family": self._encoding.id(family), "at": self._encoding.instant(at)}
        self._session.execute(self._of.revoke_family, parameters)

    def delete_expired(self, now: datetime, limit: int) -> int:
        parameters = {"now": self._encoding.instant(now), "limit": limit}
        return len(self._session.execute(self._of.delete_expired, parameters).all())
