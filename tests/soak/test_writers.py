"""Many writers of one record lose no update."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pytest

from kgl_adapters import connect
from kgl_core import StaleVersion, StoreBusy, TransactionConflict
from tests.conftest import STORES

WRITERS: Final = 16
UPDATES: Final = 40


@pytest.mark.soak
@pytest.mark.parametrize("store_name", STORES)
def test_no_update_is_lost(empty_url: Callable[[str], str], store_name: str) -> None:
    """Each writer counts one up, many times, with the version that it read; whoever is late reads again."""
    with connect(empty_url(store_name)) as kg, ThreadPoolExecutor(WRITERS) as threads:
        id = kg.entities.create(type="counter", name="Counter", metadata={"count": 0}).id

        def count(_: int) -> None:
            done = 0
            while done < UPDATES:
                seen = kg.entities.get(id)
                metadata = {"count": seen.metadata["count"] + 1}
                try:
                    changed = kg.entities.update(id, expected_version=seen.version, metadata=metadata)
                except (StaleVersion, TransactionConflict, StoreBusy):
                    continue
                assert changed.version == seen.version + 1
                done += 1

        for _ in threads.map(count, range(WRITERS)):
            pass
        counter = kg.entities.get(id)
        assert counter.metadata["count"] == WRITERS * UPDATES
        assert counter.version == kg.stats().changes == WRITERS * UPDATES + 1
