"""No byte costs more than linear work: whatever is sent, twice as much of it takes at most about twice the time."""

import gc
import itertools
import time
from collections.abc import Callable, Iterator

import attrs
import pytest

from tests.http.conftest import Api, making_apis
from tests.http.hostile.sweeping import Probe, bodies, headers, queries

SLOW_S_PER_BYTE = 0.5e-6
"""What takes less of the doubled input is not measured closer: work that is not linear soon takes more."""
GROWTH_MAX = 3.0
TRIES_MAX = 10


@attrs.frozen(order=True)
class Cost:
    """The processor time that a probe took with the input doubled, in seconds, and how much more than undoubled."""

    duration_s: float
    growth: float
    probe: str

    def __str__(self) -> str:
        return f"{self.duration_s * 1000:7.1f} ms, x {self.growth:.1f}  {self.probe}"


@pytest.fixture
def api() -> Iterator[Api]:
    """The application behind a proxy, over a store that adds no work of its own, with enough in it to compress."""
    with making_apis("memory://") as make:
        made = make(trusted_proxies="127.0.0.0/8")
        for number in range(20):
            made.entity(name=f"{number} of many")
        gc.collect()
        gc.freeze()  # or a full collection, whose work depends on all that the tests have imported, hits some requests
        yield made
        gc.unfreeze()


def cpu_s(api: Api, probe: Probe, size: int) -> float:
    """The processor time of one request of that size, which no client can make fail inside."""
    request = probe.request(size)
    started = time.process_time()
    answer = probe.call.send(api, **request)
    duration_s = time.process_time() - started
    assert answer.status_code < 500, (str(probe), answer.text)
    return duration_s


def cost_of(api: Api, probe: Probe, size: int) -> Cost:
    """What a probe costs: the best of several tries, as other programs can only add to it."""
    large = cpu_s(api, probe, 2 * size)
    if large <= 2 * size * SLOW_S_PER_BYTE:
        return Cost(large, 2, str(probe))
    small = cpu_s(api, probe, size)
    for _ in range(TRIES_MAX):
        if large / small <= GROWTH_MAX:
            break
        small, large = min(small, cpu_s(api, probe, size)), min(large, cpu_s(api, probe, 2 * size))
    return Cost(large, large / small, str(probe))


def sweep(api: Api, probes: Callable[[Api], Iterator[Probe]], size: int, bound_s: float, every: int = 1) -> list[Cost]:
    """The costs of every ``every``-th probe, all of which must keep ``bound_s`` and grow no more than linearly."""
    costs = [cost_of(api, probe, size) for probe in itertools.islice(probes(api), 0, None, every)]
    assert len(costs) > 100
    worst = sorted(costs, reverse=True)[:5]
    too_slow = [str(cost) for cost in costs if cost.duration_s > bound_s or cost.growth > GROWTH_MAX]
    assert not too_slow, too_slow[:20]
    return worst


PLACES = pytest.mark.parametrize(
    ("probes", "size", "every"), [(bodies, 20_000, 31), (queries, 4_000, 19), (headers, 4_000, 29)]
)


@PLACES
def test_twice_as_much_takes_no_more_than_twice_as_long(
    api: Api, probes: Callable[[Api], Iterator[Probe]], size: int, every: int
) -> None:
    """In a sample of all fields, parameters, headers and lines, which is another kind of input for each place."""
    sweep(api, probes, size, 0.5, every)


@pytest.mark.soak
@PLACES
def test_the_whole_sweep(api: Api, probes: Callable[[Api], Iterator[Probe]], size: int, every: int) -> None:
    """Every kind of input in every place, as much of it as a body or a header may hold; the slowest are printed."""
    worst = sweep(api, probes, 4 * size, 1.5)
    print(*worst, sep="\n")  # noqa: T201
