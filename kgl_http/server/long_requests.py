"""Slots: how many long requests (large imports, exports, waits for changes) a worker serves at once.

A worker has few threads, and a long request keeps one for as long as it lasts: half of them stay free for the rest, and
nobody takes more than half of the slots, as long as there are two.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from kgl_core.kernel.errors import Overloaded


class LongRequestSlots:
    """At most ``most`` holders at once, and half as many for one caller; shared by threads.

    Waits have no slots of their own, but they make way: an import or export takes the place of one.
    """

    def __init__(self, most: int) -> None:
        self._most, self._share = most, max(1, most // 2)
        self._working: Counter[Hashable] = Counter()
        self._waiting: Counter[Hashable] = Counter()
        self._mutex = threading.Lock()
        self._is_stopping = threading.Event()

    def take(self, caller: Hashable) -> None:
        """Take a slot for an import or an export. Raises Overloaded when the caller or the worker has too many."""
        with self._mutex:
            self._take(self._working, caller, self._working.total())

    def give_back(self, caller: Hashable) -> None:
        """Return a slot that was taken."""
        with self._mutex:
            _give_back(self._working, caller)

    @contextmanager
    def hold_waiting(self, caller: Hashable) -> Iterator[None]:
        """A slot for a wait, for as long as the block runs. Raises Overloaded as `take` does."""
        with self._mutex:
            self._take(self._waiting, caller, self._working.total() + self._waiting.total())
        try:
            yield
        finally:
            with self._mutex:
                _give_back(self._waiting, caller)

    def wait(self, seconds: float) -> bool:
        """Wait within a slot, at most for so long; True as soon as waits have to end, or this one has to make way."""
        self._is_stopping.wait(seconds)
        return self.waits_end

    @property
    def waits_end(self) -> bool:
        """Whether waits have to end now."""
        return self._is_stopping.is_set() or self._working.total() + self._waiting.total() > self._most

    def end_waits(self) -> None:
        """End all waits, those to come as well: the worker stops."""
        self._is_stopping.set()

    def _take(self, held: Counter[Hashable], caller: Hashable, taken: int) -> None:
        if taken >= self._most:
            raise Overloaded(f"each of the {self._most} places for long requests in this worker")
        if held[caller] >= self._share:
            raise Overloaded(f"your share of the places for long requests in this worker ({self._share})")
        held[caller] += 1


def _give_back(held: Counter[Hashable], caller: Hashable) -> None:
    held[caller] -= 1
    if not held[caller]:
        del held[caller]
