"""Python's cyclic garbage collector, which is kept from looking through what is no garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause the collector for the block, which makes many objects that refer to none in a circle.

    It would look through all of them, again and again, while they are made. The block should be short: other threads
    have no collector either.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
