"""Walks over dictionaries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from heapq import nsmallest
from itertools import islice
from typing import Any, Final
from uuid import UUID

from kgl_adapters.memory.graph.relationships import END_GROUPS
from kgl_adapters.memory.kernel.repository import Shelves
from kgl_core.exploration.walked_records import Part, part_of
from kgl_core.exploration.walks import Degree, Direction, Place, Step, WalkFilter, strength, weight_of
from kgl_core.graph.entities import ENTITY
from kgl_core.graph.nouns import GraphNoun
from kgl_core.graph.relationships import RELATIONSHIP, Relationship
from kgl_core.kernel.periods import Period, period_of

_WAYS: Final[Mapping[Direction, Sequence[tuple[Direction, bool]]]] = {
    "out": (("out", True),),
    "in": (("in", False),),
    "both": (("out", True), ("in", False)),
}


class MemoryWalks:
    """A `kgl_core.exploration.walks.Walks`."""

    def __init__(self, shelves: Shelves) -> None:
        self._shelves = shelves
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
            rows = list(self._rows_of(id, filter, free))
            if after is not None:
                begin = strength(after)
                rows = [(row, is_forward) for row, is_forward in rows if strength(row) > begin]
            left = limit - len(found)
            first = nsmallest(left if each is None else min(each, left), rows, key=lambda each: strength(each[0]))
            found += [_step(row, is_forward=is_forward, weight=weight) for row, is_forward in first]
            if len(found) >= limit:
                break
        return found

    def neighbors(
        self, entity_ids: Sequence[UUID], filter: WalkFilter, *, limit: int, free: Collection[UUID] = ()
    ) -> Sequence[tuple[UUID, UUID]]:
        return [*islice(((id, entered) for id in entity_ids for entered in self._entered(id, filter, free)), limit)]

    def distances(self, entity_id: UUID, filter: WalkFilter, depth: int, least: int) -> Mapping[UUID, int]:
        start = self._entities.rows.get(entity_id)
        if start is None or not start.is_active:
            return {}
        found = {entity_id: 0}
        frontier = [entity_id]
        for distance in range(1, depth + 1):
            entered = (to_id for id in frontier for to_id in self._entered(id, filter))
            frontier = [*dict.fromkeys(id for id in entered if id not in found)]
            found |= dict.fromkeys(frontier, distance)
            if not frontier or len(found) >= least:
                break
        return found

    def counts(self, entity_ids: Collection[UUID], filter: WalkFilter, most: int) -> Mapping[UUID, int]:
        return {id: sum(1 for _ in islice(self._rows_of(id, filter), most)) for id in entity_ids}

    def between(
        self, source_ids: Collection[UUID], target_ids: Collection[UUID], filter: WalkFilter, limit: int
    ) -> Sequence[Step]:
        sources, targets = frozenset(source_ids), frozenset(target_ids)
        # From the side that has fewer relationships: a hub on the other side is then not looked through.
        is_leaving = self._degree(sources, "out") <= self._degree(targets, "in")
        found = (
            row
            for id in (sources if is_leaving else targets)
            for row in self._admitted(id, "out" if is_leaving else "in", filter)
            if (row.target_entity_id in targets if is_leaving else row.source_entity_id in sources)
        )
        strongest = nsmallest(limit, list(found), key=strength)
        return [_step(row, is_forward=True)._replace(relationship_type=row.relationship_type) for row in strongest]

    def degrees(self, entity_id: UUID) -> Sequence[Degree]:
        directions: tuple[Direction, Direction] = ("in", "out")
        counted = Counter(
            (row.relationship_type, direction)
            for direction in directions
            for row in self._admitted(entity_id, direction, WalkFilter())
        )
        return [Degree(*what, count) for what, count in sorted(counted.items())]

    def parts(self, noun: GraphNoun, ids: Collection[UUID], names: Sequence[str]) -> Mapping[UUID, Part]:
        rows: Mapping[UUID, Any] = self._shelves(noun).rows
        return {id: part_of(rows[id], names) for id in ids if id in rows}

    def _degree(self, ids: Collection[UUID], direction: Direction) -> int:
        """How many relationships leave or enter some entities, those that are gone too."""
        groups = self._relationships.groups
        return sum(len(groups.get((END_GROUPS[direction], id)) or ()) for id in ids)

    def _entered(self, id: UUID, filter: WalkFilter, free: Collection[UUID] = ()) -> Iterator[UUID]:
        """The entities that the steps from one enter, in any order."""
        rows = self._rows_of(id, filter, free)
        return (row.target_entity_id if is_forward else row.source_entity_id for row, is_forward in rows)

    def _rows_of(
        self, id: UUID, filter: WalkFilter, free: Collection[UUID] = ()
    ) -> Iterator[tuple[Relationship, bool]]:
        """The relationships that can be followed from an entity, in any order, and whether each is followed forward."""
        for direction, is_forward in _WAYS[filter.direction]:
            for row in self._admitted(id, direction, filter):
                to_id = row.target_entity_id if is_forward else row.source_entity_id
                if to_id == id and not is_forward and filter.direction == "both":
                    continue  # a loop, which was followed forward
                if not filter.entity_type or to_id in free or self._type_of(to_id) in filter.entity_type:
                    yield row, is_forward

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
