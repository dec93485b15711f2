"""``/search``, ``/search/suggest`` and ``/search/link``: finding entities by name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

import attrs

from kgl_core.exploration.search.linking import Likeness, Linked, LinkQuery, Match
from kgl_core.exploration.search.names import FacetField
from kgl_core.exploration.search.ranking import Matched
from kgl_core.exploration.search.searching import FacetCount, Found, SearchQuery, SuggestQuery
from kgl_core.exploration.subgraphs import Cap
from kgl_core.exploration.walked_records import part_names, part_of
from kgl_core.graph.entities import ENTITY, Entity
from kgl_core.graph.naming.names import NameField
from kgl_core.kernel.checked_records import build, ruled
from kgl_core.kernel.permissions import Action
from kgl_http.api.envelope import send_shown
from kgl_http.api.json_views import unstructure
from kgl_http.api.operations import Answer, GraphResource, operation
from kgl_http.api.query_parameters import NoQuery, filter_of
from kgl_http.exploration.walk_views import WalkedEntity, shown_record
from kgl_http.openapi.shown_fields import FIELDS

_Show = Callable[[Entity], dict[str, Any]]
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
        found = self._graph(req).search(**filter_of(query, SearchQuery))
        show = _showing(query.fields)
        about = {name: unstructure(getattr(found, name)) for name in _RESULTS_META}
        send_shown(req, resp, [_found(each, show) for each in found.items], **about)


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
        found = self._graph(req).search.suggest(**filter_of(query, SuggestQuery))
        show = _showing(query.fields)
        send_shown(req, resp, [_found(each, show) for each in found], limit=query.limit)


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
        linked = self._graph(req).search.link(**filter_of(body, LinkQuery))
        show = _showing(body.fields)
        send_shown(req, resp, [_linked(each, show) for each in linked], limit=body.limit)


def _found(found: Found, show: _Show) -> dict[str, Any]:
    return {"entity": show(found.entity), "score": found.score, "matched": unstructure(found.matched)}


def _linked(linked: Linked, show: _Show) -> dict[str, Any]:
    matches = [
        {"entity": show(m.entity), "likeness": m.likeness, "field": m.field, "text": m.text} for m in linked.matches
    ]
    return {"name": linked.name, "type": linked.type, "matches": matches, "is_cut": linked.is_cut}


def _showing(fields: Collection[str] | None) -> _Show:
    """Shows entities as JSON: these fields of them, or all."""
    if fields is None:
        return shown_record
    names = part_names(ENTITY, frozenset(fields))
    return lambda entity: shown_record(part_of(entity, names))
