"""``/search``, ``/search/suggest`` and ``/search/link``: finding entities by name."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import attrs

from kgl_core.exploration.search.answers import Found
from kgl_core.exploration.search.linking import Likeness, Linked, LinkQuery, Match
from kgl_core.exploration.search.names import FacetField
from kgl_core.exploration.search.ranking import Matched
from kgl_core.exploration.search.searching import FacetCount, Search, SearchQuery, SuggestQuery
from kgl_core.exploration.subgraphs import Cap
from kgl_core.graph.naming.names import NameField
from kgl_core.kernel.checked_records import build, ruled
from kgl_core.kernel.permissions import Action
from kgl_core.knowledge_graph import KnowledgeGraph
from kgl_http.api.envelope import send_shown
from kgl_http.api.json_views import unstructure
from kgl_http.api.operations import Answer, GraphResource, operation
from kgl_http.api.query_parameters import NoQuery, filter_of
from kgl_http.exploration.walk_views import WalkedEntity, of_records, shown_record
from kgl_http.openapi.shown_fields import FIELDS

_RESULTS_META: Final = {
    "next_cursor": str | None,
    "limit": int,
    "total": int,
    "truncated": Cap | None,
    "facets": Mapping[FacetField, tuple[FacetCount, ...]],
    "nearest_words": tuple[str, ...],
}


@attrs.frozen(kw_only=True)
class SearchParameters(SearchQuery):
    __doc__ = f"{SearchQuery.__doc__}\n    ``fields`` are the names of the fields of entities to show.\n    "

    fields: tuple[str, ...] | None = ruled(FIELDS, default=None)


@attrs.frozen(kw_only=True)
class SuggestParameters(SuggestQuery):
    __doc__ = f"{SuggestQuery.__doc__}\n    ``fields`` are the names of the fields of entities to show.\n    "

    fields: tuple[str, ...] | None = ruled(FIELDS, default=None)


@attrs.frozen(kw_only=True)
class LinkBody(LinkQuery):
    __doc__ = f"{LinkQuery.__doc__}\n    ``fields`` are the names of the fields of entities to show.\n    "

    fields: tuple[str, ...] | None = ruled(FIELDS, default=None)


@attrs.frozen(kw_only=True)
class FoundAnswer:
    __doc__ = Found.__doc__

    entity: WalkedEntity
    score: float
    matched: Matched


@attrs.frozen(kw_only=True)
class MatchAnswer:
    __doc__ = Match.__doc__

    entity: WalkedEntity
    likeness: Likeness
    field: NameField
    text: str


@attrs.frozen(kw_only=True)
class LinkedAnswer:
    __doc__ = Linked.__doc__

    name: str
    type: str | None
    matches: tuple[MatchAnswer, ...]
    is_cut: bool


class SearchResults(GraphResource):
    """``/search``."""

    @operation(
        summary="Search for entities by their names, the best first",
        action=Action.READ,
        query=SearchParameters,
        answers={200: Answer(FoundAnswer, "page", meta=_RESULTS_META)},
    )
    def on_get(self, req: Any, resp: Any) -> None:
        query = req.read_query(SearchParameters)
        found = _searching(self._graph(req), query.fields)(**filter_of(query, SearchQuery))
        about = {name: unstructure(getattr(found, name)) for name in _RESULTS_META}
        send_shown(req, resp, [*map(_found, found.items)], **about)


class SearchSuggestions(GraphResource):
    """``/search/suggest``."""

    @operation(
        summary="Suggest entities while somebody types a name",
        action=Action.READ,
        query=SuggestParameters,
        answers={200: Answer(FoundAnswer, "page", meta={"limit": int})},
    )
    def on_get(self, req: Any, resp: Any) -> None:
        query = req.read_query(SuggestParameters)
        found = _searching(self._graph(req), query.fields).suggest(**filter_of(query, SuggestQuery))
        send_shown(req, resp, [*map(_found, found)], limit=query.limit)


class SearchLinks(GraphResource):
    """``/search/link``."""

    @operation(
        summary="Find the entities that have just these names, for up to 1,000 names at once",
        action=Action.READ,
        body=LinkBody,
        answers={200: Answer(LinkedAnswer, "page", meta={"limit": int})},
    )
    def on_post(self, req: Any, resp: Any) -> None:
        req.read_query(NoQuery)
        body = build(LinkBody, req.read_object())
        linked = _searching(self._graph(req), body.fields).link(**filter_of(body, LinkQuery))
        send_shown(req, resp, [*map(_linked, linked)], limit=body.limit)


def _searching(graph: KnowledgeGraph, fields: Collection[str] | None) -> Search[Any]:
    """Searches whose answers have these fields of entities, or all."""
    return graph.search if fields is None else graph.search.showing(*of_records(fields))


def _found(found: Found[Any]) -> dict[str, Any]:
    return {"entity": shown_record(found.entity), "score": found.score, "matched": unstructure(found.matched)}


def _linked(linked: Linked[Any]) -> dict[str, Any]:
    matches = [
        {"entity": shown_record(m.entity), "likeness": m.likeness, "field": m.field, "text": m.text}
        for m in linked.matches
    ]
    return {"name": linked.name, "type": linked.type, "matches": matches, "is_cut": linked.is_cut}
