"""``/extractors``: the programs that find facts in sources, and how far each is trusted."""

from __future__ import annotations

from typing import Any

import attrs

from kgl_core.evidence.origins.extractors import EXTRACTOR, Extractor, ExtractorDraft, ExtractorFilter
from kgl_core.evidence.origins.naming_extractors import Extractors as ExtractorUseCases
from kgl_core.evidence.origins.ranking import Rank
from kgl_core.graph.shared_fields import EXTRACTOR as NAME
from kgl_core.kernel.checked_records import build, check, ruled
from kgl_core.kernel.errors import NotFound
from kgl_core.kernel.field_rules import Optional
from kgl_core.kernel.nouns.pages import LIMIT_DEFAULT
from kgl_core.kernel.permissions import Action
from kgl_http.api.envelope import send, send_page
from kgl_http.api.operations import Answer, GraphResource, operation
from kgl_http.api.preconditions import send_record
from kgl_http.api.query_parameters import CURSOR, LIMIT, NoQuery, filter_of, require_alone


@attrs.frozen(kw_only=True)
class ExtractorQuery(ExtractorFilter):
    """A listing of extractors; or with ``name``, and then with nothing else, the one that has it."""

    sort: str = ruled(EXTRACTOR.sort_rule, default="created_at")
    limit: int = ruled(LIMIT, default=LIMIT_DEFAULT)
    cursor: str | None = ruled(CURSOR, default=None)
    name: str | None = ruled(Optional(NAME), default=None)

    def __attrs_post_init__(self) -> None:
        check(self)
        require_alone(self, "name")


class Extractors(GraphResource):
    """``/extractors``."""

    @operation(
        summary="List extractors, or find one by its name",
        action=Action.READ,
        query=ExtractorQuery,
        answers={200: Answer(Extractor, "page")},
    )
    def on_get(self, req: Any, resp: Any) -> None:
        query = req.read_query(ExtractorQuery)
        extractors = self._graph(req).extractors
        if query.name is not None:
            send(req, resp, _with_name(extractors, query.name), next_cursor=None, limit=None)
            return
        given = filter_of(query, ExtractorFilter)
        send_page(req, resp, extractors.list(sort=query.sort, limit=query.limit, cursor=query.cursor, **given))

    @operation(
        summary="Name an extractor before it says anything, so that it can be ranked; its id follows from its name",
        action=Action.CREATE,
        body=ExtractorDraft,
        answers={201: Answer(Extractor, has_etag=True, has_location=True)},
        errors=(409,),
    )
    def on_post(self, req: Any, resp: Any) -> None:
        req.read_query(NoQuery)
        named = self._graph(req).extractors.create(**req.read_fields(ExtractorDraft))
        resp.status = 201
        resp.location = f"{req.root_path}/api/v1/extractors/{named.id}"
        send_record(req, resp, named)


class ExtractorById(GraphResource):
    """``/extractors/{id}``."""

    @operation(
        summary="Get an extractor", action=Action.READ, answers={200: Answer(Extractor, has_etag=True)}, errors=(404,)
    )
    def on_get(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        send_record(req, resp, self._graph(req).extractors.get(req.read_id(id)))


class ExtractorRanking(GraphResource):
    """``/extractors/{id}/rank``."""

    @operation(
        summary="Set how far an extractor is trusted before others: its rank counts together with that of the source",
        action=Action.RANK,
        takes_run=True,
        body=Rank,
        answers={200: Answer(Extractor, has_etag=True)},
        errors=(404,),
    )
    def on_put(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        given = build(Rank, req.read_object())
        send_record(req, resp, self._graph(req).extractors.rank(req.read_id(id), given.rank))


def _with_name(extractors: ExtractorUseCases, name: str) -> list[Extractor]:
    """The extractor with this name, or none."""
    try:
        return [extractors.get_by_name(name)]
    except NotFound:
        return []
