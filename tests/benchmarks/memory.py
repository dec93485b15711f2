"""The peak memory of a process that loads a file of made-up records."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from kgl_adapters import connect
from kgl_core.storage.loading.load import BATCH_RECORDS_MAX
from tests.benchmarks.records import entity_lines, relationship_lines

_CHECKOUT: Final = Path(__file__).parents[2]


def peak_of_load(url: str, entities: int) -> int:
    """Bytes, for this many entities and twice as many relationships, loaded into the empty database."""
    connect(url, migrate=True).close()
    with tempfile.NamedTemporaryFile(suffix=".ndjson") as file:
        file.writelines(entity_lines(0, entities))
        file.writelines(relationship_lines(0, 2 * entities, entities))
        file.flush()
        command = [sys.executable, "-m", "tests.soak.loader", url, file.name, str(BATCH_RECORDS_MAX)]
        told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=_CHECKOUT).stdout
    _, peak, *counts = told.splitlines()[-1].split()
    if counts != [str(3 * entities), "0", "0", "0"]:
        raise RuntimeError(f"not all records were created: {counts}")
    return int(peak)
