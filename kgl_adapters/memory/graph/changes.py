"""Changes in a list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from uuid import UUID

import attrs

from kgl_adapters.memory.kernel.repository import detached
from kgl_adapters.memory.tables import Tables
from kgl_core.graph.journal.changes import BEGINNING, Change, Place
from kgl_core.graph.nouns import noun_of
from kgl_core.kernel.nouns.records import Record


class MemoryChangeLog:
    """A `kgl_core.graph.journal.changes.ChangeLog`: a change's sequence number is its index in the list, from 1."""

    def __init__(self, tables: Tables) -> None:
        self._tables, self._rows = tables, tables.changes

    def append(self, changes: Sequence[Change]) -> None:
        self._rows.extend(attrs.evolve(change, record=_detached(change)) for change in changes)

    def read(self, after: str | None, limit: int, run: UUID | None = None) -> Sequence[Change]:
        place = Place.parse(after)
        start = place.sequence
        if place != BEGINNING:
            place.require(self._place(start) if start <= len(self._rows) else None)
        placed = enumerate(self._rows[start:], start + 1)
        wanted = ((sequence, change) for sequence, change in placed if run is None or change.run == run)
        return [
            attrs.evolve(change, cursor=self._place(sequence).cursor, record=_detached(change))
            for sequence, change in islice(wanted, limit)
        ]

    def end(self) -> Place:
        """The place after the last change."""
        return self._place(len(self._rows)) if self._rows else BEGINNING

    def count(self) -> int:
        return len(self._rows)

    def count_by_action(self, run: UUID) -> dict[str, int]:
        actions = Counter(change.action.value for change in self._tables.all_changes() if change.run == run)
        return dict(sorted(actions.items()))

    def _place(self, sequence: int) -> Place:
        return Place.of(sequence, self._rows[sequence - 1])


def _detached(change: Change) -> Record:
    return detached(noun_of(change.record), change.record)
