"""The service over HTTP, against a floor that does the same work without a check of anything.

All services run from the beginning to the end, over one database. They are under load by turns, for a short slice
each, in another order each round; what is compared are the slices of one round, so that whatever else the machine does
meets them all.
"""

import json
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from statistics import median
from typing import Final

import attrs
import psycopg

from kgl_adapters import connect
from tests.benchmarks import postgraphile
from tests.benchmarks.client import Latencies, press
from tests.benchmarks.contenders import (
    Contender,
    fastapi_asyncpg,
    fastapi_orm,
    floor,
    kgl,
    plain,
)
from tests.benchmarks.processes import cpu_s, postmaster, worker_mib
from tests.benchmarks.records import entity_lines, key_of

CONNECTIONS: Final = (16, 64)
WORKS: Final = ("GET by id", "list of 50", "create")
SLICE_S: Final = 3.0
ROUNDS: Final = 7
SIZES: Final = ((2, 2), (2, 4), (2, 6), (2, 8), (3, 2), (4, 2))
"""Workers and threads of each, to choose the defaults of ``kgl serve`` by."""
_SAMPLE: Final = 5_000
_WARMUP_S: Final = 1.0
_FLOOR: Final = "floor"

Workload = Callable[[Contender], Sequence[bytes]]
"""The requests of a workload, as a service wants them."""


Start = Callable[[str, Path], AbstractContextManager[Contender]]
"""Starts a service over the database with this URL, in a new folder."""


@attrs.frozen
class Slice:
    """A service under load for a moment: what its clients saw, and the seconds of CPU that it and PostgreSQL took."""

    seen: Latencies
    service_s: float
    postgres_s: float | None


@attrs.frozen
class Result:
    """What one service did under one load: medians of its slices, and the slowest request of all.

    ``of_floor`` and ``p999_of_floor`` compare within a round.
    """

    workload: str
    connections: int
    contender: str
    per_second: float
    of_floor: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    p999_of_floor: float
    slowest_ms: float
    service_us: float
    """CPU a request."""
    postgres_us: float | None
    """PostgreSQL's CPU a request; None when it runs elsewhere."""


@attrs.frozen
class Memory:
    """What one worker of a service holds after all loads."""

    contender: str
    mib: float


class Measurement:
    """The services while they run, by their names."""

    def __init__(self, stack: ExitStack, url: str, entities: int, starts: Sequence[Start] | None = None) -> None:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kgl-bench-")))
        self._workloads = _workloads(_load(url, entities))
        self._postmaster = postmaster(plain(url))
        self._contenders = [
            stack.enter_context(start(url, folder / str(number)))
            for number, start in enumerate(starts or [floor, kgl, *_peers()])
        ]

    def results(
        self,
        rounds: int = ROUNDS,
        slice_s: float = SLICE_S,
        works: Sequence[str] = WORKS,
        connections_of: Sequence[int] = CONNECTIONS,
    ) -> Iterator[Result]:
        """Each of ``works`` under each number of connections; without a peer that fails under it, which is printed."""
        for (workload, requests_of), connections in product(self._workloads.items(), connections_of):
            if workload not in works:
                continue
            slices: dict[str, list[Slice]] = {contender.name: [] for contender in self._contenders}
            for number in range(-1, rounds):
                turn = number % len(self._contenders)
                for contender in (*self._contenders[turn:], *self._contenders[:turn]):
                    if contender.name not in slices:
                        continue
                    seconds = slice_s if number >= 0 else _WARMUP_S
                    try:
                        found = self._slice(contender, requests_of(contender), connections, seconds)
                    except RuntimeError as error:
                        if contender.name == _FLOOR or contender.name.startswith("kgl"):
                            raise
                        print(f"{contender.name}, {workload}, {connections}: {str(error).splitlines()[-1][:100]}")
                        del slices[contender.name]
                        continue
                    if number >= 0:  # before that, caches fill
                        slices[contender.name].append(found)
            for name, own in slices.items():
                yield _result(workload, connections, name, own, slices[_FLOOR])

    def memory(self) -> Iterator[Memory]:
        """What the workers hold now."""
        for contender in self._contenders:
            yield Memory(contender.name, worker_mib(contender.pid, contender.workers))

    def _slice(self, contender: Contender, requests: Sequence[bytes], connections: int, seconds: float) -> Slice:
        pids = [contender.pid, self._postmaster]
        before = [None if pid is None else cpu_s(pid) for pid in pids]
        seen = press(contender.address, requests, connections=connections, seconds=seconds)
        service_s, postgres_s = (
            None if pid is None or was is None else cpu_s(pid) - was for pid, was in zip(pids, before, strict=True)
        )
        assert service_s is not None
        return Slice(seen, service_s, postgres_s)


def pair() -> list[Start]:
    """kgl and the floor alone: for the tail, which takes long rounds."""
    return [floor, kgl]


def sizes() -> list[Start]:
    """The floor, and kgl with several numbers of workers and threads."""
    return [floor, *(partial(kgl, workers=workers, threads=threads) for workers, threads in SIZES)]


def _peers() -> list[Start]:
    """Those that are installed."""
    found: list[Start] = []
    if all(map(find_spec, ("fastapi", "uvicorn", "asyncpg"))):
        found += [fastapi_asyncpg, fastapi_orm]
    else:
        print("Without the FastAPI services: pip install -r requirements-bench.lock, as make bench does")
    if postgraphile.is_there():
        found.append(postgraphile.postgraphile)
    else:
        print(f"Without PostGraphile: {postgraphile.INSTALL}")
    return found


def _load(url: str, entities: int) -> Sequence[str]:
    """Fill the empty database; the ids of a sample of what is in it."""
    with connect(url, migrate=True) as kg:
        kg.load(entity_lines(0, entities))
        with psycopg.connect(plain(url), autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")  # or plans would change once the server gets round to it
        numbers = random.Random(7).sample(range(entities), min(entities, _SAMPLE))
        return [str(kg.entities.get_by_key(key_of(number)).id) for number in numbers]


def _workloads(ids: Sequence[str]) -> dict[str, Workload]:
    drafts = [json.loads(line) for line in entity_lines(0, _SAMPLE)]
    for draft in drafts:
        del draft["kind"], draft["key"]  # keys would be taken after the first time
    requests: tuple[Workload, ...] = (
        lambda of: [of.get(id) for id in ids],
        lambda of: [of.page()],
        lambda of: [of.creation(draft) for draft in drafts],
    )
    return dict(zip(WORKS, requests, strict=True))


def _result(workload: str, connections: int, name: str, own: Sequence[Slice], floor: Sequence[Slice]) -> Result:
    answered = sum(len(slice.seen.micros) for slice in own)
    postgres_s = [slice.postgres_s for slice in own if slice.postgres_s is not None]
    rounds = [(slice.seen, least.seen) for slice, least in zip(own, floor, strict=True)]
    p50_ms, p99_ms, p999_ms = (median(seen.percentile(part) for seen, _ in rounds) for part in (0.5, 0.99, 0.999))
    return Result(
        workload,
        connections,
        name,
        median(seen.per_second for seen, _ in rounds),
        median(seen.per_second / least.per_second for seen, least in rounds),
        p50_ms,
        p99_ms,
        p999_ms,
        median(seen.percentile(0.999) / least.percentile(0.999) for seen, least in rounds),
        max(seen.percentile(1) for seen, _ in rounds),
        sum(slice.service_s for slice in own) / answered * 1e6,
        sum(postgres_s) / answered * 1e6 if postgres_s else None,
    )
