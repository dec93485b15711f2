"""A load in a process of its own: ``python -m tests.soak.loader URL FILE BATCH``.

It writes a line to its output whenever it is about to send a statement or to commit, so that whoever started it can
kill it there; and at the end a line with the peak of its memory, in bytes, and what the load did.
"""

import resource
import sys
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from kgl_adapters import connect
from kgl_core.storage.loading import load


def main(url: str, file: str, batch: str) -> None:
    """Load the file, some records a batch."""
    load.BATCH_RECORDS_MAX = int(batch)  # type: ignore[misc]
    with connect(url, migrate=False) as kg, open(file, "rb") as lines:
        event.listen(Engine, "before_cursor_execute", lambda *_: _tell("statement"))
        event.listen(Engine, "commit", lambda *_: _tell("commit"))
        summary = kg.load(lines)
    _tell("done", _peak(), summary.created, summary.updated, summary.unchanged, summary.refused)


def _peak() -> int:
    status = Path("/proc/self/status")
    if status.exists():
        # What getrusage says on Linux is never less than the peak of the process that started this one.
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _tell(*words: Any) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
