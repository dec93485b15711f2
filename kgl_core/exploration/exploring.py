"""Exploring the graph: neighborhoods, paths, subgraphs, common neighbors and summaries, each as of one moment."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final, TypeVar, Unpack
from uuid import UUID

import attrs

from kgl_core.evidence.assertions import ASSERTION, AssertionFilter, Stance
from kgl_core.evidence.stored_evidence import sources_of
from kgl_core.exploration.best_paths import best_paths
from kgl_core.exploration.matching import Matches, match
from kgl_core.exploration.neighborhoods import (
    STEPS_MAX,
    Neighbor,
    Neighborhood,
    NeighborhoodFields,
    NeighborhoodQuery,
    begin_of,
    reach,
    truncated,
)
from kgl_core.exploration.paths import BudgetSpent, Path, PathFields, PathOutcome, PathQuery, Paths, PathsBetween, Roads
from kgl_core.exploration.patterns import Pattern, read_pattern
from kgl_core.exploration.shortest_paths import shortest_paths
from kgl_core.exploration.subgraphs import (
    STRONGEST_MAX,
    Cap,
    CommonNeighbors,
    CommonQuery,
    StrongNeighbor,
    Subgraph,
    SubgraphQuery,
    Summary,
)
from kgl_core.exploration.walks import Step, WalkFilter, WalkFilterFields, Walks
from kgl_core.graph.entities import ENTITY, Entity
from kgl_core.graph.facts import gone
from kgl_core.graph.relationships import Relationship
from kgl_core.kernel.checked_records import build
from kgl_core.kernel.errors import Fault, HistoryLost, InvalidInput
from kgl_core.kernel.ids import require_id
from kgl_core.kernel.nouns.pages import LIMIT_DEFAULT, decode_cursor, encode_cursor, fingerprint
from kgl_core.kernel.nouns.records import found
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context, UnitOfWork

_SOURCES_READ: Final = 50

Ids = UUID | str | Sequence[UUID | str]


class Graph:
    """Walks over the graph, on behalf of one actor.

    Every method sees the graph as of one moment. Each raises PermissionDenied when the actor may not read, InvalidInput
    with every fault in the arguments, NotFound and Deleted for entities that are named and not there, and StoreError
    when the store is in trouble. An id is a UUID or its canonical text. What walks follow is said by `WalkFilter`.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def neighborhood(self, id: UUID | str, **query: Unpack[NeighborhoodFields]) -> Neighborhood:
        """What is around an entity. `NeighborhoodQuery` has the arguments. Raises InvalidCursor, HistoryLost."""
        require(self._context.actor, Action.READ)
        wanted = build(NeighborhoodQuery, query)
        start = require_id(id)
        begin = begin_of(start, wanted)
        with self._context.store.snapshot() as uow:
            _require_active(uow, [start])
            if begin.place is not None:
                _require_known(uow.relationships.get(begin.place.id), begin.place.created_at)
            reached = reach(uow.walks, start, begin, wanted)
            entities = _by_id(uow.entities.find(reached.distances))
            steps = uow.walks.between(reached.distances, reached.distances, wanted, wanted.max_relationships + 1)
            kept = steps[: wanted.max_relationships]
            relationships = _records(uow.relationships, [step.id for step in kept])
            cut = truncated(uow.walks, wanted, reached, has_all_relationships=len(kept) == len(steps))
        neighbors = [Neighbor(entities[id], distance) for id, distance in reached.distances.items()]
        return Neighborhood(entities=tuple(neighbors), relationships=relationships, truncated=cut)

    def paths(self, from_: Ids, to: Ids, **query: Unpack[PathFields]) -> Paths:
        """The paths from one or several entities to one or several others. `PathQuery` has the arguments."""
        require(self._context.actor, Action.READ)
        wanted = build(PathQuery, {"from": from_, "to": to, **query})
        ends = frozenset((*wanted.from_, *wanted.to))
        with self._context.store.snapshot() as uow:
            _require_active(uow, (*wanted.from_, *wanted.to))
            roads = Roads(uow.walks, wanted, ends)
            paths: list[Path] = []
            pairs: list[PathsBetween] = []
            for start in wanted.from_:
                for end in wanted.to:
                    found_paths, pair = _between(roads, wanted, start, end)
                    paths += found_paths
                    pairs.append(pair)
            entities = _records(uow.entities, [id for path in paths for id in path.entity_ids])
            relationships = _records(uow.relationships, [id for path in paths for id in path.relationship_ids])
        return Paths(paths=tuple(paths), pairs=tuple(pairs), entities=entities, relationships=relationships)

    def shortest_paths(self, from_: Ids, to: Ids, **query: Unpack[PathFields]) -> Paths:
        """All paths that have the least number of relationships, up to ``limit`` for each pair of ends."""
        query["kind"] = "shortest"
        return self.paths(from_, to, **query)

    def subgraph(
        self, ids: Collection[UUID | str] | None = None, *, filter: Mapping[str, Any] | None = None, **query: Any
    ) -> Subgraph:
        """What joins the entities with these ids, or those that a filter finds. `SubgraphQuery` has the arguments.

        ``filter`` has the filters of a listing of entities by name.
        """
        require(self._context.actor, Action.READ)
        given = {"ids": None if ids is None else tuple(ids), "filter": filter, **query}
        wanted = build(SubgraphQuery, given)
        with self._context.store.snapshot() as uow:
            if wanted.filter is not None:
                entities = uow.entities.list(wanted.filter, "created_at", None, wanted.max_entities + 1)
            else:
                entities = [each for each in uow.entities.find(frozenset(wanted.ids or ())) if each.is_active]
                entities = sorted(entities, key=lambda each: (each.created_at, each.id.int))
            kept = entities[: wanted.max_entities]
            ids_kept = [each.id for each in kept]
            steps = uow.walks.between(ids_kept, ids_kept, wanted, wanted.max_relationships + 1)
            relationships = _records(uow.relationships, [step.id for step in steps[: wanted.max_relationships]])
        cut = None
        if len(steps) > wanted.max_relationships:
            cut = Cap(reason="max_relationships")
        if len(entities) > wanted.max_entities:
            cut = Cap(reason="max_entities")
        there = {each.id for each in entities}
        return Subgraph(
            entities=tuple(kept),
            relationships=relationships,
            missing_ids=tuple(sorted(set(wanted.ids or ()) - there, key=lambda id: id.int)),
            truncated=cut,
        )

    def common_neighbors(
        self,
        ids: Sequence[UUID | str],
        *,
        limit: int = LIMIT_DEFAULT,
        cursor: str | None = None,
        **filter: Unpack[WalkFilterFields],
    ) -> CommonNeighbors:
        """A page of the entities that are next to all of these two to ten. Raises InvalidCursor, HistoryLost."""
        require(self._context.actor, Action.READ)
        wanted = build(CommonQuery, {"id": tuple(ids), "limit": limit, "cursor": cursor, **filter})
        if len(wanted.id) < 2:
            raise InvalidInput([Fault("/id", "too_few", "give at least two different entities")])
        with self._context.store.snapshot() as uow:
            _require_active(uow, wanted.id)
            return _common(uow, wanted)

    def summary(self, id: UUID | str, *, strongest: int = 10) -> Summary:
        """An entity at a glance. ``strongest`` is how many neighbors are shown, 0 to 50."""
        require(self._context.actor, Action.READ)
        if type(strongest) is not int or not 0 <= strongest <= STRONGEST_MAX:
            advice = f"give a whole number from 0 to {STRONGEST_MAX}"
            raise InvalidInput([Fault("/strongest", "out_of_range", advice)])
        wanted = require_id(id)
        with self._context.store.snapshot() as uow:
            [entity] = _require_active(uow, [wanted])
            degrees = uow.walks.degrees(wanted)
            steps = uow.walks.steps([wanted], WalkFilter(), each=strongest, limit=strongest) if strongest else ()
            entities = _by_id(uow.entities.find({step.to_id for step in steps}))
            relationships = _by_id(uow.relationships.find({step.id for step in steps}))
            sources = _sources(uow, entity)
        return Summary(
            entity=entity,
            degree=sum(each.count for each in degrees),
            degrees=tuple(degrees),
            strongest=tuple(StrongNeighbor(entity=entities[s.to_id], relationship=relationships[s.id]) for s in steps),
            sources=sources,
        )

    def match(self, pattern: Pattern | Mapping[str, Any]) -> Matches:
        """The rows in which a pattern fits the graph; `Pattern` says what a pattern is."""
        require(self._context.actor, Action.READ)
        wanted = read_pattern(pattern)
        with self._context.store.snapshot() as uow:
            return match(uow, wanted)


def _require_active(uow: UnitOfWork, ids: Sequence[UUID]) -> Sequence[Entity]:
    """The entities with these ids, in their order. Raises NotFound, Deleted."""
    known = _by_id(uow.entities.find(frozenset(ids)))
    entities = [found(known.get(id), ENTITY.name, id) for id in ids]
    for entity in entities:
        if entity.deleted_at is not None:
            raise gone(ENTITY.name, entity)
    return entities


def _require_known(record: Entity | Relationship | None, created_at: datetime) -> None:
    """Raise HistoryLost unless this is the record, created then, at which a cursor was given out."""
    if record is None or record.created_at != created_at:
        raise HistoryLost("start again without a cursor")


R = TypeVar("R", Entity, Relationship)


def _by_id(records: Iterable[R]) -> dict[UUID, R]:
    return {record.id: record for record in records}


def _records(repository: Any, ids: Iterable[UUID]) -> tuple[Any, ...]:
    """The records with these ids, in this order, each once."""
    known = _by_id(repository.find(frozenset(ids)))
    return tuple(known[id] for id in dict.fromkeys(ids))


def _between(roads: Roads, query: PathQuery, start: UUID, end: UUID) -> tuple[list[Path], PathsBetween]:
    """The paths from one entity to one other, and what is known of them."""
    paths: list[Path] = []
    is_spent = False
    try:
        if query.kind == "shortest":
            paths = shortest_paths(roads, start, end, query.max_depth, query.limit + 1)
        else:
            paths.extend(islice(best_paths(roads, query.kind, start, end, query.max_depth), query.limit + 1))
    except BudgetSpent:
        is_spent = True
    is_cut = len(paths) > query.limit or (is_spent and len(paths) == query.limit)
    if is_spent and not is_cut:
        outcome = PathOutcome.BUDGET_SPENT
    else:
        outcome = PathOutcome.FOUND if paths else PathOutcome.NO_PATH
    return paths[: query.limit], PathsBetween(from_id=start, to_id=end, outcome=outcome, is_cut=is_cut)


def _common(uow: UnitOfWork, query: CommonQuery) -> CommonNeighbors:
    """A page of common neighbors: the neighbors of the entity with the fewest that are next to all the others."""
    walks = uow.walks
    listing = fingerprint("common", query.id, *(getattr(query, field.name) for field in attrs.fields(WalkFilter)))
    after: UUID | None = None
    if query.cursor is not None:
        after, created_at = decode_cursor(listing, query.cursor, UUID, datetime)
        _require_known(uow.entities.get(after), created_at)
    counts = walks.counts(query.id, query, STEPS_MAX)
    first, *others = sorted(query.id, key=lambda id: (counts.get(id, 0), id.int))
    steps = walks.steps([first], query, limit=STEPS_MAX + 1)
    cut = Cap(reason="max_steps") if len(steps) > STEPS_MAX else None
    common = {step.to_id for step in steps}.difference(query.id)
    for other in others:
        common &= {step.to_id for step in _joining(walks, query, [other], common)}
    left = sorted((id for id in common if after is None or id.int > after.int), key=lambda id: id.int)
    page = left[: query.limit]
    joining = sorted({step.id for step in _joining(walks, query, query.id, page)}, key=lambda id: id.int)
    entities = _records(uow.entities, page)
    more = None
    if len(left) > len(page):
        more = encode_cursor(listing, str(page[-1]), entities[-1].created_at.isoformat())
    return CommonNeighbors(
        entities=entities,
        relationships=_records(uow.relationships, joining),
        limit=query.limit,
        next_cursor=more,
        truncated=cut,
    )


def _joining(walks: Walks, query: WalkFilter, ids: Collection[UUID], others: Collection[UUID]) -> Sequence[Step]:
    """The steps from some entities to others that the query admits."""
    steps: list[Step] = []
    if query.direction != "in":
        steps += walks.between(ids, others, query, STEPS_MAX)
    if query.direction != "out":
        steps += [step.back() for step in walks.between(others, ids, query, STEPS_MAX)]
    return steps


def _sources(uow: UnitOfWork, entity: Entity) -> tuple[str, ...]:
    """The names of the newest sources that support an entity."""
    if not entity.has_assertions:
        return () if entity.source is None else (entity.source,)
    wanted = AssertionFilter(entity_id=entity.id, stance=Stance.FOR.value)
    said = uow.of(ASSERTION).list(wanted, "-asserted_at", None, _SOURCES_READ)
    sources = sources_of(uow, said)
    names = [sources[each.source_id].uri for each in said if each.source_id is not None]
    return tuple(dict.fromkeys(names))
