"""``/graph/match``: patterns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import attrs

from kgl_core.exploration.patterns import Pattern
from kgl_core.exploration.subgraphs import Cap
from kgl_core.kernel.checked_records import build, ruled
from kgl_core.kernel.permissions import Action
from kgl_http.api.envelope import send_beside
from kgl_http.api.json_views import unstructure
from kgl_http.api.operations import Answer, GraphResource, operation
from kgl_http.api.query_parameters import NoQuery
from kgl_http.exploration.walk_views import SubgraphAnswer, shown_records, walking
from kgl_http.openapi.shown_fields import FIELDS

_META: Final = {"limit": int, "truncated": Cap | None, "total": int | None, "is_total_cut": bool}


@attrs.frozen(kw_only=True)
class MatchBody(Pattern):
    __doc__ = f"{Pattern.__doc__}\n    ``fields`` are the names of the fields that records show.\n    "

    fields: tuple[str, ...] | None = ruled(FIELDS, default=None)


class GraphMatches(GraphResource):
    """``/graph/match``."""

    @operation(
        summary="Find the ways in which a pattern of entities and relationships fits the graph",
        action=Action.READ,
        body=MatchBody,
        answers={200: Answer(Mapping[str, UUID | None], "page", meta=_META, included=SubgraphAnswer)},
    )
    def on_post(self, req: Any, resp: Any) -> None:
        req.read_query(NoQuery)
        body = build(MatchBody, req.read_object())
        found = walking(self._graph(req).graph, body.fields).match(body)
        included = shown_records(found.entities, found.relationships)
        about = {name: unstructure(getattr(found, name)) for name in _META}
        send_beside(req, resp, found.rows, included, **about)
