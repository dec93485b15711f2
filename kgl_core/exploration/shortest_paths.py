"""All shortest paths between two entities: breadth-first search from both ends at once (Pohl, 1971)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final
from uuid import UUID

import attrs

from kgl_core.exploration.paths import Path, Roads, path_of
from kgl_core.exploration.walks import Step, strength

_FIRST_LIMIT: Final = 2_000
_LIMIT_GROWTH: Final = 8


@attrs.define
class _Side:
    """A search from one end: the distance of what it has reached, and from where that is entered on a shortest way."""

    onward: bool
    frontier: Sequence[UUID]
    distances: dict[UUID, int]
    before: dict[UUID, set[UUID]] = attrs.Factory(dict)
    depth: int = 0

    def advance(self, neighbors: Iterable[tuple[UUID, UUID]]) -> None:
        """Take one step from each entity of the frontier."""
        self.depth += 1
        reached: dict[UUID, set[UUID]] = {}
        for left, entered in neighbors:
            if entered not in self.distances:
                reached.setdefault(entered, set()).add(left)
        self.before |= reached
        self.distances |= dict.fromkeys(reached, self.depth)
        self.frontier = tuple(reached)


def shortest_paths(roads: Roads, start: UUID, end: UUID, max_depth: int, limit: int) -> list[Path]:
    """Up to ``limit`` of the shortest paths from one entity to another, with the strongest first steps first.

    Empty if there is none within ``max_depth``. Raises BudgetSpent.
    """
    if start == end:
        return [path_of(start, (), 0)]
    sides = (_Side(True, (start,), {start: 0}), _Side(False, (end,), {end: 0}))
    while sides[0].depth + sides[1].depth < max_depth and all(side.frontier for side in sides):
        side, neighbors = _cheaper(roads, sides)
        other = sides[1 - sides.index(side)]
        side.advance(neighbors)
        if meeting := [id for id in side.frontier if id in other.distances]:
            onward = _onward(roads, _pairs(sides, meeting))
            found = islice(_follow(onward, start, end, ()), limit)
            return [path_of(start, steps, len(steps)) for steps in found]
    return []


def _cheaper(roads: Roads, sides: tuple[_Side, _Side]) -> tuple[_Side, list[tuple[UUID, UUID]]]:
    """The side that is cheaper to advance, and the neighbors of its frontier.

    How many there are is not known before they are read: one entity of a frontier can have a hundred thousand. So each
    side is read up to a limit in turns, and the limit grows until one of them fits.
    """
    limit = _FIRST_LIMIT
    while True:
        for side in sorted(sides, key=lambda each: len(each.frontier)):
            neighbors = roads.neighbors(side.frontier, limit, onward=side.onward)
            if neighbors is not None:
                return side, neighbors
        limit *= _LIMIT_GROWTH


def _pairs(sides: tuple[_Side, _Side], meeting: Sequence[UUID]) -> set[tuple[UUID, UUID]]:
    """The entities that follow each other on the shortest paths."""
    pairs: set[tuple[UUID, UUID]] = set()
    for side in sides:
        seen, todo = set(meeting), list(meeting)
        while todo:
            id = todo.pop()
            for before in side.before.get(id, ()):
                pairs.add((before, id) if side.onward else (id, before))
                if before not in seen:
                    seen.add(before)
                    todo.append(before)
    return pairs


def _onward(roads: Roads, pairs: set[tuple[UUID, UUID]]) -> Mapping[UUID, Sequence[Step]]:
    """The steps of all shortest paths by the entity that they leave, the strongest first."""
    onward: dict[UUID, list[Step]] = {}
    for step in roads.joining({left for left, _ in pairs}, {entered for _, entered in pairs}):
        if (step.from_id, step.to_id) in pairs:
            onward.setdefault(step.from_id, []).append(step)
    return {id: sorted(steps, key=lambda step: strength(step.place)) for id, steps in onward.items()}


def _follow(
    onward: Mapping[UUID, Sequence[Step]], here: UUID, end: UUID, taken: tuple[Step, ...]
) -> Iterator[tuple[Step, ...]]:
    if here == end:
        yield taken
        return
    for step in onward.get(here, ()):
        yield from _follow(onward, step.to_id, end, (*taken, step))
