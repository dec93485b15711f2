"""Exploring the graph: neighborhoods, paths, subgraphs, common neighbors and summaries, each as of one moment."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Generic, Unpack
from uuid import UUID

from kgl_core.evidence.assertions import ASSERTION, AssertionFilter, Stance
from kgl_core.evidence.stored_evidence import sources_of
from kgl_core.exploration.best_paths import best_paths
from kgl_core.exploration.common_neighbors import CommonNeighbors, CommonQuery, common_neighbors
from kgl_core.exploration.matching import Matches, match
from kgl_core.exploration.neighborhoods import (
    DEPTH_MAX,
    ENTITIES_MAX,
    DistanceQuery,
    Distances,
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
    StrongNeighbor,
    Subgraph,
    SubgraphQuery,
    Summary,
)
from kgl_core.exploration.walked_records import E, Part, R, Records, check_fields, require_active, whole_records
from kgl_core.exploration.walks import (
    PLACE_KINDS,
    WalkFilter,
    WalkFilterFields,
    filters_of,
    place_of,
    place_parts,
)
from kgl_core.graph.entities import Entity
from kgl_core.graph.relationships import Relationship
from kgl_core.kernel.checked_records import build, listed
from kgl_core.kernel.errors import Fault, InvalidInput
from kgl_core.kernel.ids import require_id
from kgl_core.kernel.nouns.listings import require_known
from kgl_core.kernel.nouns.pages import LIMIT_DEFAULT, Page, check_limit, decode_cursor, encode_cursor, fingerprint
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context, UnitOfWork

_SOURCES_READ: Final = 50

Ids = UUID | str | Sequence[UUID | str]


class Graph(Generic[E, R]):
    """Walks over the graph, on behalf of one actor. Answers have entities as E and relationships as R.

    Every method sees the graph as of one moment. Each raises PermissionDenied when the actor may not read, InvalidInput
    with every fault in the arguments, NotFound and Deleted for entities that are named and not there, and StoreError
    when the store is in trouble. An id is a UUID or its canonical text. What walks follow is said by `WalkFilter`.
    """

    def __init__(self, context: Context, fields: frozenset[str] | None = None) -> None:
        self._context, self._fields = context, fields

    def showing(self, *fields: str) -> Graph[Part, Part]:
        """The same walks, of whose records only these fields are read: answers have mappings in place of records.

        Ids, and those of ends, are always there. Of `relationships` and `summary`, records are whole.
        """
        return Graph(self._context, check_fields(fields))

    def neighborhood(self, id: UUID | str, **query: Unpack[NeighborhoodFields]) -> Neighborhood[E, R]:
        """What is around an entity. `NeighborhoodQuery` has the arguments. Raises InvalidCursor, HistoryLost."""
        require(self._context.actor, Action.READ)
        wanted = build(NeighborhoodQuery, query)
        start = require_id(id)
        begin = begin_of(start, wanted)
        with self._context.store.snapshot() as uow:
            require_active(uow, [start])
            if begin.place is not None:
                require_known(uow.relationships.get(begin.place.id), begin.place.created_at)
            reached = reach(uow.walks, start, begin, wanted)
            entities = self._records(uow).entities(reached.distances)
            relationships: tuple[R, ...] = ()
            has_all = False  # some relationship led to each of the others
            if wanted.max_relationships or len(reached.distances) == 1:
                relationships, has_all = self._among(uow, reached.distances, wanted)
            cut = truncated(uow.walks, wanted, reached, has_all_relationships=has_all)
        neighbors = map(Neighbor, entities, reached.distances.values())
        return Neighborhood(entities=tuple(neighbors), relationships=relationships, truncated=cut)

    def distances(
        self,
        id: UUID | str,
        *,
        depth: int = DEPTH_MAX,
        max_entities: int = ENTITIES_MAX,
        **filter: Unpack[WalkFilterFields],
    ) -> Distances:
        """How many relationships entities are away from one, without any record: quicker than a neighborhood.

        All within ``depth`` (0 to 6) are there, unless these are more than ``max_entities``: then all at the distances
        up to which they are not.
        """
        require(self._context.actor, Action.READ)
        wanted = build(DistanceQuery, {"depth": depth, "max_entities": max_entities, **filter})
        start = require_id(id)
        with self._context.store.read() as uow:  # what follows is one statement
            while not (found := uow.walks.distances(start, wanted, wanted.depth, wanted.max_entities + 1)):
                require_active(uow, [start])
        if len(found) <= wanted.max_entities:
            return Distances(found, is_cut=False)
        too_far = sorted(found.values())[wanted.max_entities]
        return Distances({id: distance for id, distance in found.items() if distance < too_far}, is_cut=True)

    def relationships(
        self,
        id: UUID | str,
        *,
        limit: int = LIMIT_DEFAULT,
        cursor: str | None = None,
        **filter: Unpack[WalkFilterFields],
    ) -> Page[Relationship]:
        """A page of the relationships of an entity, the strongest first; ``limit`` is 1..200.

        Raises InvalidCursor, HistoryLost.
        """
        require(self._context.actor, Action.READ)
        wanted = build(WalkFilter, filter)
        start = require_id(id)
        check_limit(limit)
        listing = fingerprint("relationships", start, *filters_of(wanted))
        after = None if cursor is None else place_of(*decode_cursor(listing, cursor, *PLACE_KINDS))
        with self._context.store.snapshot() as uow:
            require_active(uow, [start])
            if after is not None:
                require_known(uow.relationships.get(after.id), after.created_at)
            steps = uow.walks.steps([start], wanted, each=limit + 1, limit=limit + 1, after=after)
            page = whole_records(uow).relationships(step.id for step in steps[:limit])
        more = encode_cursor(listing, *place_parts(steps[limit - 1].place)) if len(steps) > limit else None
        return Page(page, limit, more)

    def paths(self, from_: Ids, to: Ids, **query: Unpack[PathFields]) -> Paths[E, R]:
        """The paths from one or several entities to one or several others. `PathQuery` has the arguments."""
        require(self._context.actor, Action.READ)
        wanted = build(PathQuery, {"from": from_, "to": to, **query})
        with self._context.store.snapshot() as uow:
            roads = Roads(uow.walks, wanted, require_active(uow, (*wanted.from_, *wanted.to)))
            paths: list[Path] = []
            pairs: list[PathsBetween] = []
            for start in wanted.from_:
                for end in wanted.to:
                    found_paths, pair = _between(roads, wanted, start, end)
                    paths += found_paths
                    pairs.append(pair)
            records = self._records(uow)
            entities = records.entities(id for path in paths for id in path.entity_ids)
            relationships = records.relationships(id for path in paths for id in path.relationship_ids)
        return Paths(paths=tuple(paths), pairs=tuple(pairs), entities=entities, relationships=relationships)

    def shortest_paths(self, from_: Ids, to: Ids, **query: Unpack[PathFields]) -> Paths[E, R]:
        """All paths that have the least number of relationships, up to ``limit`` for each pair of ends."""
        query["kind"] = "shortest"
        return self.paths(from_, to, **query)

    def subgraph(
        self, ids: Collection[UUID | str] | None = None, *, filter: Mapping[str, Any] | None = None, **query: Any
    ) -> Subgraph[E, R]:
        """What joins the entities with these ids, or those that a filter finds. `SubgraphQuery` has the arguments.

        ``filter`` has the filters of a listing of entities by name.
        """
        require(self._context.actor, Action.READ)
        given = {"ids": listed(ids), "filter": filter, **query}
        wanted = build(SubgraphQuery, given)
        with self._context.store.snapshot() as uow:
            if wanted.filter is not None:
                entities = uow.entities.list(wanted.filter, "created_at", None, wanted.max_entities + 1)
            else:
                entities = [each for each in uow.entities.find(frozenset(wanted.ids or ())) if each.is_active]
                entities = sorted(entities, key=lambda each: (each.created_at, each.id.int))
            kept = entities[: wanted.max_entities]
            relationships, has_all = self._among(uow, [each.id for each in kept], wanted)
            shown = self._records(uow).shown(kept)
        cut = None if has_all else Cap(reason="max_relationships")
        if len(entities) > wanted.max_entities:
            cut = Cap(reason="max_entities")
        there = {each.id for each in entities}
        return Subgraph(
            entities=shown,
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
    ) -> CommonNeighbors[E, R]:
        """A page of the entities that are next to all of these two to ten. Raises InvalidCursor, HistoryLost."""
        require(self._context.actor, Action.READ)
        wanted = build(CommonQuery, {"id": listed(ids), "limit": limit, "cursor": cursor, **filter})
        with self._context.store.snapshot() as uow:
            require_active(uow, wanted.id)
            return common_neighbors(uow, self._records(uow), wanted)

    def summary(self, id: UUID | str, *, strongest: int = 10) -> Summary:
        """An entity at a glance. ``strongest`` is how many neighbors are shown, 0 to 50."""
        require(self._context.actor, Action.READ)
        if type(strongest) is not int or not 0 <= strongest <= STRONGEST_MAX:
            advice = f"give a whole number from 0 to {STRONGEST_MAX}"
            raise InvalidInput([Fault("/strongest", "out_of_range", advice)])
        wanted = require_id(id)
        with self._context.store.snapshot() as uow:
            [entity] = require_active(uow, [wanted])
            degrees = uow.walks.degrees(wanted)
            steps = uow.walks.steps([wanted], WalkFilter(), each=strongest, limit=strongest) if strongest else ()
            entities: dict[UUID, Entity] = {
                each.id: each for each in whole_records(uow).entities(step.to_id for step in steps)
            }
            relationships = whole_records(uow).relationships(step.id for step in steps)
            sources = _sources(uow, entity)
        return Summary(
            entity=entity,
            degree=sum(each.count for each in degrees),
            degrees=tuple(degrees),
            strongest=tuple(
                StrongNeighbor(entity=entities[step.to_id], relationship=relationship)
                for step, relationship in zip(steps, relationships, strict=True)
            ),
            sources=sources,
        )

    def match(self, pattern: Pattern | Mapping[str, Any]) -> Matches[E, R]:
        """The rows in which a pattern fits the graph; `Pattern` says what a pattern is."""
        require(self._context.actor, Action.READ)
        wanted = read_pattern(pattern)
        with self._context.store.snapshot() as uow:
            return match(uow, self._records(uow), wanted)

    def _records(self, uow: UnitOfWork) -> Records[E, R]:
        return Records(uow, self._fields)

    def _among(
        self, uow: UnitOfWork, ids: Collection[UUID], query: NeighborhoodQuery | SubgraphQuery
    ) -> tuple[tuple[R, ...], bool]:
        """The relationships among entities, the strongest first, and whether these are all."""
        steps = uow.walks.between(ids, ids, query, query.max_relationships + 1)
        kept = steps[: query.max_relationships]
        return self._records(uow).of_steps(kept), len(kept) == len(steps)


RecordGraph = Graph[Entity, Relationship]
"""Walks whose answers have whole records."""


def _between(roads: Roads, query: PathQuery, start: UUID, end: UUID) -> tuple[list[Path], PathsBetween]:
    """The paths from one entity to one other, and what is known of them."""
    paths: list[Path] = []
    is_spent = False
    try:
        if not roads.lead(start, end):
            pass
        elif query.kind == "shortest":
            paths = shortest_paths(roads, start, end, query.max_depth, query.limit + 1)
        else:
            paths.extend(best_paths(roads, query.kind, start, end, query.max_depth, query.limit + 1))
    except BudgetSpent:
        is_spent = True
    is_cut = len(paths) > query.limit or (is_spent and len(paths) == query.limit)
    if is_spent and not is_cut:
        outcome = PathOutcome.BUDGET_SPENT
    else:
        outcome = PathOutcome.FOUND if paths else PathOutcome.NO_PATH
    return paths[: query.limit], PathsBetween(from_id=start, to_id=end, outcome=outcome, is_cut=is_cut)


def _sources(uow: UnitOfWork, entity: Entity) -> tuple[str, ...]:
    """The names of the newest sources that support an entity."""
    if not entity.has_assertions:
        return () if entity.source is None else (entity.source,)
    wanted = AssertionFilter(entity_id=entity.id, stance=Stance.FOR.value)
    said = uow.of(ASSERTION).list(wanted, "-asserted_at", None, _SOURCES_READ)
    sources = sources_of(uow, said)
    names = [sources[each.source_id].uri for each in said if each.source_id is not None]
    return tuple(dict.fromkeys(names))
