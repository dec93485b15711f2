"""``/entities/{id}/neighborhood``, ``/entities/{id}/summary`` and ``/graph/…``: walks over the graph."""

from __future__ import annotations

from typing import Any

import attrs

from kgl_core.exploration.common_neighbors import CommonQuery
from kgl_core.exploration.neighborhoods import NeighborhoodQuery, Truncated
from kgl_core.exploration.paths import Path, PathQuery, PathsBetween
from kgl_core.exploration.subgraphs import STRONGEST_MAX, SubgraphQuery, Summary
from kgl_core.graph.entities import EntityFilter
from kgl_core.kernel.checked_records import build, check, ruled
from kgl_core.kernel.field_rules import Integer
from kgl_core.kernel.permissions import Action
from kgl_http.api.envelope import send, send_beside, send_shown
from kgl_http.api.json_views import unstructure, unstructure_all
from kgl_http.api.operations import Answer, GraphResource, operation
from kgl_http.api.query_parameters import NoQuery, filter_of, with_moments
from kgl_http.exploration.walk_views import (
    COMMON_META,
    SUBGRAPH_META,
    NeighborhoodAnswer,
    RelationshipsAnswer,
    SubgraphAnswer,
    WalkedEntity,
    shown_neighborhood,
    shown_records,
    walking,
)
from kgl_http.openapi.shown_fields import FIELDS


@attrs.frozen(kw_only=True)
class NeighborhoodParameters(NeighborhoodQuery):
    """How far a neighborhood reaches, and how large it may get.

    ``depth`` is the greatest distance, in relationships. ``max_entities`` counts the one in the middle, too. Of each
    entity, ``max_per_entity`` relationships are followed, the strongest: by confidence, then the newest. ``cursor`` is
    that of an entity at which something was left out: its neighborhood goes on from there. ``fields`` are the names of
    the fields to show, with commas between them, for a compact answer to draw.
    """

    fields: tuple[str, ...] | None = ruled(FIELDS, default=None)


@attrs.frozen(kw_only=True)
class PathParameters(PathQuery):
    __doc__ = PathQuery.__doc__

    fields: tuple[str, ...] | None = ruled(FIELDS, default=None)


@attrs.frozen(kw_only=True)
class CommonParameters(CommonQuery):
    """Whose common neighbors are wanted: two to ten entities. Pages are as in listings."""

    fields: tuple[str, ...] | None = ruled(FIELDS, default=None)


@attrs.frozen(kw_only=True)
class SubgraphBody(SubgraphQuery):
    """Which subgraph is wanted: the entities with these ``ids``, or those that ``filter`` finds, and what joins them.

    Exactly one of the two is given; a filter has what a listing of entities can be filtered by. Of what it finds, the
    first ``max_entities`` are taken, in the order of their creation. ``fields`` are the names of the fields to show.
    """

    fields: tuple[str, ...] | None = ruled(FIELDS, default=None)


@attrs.frozen(kw_only=True)
class SummaryQuery:
    """How many of the strongest neighbors are shown."""

    strongest: int = ruled(Integer(0, STRONGEST_MAX), default=10)

    def __attrs_post_init__(self) -> None:
        check(self)


class EntityNeighborhood(GraphResource):
    """``/entities/{id}/neighborhood``."""

    @operation(
        summary="Walk from an entity to what is around it, up to a distance",
        action=Action.READ,
        query=NeighborhoodParameters,
        answers={200: Answer(NeighborhoodAnswer, meta={"truncated": Truncated | None})},
        errors=(404,),
    )
    def on_get(self, req: Any, resp: Any, id: str) -> None:
        query = req.read_query(NeighborhoodParameters)
        found = walking(self._graph(req).graph, query.fields).neighborhood(
            req.read_id(id), **filter_of(query, NeighborhoodQuery)
        )
        data = shown_neighborhood(found.entities, found.relationships)
        send_shown(req, resp, data, truncated=unstructure(found.truncated))


class EntitySummary(GraphResource):
    """``/entities/{id}/summary``."""

    @operation(
        summary="Count the relationships of an entity by type and direction, and show its strongest neighbors",
        action=Action.READ,
        query=SummaryQuery,
        answers={200: Answer(Summary)},
        errors=(404,),
    )
    def on_get(self, req: Any, resp: Any, id: str) -> None:
        query = req.read_query(SummaryQuery)
        send(req, resp, self._graph(req).graph.summary(req.read_id(id), strongest=query.strongest))


class GraphPaths(GraphResource):
    """``/graph/paths``."""

    @operation(
        summary="Find the paths from one or several entities to one or several others",
        action=Action.READ,
        query=PathParameters,
        answers={200: Answer(Path, "page", meta={"pairs": tuple[PathsBetween, ...]}, included=SubgraphAnswer)},
        errors=(404,),
    )
    def on_get(self, req: Any, resp: Any) -> None:
        query = req.read_query(PathParameters)
        found = walking(self._graph(req).graph, query.fields).paths(**filter_of(query, PathQuery))
        included = shown_records(found.entities, found.relationships)
        send_beside(req, resp, unstructure_all(found.paths), included, pairs=unstructure_all(found.pairs))


class GraphCommonNeighbors(GraphResource):
    """``/graph/common``."""

    @operation(
        summary="List the entities that are next to all of several others",
        action=Action.READ,
        query=CommonParameters,
        answers={200: Answer(WalkedEntity, "page", included=RelationshipsAnswer, meta=COMMON_META)},
        errors=(404,),
    )
    def on_get(self, req: Any, resp: Any) -> None:
        query = req.read_query(CommonParameters)
        given = filter_of(query, CommonQuery)
        found = walking(self._graph(req).graph, query.fields).common_neighbors(given.pop("id"), **given)
        records = shown_records(found.entities, found.relationships)
        included = {"relationships": records["relationships"]}
        about = {"next_cursor": found.next_cursor, "limit": found.limit, "truncated": unstructure(found.truncated)}
        send_beside(req, resp, records["entities"], included, **about)


class GraphSubgraph(GraphResource):
    """``/graph/subgraph``."""

    @operation(
        summary="Show the relationships among up to 10,000 entities",
        action=Action.READ,
        body=SubgraphBody,
        answers={200: Answer(SubgraphAnswer, meta=SUBGRAPH_META)},
    )
    def on_post(self, req: Any, resp: Any) -> None:
        req.read_query(NoQuery)
        given = req.read_object()
        body = build(SubgraphBody, {**given, "filter": with_moments(EntityFilter, given.get("filter"))})
        found = walking(self._graph(req).graph, body.fields).subgraph(**filter_of(body, SubgraphQuery))
        data = shown_records(found.entities, found.relationships)
        send_shown(req, resp, data, truncated=unstructure(found.truncated), missing_ids=found.missing_ids)
