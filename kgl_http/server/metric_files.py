"""The files that the metrics of one process are kept in, for all processes to sum.

prometheus_client writes them through mmap. Where the disk or the memory behind them is full, writing would end the
process with SIGBUS, in the middle of a request. So all the room that they take is reserved before.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Final

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict

_BYTES: Final = {
    "counter": 512 * 1024,
    "histogram": 1024 * 1024,
    "gauge_livemax": 64 * 1024,
    "gauge_livesum": 64 * 1024,
}
_MARGIN_BYTES: Final = 32 * 1024  # more than one metric with its labels takes
_USED_BYTES: Final = 4  # a number at the beginning of a file says how many bytes of it are used

_log = logging.getLogger(__name__)
_process = os.getpid()


def _note_process() -> None:
    global _process
    _process = os.getpid()


os.register_at_fork(after_in_child=_note_process)


def reserve() -> None:
    """Reserve the room of this process's files, before it makes a metric.

    Where that fails, its metrics are kept in its memory, and are not summed with those of others.
    """
    if not are_used():
        return
    try:
        for path, size in _paths().items():
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, size)
            finally:
                os.close(descriptor)
            MmapedDict(str(path)).close()  # type: ignore[no-untyped-call]  # it can be mapped, too
    except OSError as error:
        _log.warning("Each worker shows its own metrics only, for they can't be kept in files: %s", error)
        values.ValueClass = values.MutexValue


def are_used() -> bool:
    """Whether metrics are kept in files."""
    return values.ValueClass is not values.MutexValue


if are_used():
    # It asks which process it is in whenever it counts. The system would take longer to say so than counting takes.
    values.ValueClass = values.MultiProcessValue(lambda: _process)  # type: ignore[no-untyped-call]


def have_room() -> bool:
    """Whether there is room for another metric. It would be made, but not reserved."""
    if not are_used():
        return True
    try:
        used = {path: int.from_bytes(path.open("rb").read(_USED_BYTES), sys.byteorder) for path in _paths()}
    except OSError:
        return False
    return all(used[path] <= size - _MARGIN_BYTES for path, size in _paths().items())


def _paths() -> dict[Path, int]:
    folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    return {folder / f"{kind}_{_process}.db": size for kind, size in _BYTES.items()}
