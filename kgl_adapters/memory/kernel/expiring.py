"""Deleting what has expired from a dictionary."""

from __future__ import annotations

from collections.abc import MutableMapping
from datetime import datetime
from itertools import islice
from typing import Protocol, TypeVar


class Expiring(Protocol):
    """A row that may be deleted once it has expired."""

    @property
    def expires_at(self) -> datetime: ...


K = TypeVar("K")
E = TypeVar("E", bound=Expiring)


def delete_expired(rows: MutableMapping[K, E | None], now: datetime, limit: int) -> int:
    """Replace up to ``limit`` rows that have expired at ``now`` by None; returns how many."""
    expired = (key for key, row in rows.items() if row is not None and row.expires_at <= now)
    keys = list(islice(expired, limit))
    rows.update(dict.fromkeys(keys))
    return len(keys)
