"""Revocations of access tokens in a dictionary."""

from __future__ import annotations

from collections.abc import MutableMapping
from datetime import datetime
from uuid import UUID

import attrs

from kgl_adapters.memory.kernel.expiring import delete_expired
from kgl_core.kernel.permissions import Actor


@attrs.frozen
class Revocation:
    """A revoked token of ``subject``. Once the token has expired, this is no longer needed."""

    subject: Actor
    expires_at: datetime


class MemoryRevocations:
    """A `kgl_core.access.tokens.RevocationRepository`."""

    def __init__(self, rows: MutableMapping[UUID, Revocation | None]) -> None:
        self._rows = rows

    def add(self, id: UUID, subject: Actor, expires_at: datetime) -> None:
        if self._rows.get(id) is None:
            self._rows[id] = Revocation(subject, expires_at)

    def of(self, subject: Actor) -> frozenset[UUID]:
        return frozenset(id for id, row in self._rows.items() if row is not None and row.subject == subject)

    def delete_expired(self, now: datetime, limit: int) -> int:
        return delete_expired(self._rows, now, limit)
