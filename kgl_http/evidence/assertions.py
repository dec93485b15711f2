"""``/assertions``: who says so, where, and how surely."""

from __future__ import annotations

from typing import Any

import attrs

from kgl_core.evidence.assertions import ASSERTION, AssertionFilter, SourcedAssertion
from kgl_core.kernel.checked_records import check, ruled
from kgl_core.kernel.nouns.pages import LIMIT_DEFAULT
from kgl_core.kernel.permissions import Action
from kgl_http.api.envelope import send, send_page
from kgl_http.api.operations import Answer, GraphResource, operation
from kgl_http.api.query_parameters import CURSOR, LIMIT, NoQuery, filter_of


@attrs.frozen(kw_only=True)
class AssertionQuery(AssertionFilter):
    """A listing of assertions in force; with ``is_withdrawn`` of those that were withdrawn, or of both (any)."""

    sort: str = ruled(ASSERTION.sort_rule, default="asserted_at")
    limit: int = ruled(LIMIT, default=LIMIT_DEFAULT)
    cursor: str | None = ruled(CURSOR, default=None)

    def __attrs_post_init__(self) -> None:
        check(self)


class Assertions(GraphResource):
    """``/assertions``."""

    @operation(
        summary="List assertions",
        action=Action.READ,
        query=AssertionQuery,
        answers={200: Answer(SourcedAssertion, "page")},
    )
    def on_get(self, req: Any, resp: Any) -> None:
        query = req.read_query(AssertionQuery)
        page = self._graph(req).assertions.list(
            sort=query.sort, limit=query.limit, cursor=query.cursor, **filter_of(query, AssertionFilter)
        )
        send_page(req, resp, page)


class AssertionById(GraphResource):
    """``/assertions/{id}``."""

    @operation(summary="Get an assertion", action=Action.READ, answers={200: Answer(SourcedAssertion)}, errors=(404,))
    def on_get(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        send(req, resp, self._graph(req).assertions.get(req.read_id(id)))

    @operation(
        summary="Withdraw an assertion; a fact that loses its last support is retired",
        action=Action.CHANGE,
        takes_run=True,
        answers={200: Answer(SourcedAssertion)},
        errors=(404,),
    )
    def on_delete(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        send(req, resp, self._graph(req).assertions.withdraw(req.read_id(id)))
