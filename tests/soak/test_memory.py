"""A load takes no more memory for more records."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.benchmarks.records import entity_lines, relationship_lines

MIB: Final = 1024 * 1024
PEAK_MAX: Final = 200 * MIB
GROWTH_MAX: Final = 8 * MIB
CHECKOUT: Final = Path(__file__).parents[2]


def peak(url: str, file: Path) -> int:
    """The most memory that a process had while it loaded the file, in bytes."""
    command = [sys.executable, "-m", "tests.soak.loader", url, str(file), "5000"]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=CHECKOUT).stdout
    _, peak, created, *others = told.splitlines()[-1].split()
    assert (int(created) > 0, others) == (True, ["0", "0", "0"])
    return int(peak)


@pytest.mark.soak
@pytest.mark.parametrize("store_name", ["sqlite", "postgres"])
def test_memory_does_not_grow_with_the_file(empty_url: Callable[[str], str], tmp_path: Path, store_name: str) -> None:
    """A file of 300,000 records takes what one of 100,000 takes, up to a few MiB, and less than 200."""
    file = tmp_path / "records.ndjson"
    peaks = []
    for entities in (33_000, 100_000):
        with file.open("wb") as lines:
            lines.writelines(entity_lines(0, entities))
            lines.writelines(relationship_lines(0, 2 * entities, entities))
        peaks.append(peak(empty_url(store_name), file))
    assert max(peaks) < PEAK_MAX
    assert peaks[1] - peaks[0] < GROWTH_MAX
