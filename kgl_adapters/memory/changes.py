"""Changes in a list."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from kgl_adapters.memory.rows import detached
from kgl_core.changes import CHANGES, Change
from kgl_core.pages import decode_cursor, encode_cursor


class MemoryChangeLog:
    """A `kgl_core.changes.ChangeLog`: a change's place is its index in the list, from 1."""

    def __init__(self, rows: list[Change]) -> None:
        self._rows = rows

    def append(self, changes: Sequence[Change]) -> None:
        self._rows.extend(attrs.evolve(change, record=detached(change.record)) for change in changes)

    def read(self, after: str | None, limit: int) -> Sequence[Change]:
        start = 0 if after is None else decode_cursor(CHANGES, after, int)[0]
        return [
            attrs.evolve(change, cursor=encode_cursor(CHANGES, place), record=detached(change.record))
            for place, change in enumerate(self._rows[start : start + limit], start + 1)
        ]

    def count(self) -> int:
        return len(self._rows)
