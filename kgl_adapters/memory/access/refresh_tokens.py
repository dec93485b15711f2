"""Refresh tokens in a dictionary."""

from __future__ import annotations

from collections.abc import MutableMapping
from datetime import datetime
from uuid import UUID

import attrs

from kgl_adapters.memory.kernel.expiring import delete_expired
from kgl_core.access.tokens import RefreshToken
from kgl_core.kernel.errors import AlreadyExists


class MemoryRefreshTokens:
    """A `kgl_core.access.tokens.RefreshTokenRepository`."""

    def __init__(self, rows: MutableMapping[bytes, RefreshToken | None]) -> None:
        self._rows = rows

    def get(self, hash: bytes) -> RefreshToken | None:
        return self._rows.get(hash)

    def add(self, token: RefreshToken) -> None:
        if self.get(token.hash) is not None:
            raise AlreadyExists("refresh token", "hash")
        self._rows[token.hash] = token

    def mark_used(self, hash: bytes, at: datetime, child_seed: bytes) -> None:
        token = self.get(hash)
        if token is not None:
            self._rows[hash] = attrs.evolve(token, used_at=at, child_seed=child_seed)

    def revoke_family(self, family: UUID, at: datetime) -> None:
        for hash, token in list(self._rows.items()):
            if token is not None and token.family == family and token.revoked_at is None:
                self._rows[hash] = attrs.evolve(token, revoked_at=at)

    def delete_expired(self, now: datetime, limit: int) -> int:
        return delete_expired(self._rows, now, limit)
