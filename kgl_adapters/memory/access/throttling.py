"""Throttling counters in a dictionary."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from datetime import datetime

from kgl_adapters.memory.kernel.expiring import delete_expired
from kgl_core.access.throttling import Counter


class MemoryCounters:
    """A `kgl_core.access.throttling.CounterRepository`."""

    def __init__(self, rows: MutableMapping[bytes, Counter | None]) -> None:
        self._rows = rows

    def increment(self, key: bytes, now: datetime, expires_at: datetime) -> Counter:
        found = self._rows.get(key)
        if found is None or found.expires_at <= now:
            counter = Counter(1, expires_at)
        else:
            counter = Counter(found.count + 1, found.expires_at)
        self._rows[key] = counter
        return counter

    def decrement(self, keys: Sequence[bytes]) -> None:
        for key in keys:
            if (found := self._rows.get(key)) is not None:
                self._rows[key] = Counter(max(0, found.count - 1), found.expires_at)

    def clear(self, keys: Sequence[bytes]) -> None:
        self._rows.update(dict.fromkeys(keys))

    def delete_expired(self, now: datetime, limit: int) -> int:
        return delete_expired(self._rows, now, limit)
