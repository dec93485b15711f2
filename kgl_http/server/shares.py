"""Shares: how many connections each worker has, known to all of them.

A connection that is kept open stays with the worker that accepted it. Left to chance, one of two workers has three of
four clients now and then, and these wait for one processor while another is idle.
"""

from __future__ import annotations

import mmap
from typing import Final

_BYTES: Final = 4
_NOBODY: Final = 0  # a worker with n connections has n + 1 in its place
_STOPPING: Final = 2**32 - 1
_PLACES_PER_WORKER: Final = 4  # those who replace others come before these have gone


class Shares:
    """The shares of the workers of a service, made before the first of them is forked."""

    def __init__(self, workers: int) -> None:
        count = _PLACES_PER_WORKER * workers
        self._table = memoryview(mmap.mmap(-1, count * _BYTES)).cast("I")

    def take(self) -> Share | None:
        """The share of a worker that is about to be forked; None if all places are taken."""
        free = next((place for place, held in enumerate(self._table) if held == _NOBODY), None)
        return None if free is None else Share(self._table, free)


class Share:
    """One worker's share. Its worker writes it, and the others read it."""

    def __init__(self, table: memoryview[int], place: int) -> None:
        self._table, self._place = table, place
        self.note(0)

    def note(self, connections: int) -> None:
        """The worker has so many connections."""
        self._table[self._place] = connections + 1

    def stop(self) -> None:
        """The worker accepts no more."""
        self._table[self._place] = _STOPPING

    def give_back(self) -> None:
        """The worker has gone."""
        self._table[self._place] = _NOBODY

    def is_larger(self) -> bool:
        """Whether another worker has fewer connections."""
        own = self._table[self._place]
        return any(_NOBODY < held < own for held in self._table)
