"""The service over HTTP, against a floor that does the same work without a check of anything.

All services run from the beginning to the end, over one database. They are under load by turns, for a short slice
each, in another order each round; what is compared are the slices of one round, so that whatever else the machine does
meets them all.
"""

import random
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import attrs

from kgl_adapters import connect
from tests.benchmarks.client import Latencies, press
from tests.benchmarks.contenders import Contender, floor, kgl
from tests.benchmarks.records import entity_lines, key_of

CONNECTIONS: Final = (16, 64)
SLICE_S: Final = 3.0
ROUNDS: Final = 7
_SAMPLE: Final = 5_000
_WARMUP_S: Final = 1.0


@attrs.frozen
class Result:
    """What one service did under one load: the medians of its slices."""

    workload: str
    connections: int
    contender: str
    per_second: float
    of_floor: float
    p50_ms: float
    p99_ms: float


def measure(url: str, entities: int, *, rounds: int = ROUNDS, slice_s: float = SLICE_S) -> Iterator[Result]:
    """Load so many entities into the empty database, and measure all services over it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kgl-bench-")))
        workloads = _workloads(_load(url, entities))
        contenders = [stack.enter_context(start(url, folder / start.__name__)) for start in (floor, kgl)]
        for name, requests_of in workloads.items():
            requests = {contender.name: requests_of(contender) for contender in contenders}
            for contender in contenders:
                press(contender.address, requests[contender.name], connections=CONNECTIONS[0], seconds=_WARMUP_S)
            for connections in CONNECTIONS:
                slices: dict[str, list[Latencies]] = {contender.name: [] for contender in contenders}
                for number in range(rounds):
                    turn = number % len(contenders)
                    for contender in (*contenders[turn:], *contenders[:turn]):
                        found = press(
                            contender.address, requests[contender.name], connections=connections, seconds=slice_s
                        )
                        slices[contender.name].append(found)
                for contender in contenders:
                    yield _result(name, connections, contender.name, slices)


def _load(url: str, entities: int) -> Sequence[str]:
    """Fill the database; the ids of a sample of what is in it."""
    with connect(url, migrate=True) as kg:
        kg.load(entity_lines(0, entities))
        numbers = random.Random(7).sample(range(entities), min(entities, _SAMPLE))
        return [str(kg.entities.get_by_key(key_of(number)).id) for number in numbers]


def _workloads(ids: Sequence[str]) -> dict[str, Callable[[Contender], Sequence[bytes]]]:
    return {"GET by id": lambda of: [of.request("GET", f"/api/v1/entities/{id}") for id in ids]}


def _result(workload: str, connections: int, contender: str, slices: dict[str, list[Latencies]]) -> Result:
    own = slices[contender]
    return Result(
        workload,
        connections,
        contender,
        statistics.median(slice.per_second for slice in own),
        statistics.median(
            slice.per_second / least.per_second for slice, least in zip(own, slices["floor"], strict=True)
        ),
        statistics.median(slice.percentile(0.5) for slice in own),
        statistics.median(slice.percentile(0.99) for slice in own),
    )
