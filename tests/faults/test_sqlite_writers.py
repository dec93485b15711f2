"""Many processes and threads write one SQLite file."""

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Final

from kgl_adapters import connect
from tests.faults.load import all_pages, rounds

PROCESSES: Final = 4
THREADS: Final = 4
CHECKOUT: Final = Path(__file__).parents[2]
_WRITE: Final = """
import sys
from concurrent.futures import ThreadPoolExecutor
from kgl_adapters import connect
url, process, threads, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
with connect(url, migrate=False) as kg, ThreadPoolExecutor(threads) as pool:
    def write(thread):
        for number in range(count):
            kg.entities.create(type="fault", name=f"{process}-{thread}-{number}")
    list(pool.map(write, range(threads)))
"""


@rounds(20)
def test_sixteen_writers_wait_for_each_other(sqlite_template: Path, tmp_path: Path, rounds: int) -> None:
    """None of them is told that the database is locked, and each write is there with its change."""
    file, count = tmp_path / "graph.db", 5 * rounds
    shutil.copy(sqlite_template, file)
    command = [sys.executable, "-c", _WRITE, f"sqlite:///{file}"]
    writers = [
        subprocess.Popen([*command, str(process), str(THREADS), str(count)], cwd=CHECKOUT, stderr=subprocess.PIPE)
        for process in range(PROCESSES)
    ]
    for writer in writers:
        _, errors = writer.communicate()
        assert (writer.returncode, errors) == (0, b"")
    with connect(f"sqlite:///{file}", migrate=False) as kg:
        kept = {record["id"]: record["name"] for record in kg.dump()}
        changes = all_pages(lambda cursor: kg.changes(after=cursor, limit=200).items)
    assert len({*kept.values()}) == len(kept) == PROCESSES * THREADS * count
    assert Counter(str(change.record.id) for change in changes) == Counter([*kept])
