"""When each caller has last written, known to all workers on this machine."""

from __future__ import annotations

import mmap
import os
import tempfile
import time
import zlib
from pathlib import Path
from typing import Final

from kgl_http.server.log import current_request

_SLOTS: Final = 65_536
_BYTES: Final = 8  # a slot: nanoseconds of the machine's monotonic clock, which all its processes share
_NS: Final = 1e9


class RecentWriters:
    """A `Writers` of a replica that tells the callers of requests apart, by a table in shared memory.

    The table is a file in ``folder``, which all workers have in common; without one, each process has its own. Callers
    that fall into one slot count as one: then one of them reads from the primary for a moment without need.
    """

    def __init__(self, folder: str | None) -> None:
        with tempfile.TemporaryFile() if folder is None else Path(folder, "writes").open("ab+") as file:
            os.ftruncate(file.fileno(), _SLOTS * _BYTES)
            self._table = memoryview(mmap.mmap(file.fileno(), _SLOTS * _BYTES)).cast("Q")

    def note(self) -> None:
        """The caller may have written until now."""
        slot = _slot()
        if slot is not None:
            self._table[slot] = time.monotonic_ns()

    def last(self) -> float:
        """When the caller may have written last; at the start of the clock where nobody has."""
        slot = _slot()
        return 0.0 if slot is None else self._table[slot] / _NS


def _slot() -> int | None:
    request = current_request.get()
    caller = None if request is None else request.caller
    return None if caller is None else zlib.crc32(str(caller).encode()) % _SLOTS
