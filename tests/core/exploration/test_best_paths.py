"""The search for the best paths: its work grows with what it looks at, and not with the square of that."""

import heapq
from typing import Any

import pytest

from kgl_adapters.memory.store import MemoryStore
from kgl_core.exploration import best_paths
from tests.contract.exploration.drawing import Drawn

LEAVES = 300


def test_what_becomes_known_is_not_told_to_every_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many ways lead away from the start, and each of many steps away from the end makes all of them a little worse."""
    drawn = Drawn(MemoryStore())
    drawn.draw("S-E .95, " + ", ".join(f"S-a{n} 1, b{n}-E {0.9 - n / 1000:.3f}" for n in range(LEAVES)))
    pushes = 0

    class Counting:
        heappop = staticmethod(heapq.heappop)

        @staticmethod
        def heappush(heap: list[Any], item: Any) -> None:
            nonlocal pushes
            pushes += 1
            heapq.heappush(heap, item)

    monkeypatch.setattr(best_paths, "heapq", Counting)
    assert drawn.paths("S", "E", kind="most_certain", direction="out") == ["S-E"]
    assert LEAVES < pushes < 10 * LEAVES
