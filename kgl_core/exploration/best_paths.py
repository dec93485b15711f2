"""The best simple paths between two entities, by length, certainty or weight.

A search back from the end finds the least cost from each entity to it (Dijkstra, 1959), as far as it is needed. With
that as the estimate of what is still to come, the paths are put together from the start, the most promising first (A*:
Hart, Nilsson and Raphael, 1968): they come out in the order of their cost, and hardly a step is tried in vain.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from operator import add, mul
from typing import Final, NamedTuple
from uuid import UUID

from kgl_core.exploration.paths import Path, PathKind, Roads, path_of
from kgl_core.exploration.walks import Step

_READ_TOGETHER: Final = 32
"""How many entities' steps are read at once, as it is likely that all of them are needed."""


class Measure(NamedTuple):
    """How a kind of path is measured: what nothing weighs, what a step weighs, and how weights add up.

    A path costs ``sign`` times its weight; longer ones never cost less.
    """

    start: float
    of_step: Callable[[Step], float | None]
    combine: Callable[[float, float], float]
    sign: int


def _one(step: Step) -> float:
    return 1.0


def _confidence(step: Step) -> float | None:
    return step.place.confidence


def _weight(step: Step) -> float | None:
    return step.weight


MEASURES: Final[dict[PathKind, Measure]] = {
    "k_shortest": Measure(0.0, _one, add, 1),
    "most_certain": Measure(1.0, _confidence, mul, -1),
    "lightest": Measure(0.0, _weight, add, 1),
}


class _Remaining:
    """The least weight from entities to the end, found for one entity after another, the nearest first."""

    def __init__(self, roads: Roads, measure: Measure, start: UUID, end: UUID) -> None:
        self._roads, self._measure, self._start = roads, measure, start
        self._settled: dict[UUID, float] = {}
        self._heap: list[tuple[float, int, UUID]] = [(measure.sign * measure.start, end.int, end)]

    @property
    def _least(self) -> float | None:
        """The least cost from any entity that is not settled; None if none of them leads to the end."""
        while self._heap and self._heap[0][2] in self._settled:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def estimate(self, id: UUID) -> float | None:
        """The weight from an entity to the end, or what it is at best; None if nothing leads there."""
        if id in self._settled:
            return self._settled[id]
        least = self._least
        return None if least is None else self._measure.sign * least

    def is_exact(self, id: UUID) -> bool:
        """Whether the estimate for this entity is what the way to the end weighs."""
        return id in self._settled or self._least is None

    def settle(self) -> None:
        """Find the weight from one more entity, which is the nearest one. Raises BudgetSpent."""
        if self._least is None:
            return
        cost, _, id = heapq.heappop(self._heap)
        measure = self._measure
        weight = self._settled[id] = measure.sign * cost
        if id == self._start:
            return
        others = (each for *_, each in self._heap[:_READ_TOGETHER] if each not in self._settled)
        for step in self._roads.steps_of(id, others, onward=False):
            own = measure.of_step(step)
            if own is not None and step.to_id not in self._settled:
                further = measure.sign * measure.combine(own, weight)
                heapq.heappush(self._heap, (further, step.to_id.int, step.to_id))


class _Partial(NamedTuple):
    """The beginning of a path, in the order in which they are continued: by estimated cost, then by its steps.

    ``ranks`` are the ranks of its steps among those that leave the same entity.
    """

    cost: float
    ranks: tuple[int, ...]
    weight: float
    here: UUID
    steps: tuple[Step, ...]


def best_paths(roads: Roads, kind: PathKind, start: UUID, end: UUID, max_depth: int) -> Iterator[Path]:
    """The simple paths of up to ``max_depth`` relationships from one entity to another, the best first.

    Of those that are equally good, the ones with the strongest first steps come first. Raises BudgetSpent when it can't
    be told which path comes next.
    """
    measure = MEASURES[kind]
    remaining = _Remaining(roads, measure, start, end)
    heap = [_Partial(measure.sign * measure.start, (), measure.start, start, ())]
    while heap:
        partial = heapq.heappop(heap)
        if kind == "k_shortest" and partial.cost > max_depth:
            return
        estimate = remaining.estimate(partial.here)
        if estimate is None:
            continue
        cost = measure.sign * measure.combine(partial.weight, estimate)
        if cost > partial.cost:
            heapq.heappush(heap, partial._replace(cost=cost))
            continue
        if not remaining.is_exact(partial.here):
            roads.spend(1)
            remaining.settle()
            heapq.heappush(heap, partial)
            continue
        if partial.here == end:
            yield path_of(start, partial.steps, partial.weight)
            continue
        if len(partial.steps) == max_depth:
            continue
        passed = {start, *(step.to_id for step in partial.steps)}
        others = (each.here for each in heap[:_READ_TOGETHER] if each.here != end)
        steps = roads.steps_of(partial.here, others, onward=True)
        roads.spend(len(steps))
        for rank, step in enumerate(steps):
            own = measure.of_step(step)
            if own is None or step.to_id in passed:
                continue
            weight = measure.combine(partial.weight, own)
            ahead = remaining.estimate(step.to_id)
            if ahead is not None:
                cost = measure.sign * measure.combine(weight, ahead)
                further = _Partial(cost, (*partial.ranks, rank), weight, step.to_id, (*partial.steps, step))
                heapq.heappush(heap, further)
