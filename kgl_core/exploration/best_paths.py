"""The best simple paths between two entities, by length, certainty or weight.

A search back from the end finds the least cost from each entity to it (Dijkstra, 1959), as far as it is needed. With
that as the estimate of what is still to come, the paths are put together from the start, the most promising first (A*:
Hart, Nilsson and Raphael, 1968): they come out in the order of their cost, and hardly a step is tried in vain.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import islice
from math import inf
from operator import add, mul
from typing import Final, NamedTuple
from uuid import UUID

from kgl_core.exploration.paths import Path, PathKind, Roads, path_of
from kgl_core.exploration.shortest_paths import shortest_paths
from kgl_core.exploration.walks import Step

_LAST: Final = (inf,)
"""Comes after all ranks."""
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
        self.weights: dict[UUID, float] = {}
        self._heap: list[tuple[float, int, UUID]] = [(measure.sign * measure.start, end.int, end)]

    @property
    def least(self) -> float | None:
        """What it weighs at best from any entity that is not in ``weights``; None if none of them leads to the end."""
        while self._heap and self._heap[0][2] in self.weights:
            heapq.heappop(self._heap)
        return self._measure.sign * self._heap[0][0] if self._heap else None

    def settle(self) -> UUID:
        """Find the weight from the nearest of the others, and return that. Raises BudgetSpent.

        ``least`` must not be None.
        """
        cost, _, id = heapq.heappop(self._heap)
        measure = self._measure
        weight = self.weights[id] = measure.sign * cost
        if id != self._start:
            others = (each for *_, each in self._heap[:_READ_TOGETHER] if each not in self.weights)
            for step in self._roads.steps_of(id, others, onward=False):
                own = measure.of_step(step)
                if own is not None and step.to_id not in self.weights:
                    further = measure.sign * measure.combine(own, weight)
                    heapq.heappush(self._heap, (further, step.to_id.int, step.to_id))
        return id


class _Partial(NamedTuple):
    """The beginning of a path, in the order in which they are continued: by cost, then by its steps.

    ``ranks`` are the ranks of its steps among those that leave the same entity.
    """

    cost: float
    ranks: tuple[int, ...]
    weight: float
    here: UUID
    steps: tuple[Step, ...]


class _Partials:
    """Beginnings of paths that cost at most ``most``, given back the best first.

    What is still to come of some is known; for all others it is the same at best, so that these are in the order of
    what they weigh. No beginning is looked at again each time when more becomes known.
    """

    def __init__(self, roads: Roads, measure: Measure, remaining: _Remaining, most: float) -> None:
        self._roads, self._measure, self._remaining, self._most = roads, measure, remaining, most
        self.known: list[_Partial] = []
        self._others: list[_Partial] = []
        self._others_at: dict[UUID, list[_Partial]] = {}

    def add(self, ranks: tuple[int, ...], weight: float, here: UUID, steps: tuple[Step, ...]) -> None:
        """Add the beginning that has these steps and ends here."""
        partial = _Partial(self._measure.sign * weight, ranks, weight, here, steps)
        if here in self._remaining.weights:
            self._add_known(partial)
        else:
            heapq.heappush(self._others, partial)
            self._others_at.setdefault(here, []).append(partial)

    def pop(self) -> _Partial | None:
        """The best one, with the cost of the whole path; None if no other leads to the end. Raises BudgetSpent."""
        while (best := self._best_other()) is not None and best < self._best_known():
            self._roads.spend(1)
            for partial in self._others_at.pop(self._remaining.settle(), ()):
                self._add_known(partial)
        return heapq.heappop(self.known) if self.known else None

    def _add_known(self, partial: _Partial) -> None:
        cost = self._cost(partial, self._remaining.weights[partial.here])
        if cost <= self._most:
            heapq.heappush(self.known, partial._replace(cost=cost))

    def _best_known(self) -> tuple[float, tuple[float, ...]]:
        """The cost and the ranks of the best one that is known; what is no better need not be looked at."""
        return self.known[0][:2] if self.known else (self._most, _LAST)

    def _best_other(self) -> tuple[float, tuple[float, ...]] | None:
        """The least that any of the others can cost, and its ranks."""
        others, least = self._others, self._remaining.least
        while others and others[0].here in self._remaining.weights:
            heapq.heappop(others)
        return (self._cost(others[0], least), others[0].ranks) if others and least is not None else None

    def _cost(self, partial: _Partial, ahead: float) -> float:
        return self._measure.sign * self._measure.combine(partial.weight, ahead)


def best_paths(roads: Roads, kind: PathKind, start: UUID, end: UUID, max_depth: int, limit: int) -> Iterator[Path]:
    """Up to ``limit`` of the simple paths from one entity to another that have up to ``max_depth`` relationships.

    The best come first; of those that are equally good, the ones with the strongest first steps. Raises BudgetSpent
    when it can't be told which path comes next.
    """
    shortest: list[Path] = []
    if kind == "k_shortest":
        # Often they are all that is wanted, and from both ends at once they are found much sooner.
        shortest = shortest_paths(roads, start, end, max_depth, limit)
        yield from shortest
        if not shortest:
            return
    yield from islice(_best_first(roads, kind, start, end, max_depth), len(shortest), limit)


def _best_first(roads: Roads, kind: PathKind, start: UUID, end: UUID, max_depth: int) -> Iterator[Path]:
    measure = MEASURES[kind]
    most = max_depth if kind == "k_shortest" else inf
    partials = _Partials(roads, measure, _Remaining(roads, measure, start, end), most)
    if max_depth or start == end:
        partials.add((), measure.start, start, ())
    while partial := partials.pop():
        if partial.here == end:
            yield path_of(start, partial.steps, partial.weight)
            continue
        passed = {start, *(step.to_id for step in partial.steps)}
        others = (each.here for each in partials.known[:_READ_TOGETHER] if each.here != end)
        steps = roads.steps_of(partial.here, others, onward=True)
        roads.spend(len(steps))
        is_last = len(partial.steps) == max_depth - 1
        for rank, step in enumerate(steps):
            own = measure.of_step(step)
            if own is not None and step.to_id not in passed and (step.to_id == end or not is_last):
                weight = measure.combine(partial.weight, own)
                partials.add((*partial.ranks, rank), weight, step.to_id, (*partial.steps, step))
