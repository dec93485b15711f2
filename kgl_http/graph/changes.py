"""``/changes``: what happened to the graph, in order."""

from __future__ import annotations

import time
from typing import Any, Final

import attrs

from kgl_core.graph.journal.changes import Change
from kgl_core.kernel.checked_records import check, ruled
from kgl_core.kernel.field_rules import Integer
from kgl_core.kernel.nouns.pages import LIMIT_DEFAULT
from kgl_core.kernel.permissions import Action
from kgl_core.knowledge_graph import KnowledgeGraph
from kgl_http.api.authentication import Authenticator
from kgl_http.api.envelope import send_page
from kgl_http.api.operations import Answer, Resource, operation
from kgl_http.api.query_parameters import CURSOR, LIMIT
from kgl_http.server.long_requests import LongRequestSlots

POLL_S: Final = 0.25
WAIT_S_MAX: Final = 30


@attrs.frozen(kw_only=True)
class ChangeQuery:
    """The changes past ``after``. While there are none, the answer is held back for ``wait`` seconds at most."""

    after: str | None = ruled(CURSOR, default=None)
    limit: int = ruled(LIMIT, default=LIMIT_DEFAULT)
    wait: int = ruled(Integer(0, WAIT_S_MAX), default=0)

    def __attrs_post_init__(self) -> None:
        check(self)


class Changes(Resource):
    """``/changes``."""

    def __init__(self, kg: KnowledgeGraph, slots: LongRequestSlots, authenticator: Authenticator) -> None:
        self._kg, self._slots, self._authenticator = kg, slots, authenticator

    @operation(
        summary="Read the changes past a cursor, or wait for one",
        action=Action.READ,
        query=ChangeQuery,
        answers={200: Answer(Change, "page")},
    )
    def on_get(self, req: Any, resp: Any) -> None:
        query = req.read_query(ChangeQuery)
        kg = self._kg.acting_as(req.actor)
        page = kg.changes(after=query.after, limit=query.limit)
        if not page.items and query.wait:
            # Polled: a connection that listens would be held for as long, and SQLite has nothing to listen to.
            with self._slots.hold_waiting(req.actor):
                deadline, is_over = time.monotonic() + query.wait, False
                while not (page.items or is_over) and (left := deadline - time.monotonic()) > 0:
                    is_over = self._slots.wait(min(POLL_S, left))
                    # What ends a token ends its waits as well.
                    kg = self._kg.acting_as(self._authenticator.caller(req.access_token))
                    page = kg.changes(after=query.after, limit=query.limit)
        send_page(req, resp, page)
