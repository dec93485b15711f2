"""Walks over dictionaries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from uuid import UUID

from kgl_adapters.memory.graph.relationships import END_GROUPS
from kgl_adapters.memory.kernel.repository import Shelves
from kgl_core.exploration.walks import Degree, Direction, Place, Step, WalkFilter, strength, weight_of
from kgl_core.graph.entities import ENTITY
from kgl_core.graph.relationships import RELATIONSHIP, Relationship
from kgl_core.kernel.periods import Period, period_of


class MemoryWalks:
    """A `kgl_core.exploration.walks.Walks`."""

    def __init__(self, shelves: Shelves) -> None:
        self._entities, self._relationships = shelves(ENTITY), shelves(RELATIONSHIP)

    def steps(
        self,
        entity_ids: Sequence[UUID],
        filter: WalkFilter,
        *,
        each: int | None = None,
        limit: int,
        after: Place | None = None,
        free: Collection[UUID] = (),
        weight: str | None = None,
    ) -> Sequence[Step]:
        found: list[Step] = []
        for id in entity_ids:
            own = sorted(self._steps_of(id, filter, free, weight), key=lambda step: strength(step.place))
            if after is not None:
                own = [step for step in own if strength(step.place) > strength(after)]
            found += own[:each]
            if len(found) >= limit:
                break
        return found[:limit]

    def distances(self, entity_id: UUID, filter: WalkFilter, depth: int, limit: int) -> Sequence[tuple[UUID, int]]:
        start = self._entities.rows.get(entity_id)
        if start is None or not start.is_active:
            return ()
        found = {entity_id: 0}
        frontier = [entity_id]
        for distance in range(1, depth + 1):
            steps = (step for id in frontier for step in self._steps_of(id, filter))
            frontier = [*dict.fromkeys(step.to_id for step in steps if step.to_id not in found)]
            found |= dict.fromkeys(frontier, distance)
            if not frontier or len(found) >= limit:
                break
        return [*found.items()][:limit]

    def counts(self, entity_ids: Collection[UUID], filter: WalkFilter, most: int) -> Mapping[UUID, int]:
        return {id: sum(1 for _ in islice(self._steps_of(id, filter), most)) for id in entity_ids}

    def between(
        self, source_ids: Collection[UUID], target_ids: Collection[UUID], filter: WalkFilter, limit: int
    ) -> Sequence[Step]:
        targets = frozenset(target_ids)
        found = [
            _step(row, is_forward=True)
            for id in frozenset(source_ids)
            for row in self._admitted(id, "out", filter)
            if row.target_entity_id in targets
        ]
        return sorted(found, key=lambda step: strength(step.place))[:limit]

    def degrees(self, entity_id: UUID) -> Sequence[Degree]:
        directions: tuple[Direction, Direction] = ("in", "out")
        counted = Counter(
            (row.relationship_type, direction)
            for direction in directions
            for row in self._admitted(entity_id, direction, WalkFilter())
        )
        return [Degree(*what, count) for what, count in sorted(counted.items())]

    def _steps_of(
        self, id: UUID, filter: WalkFilter, free: Collection[UUID] = (), weight: str | None = None
    ) -> Iterator[Step]:
        """The steps from an entity, in any order."""
        rows: list[tuple[Relationship, bool]] = []
        if filter.direction != "in":
            rows += [(row, True) for row in self._admitted(id, "out", filter)]
        if filter.direction != "out":
            is_loop_known = filter.direction == "both"
            arriving = self._admitted(id, "in", filter)
            rows += [(row, False) for row in arriving if not (is_loop_known and row.source_entity_id == id)]
        for row, is_forward in rows:
            step = _step(row, is_forward=is_forward, weight=weight)
            if not filter.entity_type or step.to_id in free or self._type_of(step.to_id) in filter.entity_type:
                yield step

    def _type_of(self, id: UUID) -> str | None:
        entity = self._entities.rows.get(id)
        return None if entity is None else entity.type

    def _admitted(self, id: UUID, direction: Direction, filter: WalkFilter) -> Iterable[Relationship]:
        """The active relationships that leave or enter an entity and that the filter admits."""
        period = None if filter.valid_at is None else period_of(filter.valid_at) or Period()
        for each in self._relationships.groups.get((END_GROUPS[direction], id)) or ():
            row = self._relationships.rows.get(each)
            if row is not None and row.is_active and _is_admitted(row, filter, period):
                yield row


def _is_admitted(row: Relationship, filter: WalkFilter, period: Period | None) -> bool:
    if filter.relationship_type and row.relationship_type not in filter.relationship_type:
        return False
    if row.relationship_type in filter.not_relationship_type:
        return False
    if filter.min_confidence is not None and (row.confidence is None or row.confidence < filter.min_confidence):
        return False
    if filter.min_sources is not None and row.sources_for < filter.min_sources:
        return False
    return period is None or row.period.overlaps(period)


def _step(row: Relationship, *, is_forward: bool, weight: str | None = None) -> Step:
    from_id, to_id = row.ends if is_forward else reversed(row.ends)
    place = Place(row.confidence, row.created_at, row.id)
    return Step(from_id, to_id, place, is_forward, None if weight is None else weight_of(row.metadata.get(weight)))
