"""Kept answers in a dictionary."""

from __future__ import annotations

from collections.abc import MutableMapping
from datetime import datetime

from kgl_adapters.memory.kernel.expiring import delete_expired
from kgl_core.kernel.errors import AlreadyExists
from kgl_core.kernel.idempotency import KeptAnswer


class MemoryAnswers:
    """A `kgl_core.kernel.idempotency.AnswerRepository`."""

    def __init__(self, rows: MutableMapping[bytes, KeptAnswer | None]) -> None:
        self._rows = rows

    def get(self, id: bytes) -> KeptAnswer | None:
        return self._rows.get(id)

    def claim(self, id: bytes) -> bool:
        return True  # there is one writer at a time

    def add(self, answer: KeptAnswer) -> None:
        if self.get(answer.id) is not None:
            raise AlreadyExists("request", "idempotency key")
        self._rows[answer.id] = answer

    def delete(self, id: bytes) -> None:
        self._rows[id] = None

    def delete_expired(self, now: datetime, limit: int) -> int:
        return delete_expired(self._rows, now, limit)
