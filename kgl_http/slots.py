"""Slots: how many long requests (imports, exports, waits for changes) a worker serves at once.

A worker has few threads, and a long request keeps one for as long as it lasts: half of them stay free for the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from kgl_core.errors import Overloaded


class Slots:
    """At most ``most`` holders at once; shared by threads."""

    def __init__(self, most: int) -> None:
        self._free = threading.BoundedSemaphore(most)
        self._is_stopping = threading.Event()

    def take(self) -> None:
        """Take a slot. Raises Overloaded when none is free."""
        if not self._free.acquire(blocking=False):
            raise Overloaded("the place for long requests (imports, exports, waiting for changes)")

    def give_back(self) -> None:
        """Return a slot that was taken."""
        self._free.release()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """A slot for as long as the block runs. Raises Overloaded when none is free."""
        self.take()
        try:
            yield
        finally:
            self.give_back()

    def wait(self, seconds: float) -> bool:
        """Wait within a long request, at most for so long; True as soon as waits have to end."""
        return self._is_stopping.wait(seconds)

    def end_waits(self) -> None:
        """End all waits, those to come as well: the worker stops."""
        self._is_stopping.set()
