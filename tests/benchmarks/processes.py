"""What processes use, as Linux tells in /proc."""

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

import psycopg

_TICKS_PER_SECOND: Final = os.sysconf("SC_CLK_TCK")
_PSS: Final = re.compile(r"^Pss: +(\d+) kB$", re.MULTILINE)


def tree(pid: int) -> list[int]:
    """The process and all that descend from it; it comes first."""
    children: list[str] = []
    with suppress(FileNotFoundError, ProcessLookupError):  # it may have ended just now
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in tree(int(child)))]


def cpu_s(pid: int) -> float:
    """Seconds of CPU that the process, those that descend from it, and its children that have ended used so far."""
    first, *below = tree(pid)
    ticks = sum(_ticks(first)) + sum(sum(_ticks(each)[:2]) for each in below)
    return ticks / _TICKS_PER_SECOND


def worker_mib(pid: int, workers: int) -> float:
    """Memory of one worker below the process, on average: its proportional set size, which shares what is shared."""
    _, *below = tree(pid)
    sizes = sorted((_pss_kib(each) for each in below or [pid]), reverse=True)
    return sum(sizes[:workers]) / len(sizes[:workers]) / 1024


def postmaster(database_url: str) -> int | None:
    """The first process of the PostgreSQL server, when that runs on this machine."""
    with psycopg.connect(database_url) as connection:
        backend = connection.info.backend_pid
        try:
            if not Path(f"/proc/{backend}/comm").read_text().startswith("postgres"):
                return None
            return int(Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()[1])
        except FileNotFoundError:
            return None


def _ticks(pid: int) -> list[int]:
    """Used by the process as user and as system, and by its children that have ended; nothing when it has itself."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return [0, 0, 0, 0]
    return [int(field) for field in stat.rpartition(")")[2].split()[11:15]]  # proc(5) counts them as 14 to 17


def _pss_kib(pid: int) -> int:
    found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
    assert found is not None
    return int(found[1])
