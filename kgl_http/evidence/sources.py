"""``/sources``: the documents, pages and databases that facts come from."""

from __future__ import annotations

from typing import Any

import attrs

from kgl_core.evidence.extraction.extractions import WithdrawalResult
from kgl_core.evidence.extraction.withdrawing_sources import SourceWithdrawal
from kgl_core.evidence.origins.contributions import Contribution
from kgl_core.evidence.origins.naming_sources import Sources as SourceUseCases
from kgl_core.evidence.origins.ranking import Rank
from kgl_core.evidence.origins.sources import SOURCE, URI, Source, SourceDraft, SourceFilter
from kgl_core.kernel.checked_records import build, check, ruled
from kgl_core.kernel.errors import NotFound
from kgl_core.kernel.field_rules import Optional
from kgl_core.kernel.nouns.pages import LIMIT_DEFAULT
from kgl_core.kernel.permissions import Action
from kgl_core.knowledge_graph import KnowledgeGraph
from kgl_http.api.envelope import send, send_page
from kgl_http.api.operations import JSON, MERGE_PATCH, Answer, GraphResource, operation
from kgl_http.api.preconditions import precondition, send_record
from kgl_http.api.query_parameters import CURSOR, LIMIT, NoQuery, filter_of, require_alone


@attrs.frozen(kw_only=True)
class SourceQuery(SourceFilter):
    """A listing of sources; or with ``uri``, and then with nothing else, the one that has it."""

    sort: str = ruled(SOURCE.sort_rule, default="created_at")
    limit: int = ruled(LIMIT, default=LIMIT_DEFAULT)
    cursor: str | None = ruled(CURSOR, default=None)
    uri: str | None = ruled(Optional(URI), default=None)

    def __attrs_post_init__(self) -> None:
        check(self)
        require_alone(self, "uri")


class Sources(GraphResource):
    """``/sources``."""

    @operation(
        summary="List sources, or find one by its URI",
        action=Action.READ,
        query=SourceQuery,
        answers={200: Answer(Source, "page")},
    )
    def on_get(self, req: Any, resp: Any) -> None:
        query = req.read_query(SourceQuery)
        sources = self._graph(req).sources
        if query.uri is not None:
            send(req, resp, _with_uri(sources, query.uri), next_cursor=None, limit=None)
            return
        page = sources.list(sort=query.sort, limit=query.limit, cursor=query.cursor, **filter_of(query, SourceFilter))
        send_page(req, resp, page)

    @operation(
        summary="Describe a source; its id follows from its URI",
        action=Action.CREATE,
        body=SourceDraft,
        answers={201: Answer(Source, has_etag=True, has_location=True)},
        errors=(409,),
    )
    def on_post(self, req: Any, resp: Any) -> None:
        req.read_query(NoQuery)
        source = self._graph(req).sources.create(**req.read_fields(SourceDraft))
        resp.status = 201
        resp.location = f"{req.root_path}/api/v1/sources/{source.id}"
        send_record(req, resp, source)


class SourceWithdrawals(GraphResource):
    """``/sources/withdraw``."""

    @operation(
        summary="Withdraw all that anybody says because of a source; with dry_run, only tell what would become of it",
        action=Action.RANK,
        takes_run=True,
        is_repeatable=True,
        body=SourceWithdrawal,
        answers={200: Answer(WithdrawalResult)},
        errors=(404, 409),
    )
    def on_post(self, req: Any, resp: Any) -> None:
        req.read_query(NoQuery)
        given = build(SourceWithdrawal, req.read_object())
        send(req, resp, self._graph(req).sources.withdraw(given.uri, dry_run=given.dry_run))


class SourceRanking(GraphResource):
    """``/sources/{id}/rank``."""

    @operation(
        summary="Set how far a source is trusted before others: where they differ, the highest rank wins",
        action=Action.RANK,
        takes_run=True,
        body=Rank,
        answers={200: Answer(Source, has_etag=True)},
        errors=(404,),
    )
    def on_put(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        given = build(Rank, req.read_object())
        send_record(req, resp, self._graph(req).sources.rank(req.read_id(id), given.rank))


class SourceById(GraphResource):
    """``/sources/{id}``. With ``require_if_match``, every change needs a precondition."""

    def __init__(self, kg: KnowledgeGraph, *, require_if_match: bool) -> None:
        super().__init__(kg)
        self._require_if_match = require_if_match

    @operation(summary="Get a source", action=Action.READ, answers={200: Answer(Source, has_etag=True)}, errors=(404,))
    def on_get(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        send_record(req, resp, self._graph(req).sources.get(req.read_id(id)))

    @operation(
        summary="Correct what is said of a source itself",
        action=Action.CHANGE,
        takes_run=True,
        is_conditional=True,
        body=SourceDraft,
        is_partial=True,
        body_media_types=(MERGE_PATCH, JSON),
        answers={200: Answer(Source, has_etag=True)},
        errors=(404,),
    )
    def on_patch(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        patch = req.read_object((MERGE_PATCH, JSON))
        required = precondition(req, is_required=self._require_if_match)
        send_record(req, resp, self._graph(req).sources.patch(req.read_id(id), patch, precondition=required))


class SourceContribution(GraphResource):
    """``/sources/{id}/contribution``."""

    @operation(
        summary="Tell how much of the graph a source supports, and which other sources say the same",
        action=Action.READ,
        answers={200: Answer(Contribution)},
        errors=(404,),
    )
    def on_get(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        send(req, resp, self._graph(req).sources.contribution(req.read_id(id)))


def _with_uri(sources: SourceUseCases, uri: str) -> list[Source]:
    """The source with this URI, or none."""
    try:
        return [sources.get_by_uri(uri)]
    except NotFound:
        return []
