"""``/runs``: work that belongs together, and the changes that it made."""

from __future__ import annotations

from typing import Any

import attrs

from kgl_core.graph.journal.changes import Change
from kgl_core.graph.journal.runs import RUN, Run, RunDraft, RunEnd, RunFilter
from kgl_core.kernel.checked_records import build, check, ruled
from kgl_core.kernel.nouns.pages import LIMIT_DEFAULT
from kgl_core.kernel.permissions import Action
from kgl_http.api.envelope import send, send_page
from kgl_http.api.operations import Answer, GraphResource, operation
from kgl_http.api.query_parameters import CURSOR, LIMIT, NoQuery, filter_of


@attrs.frozen(kw_only=True)
class RunQuery(RunFilter):
    """A listing of runs, the latest first unless ``sort`` says otherwise."""

    sort: str = ruled(RUN.sort_rule, default="-created_at")
    limit: int = ruled(LIMIT, default=LIMIT_DEFAULT)
    cursor: str | None = ruled(CURSOR, default=None)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class RunChangesQuery:
    """The changes of one run past ``after``."""

    after: str | None = ruled(CURSOR, default=None)
    limit: int = ruled(LIMIT, default=LIMIT_DEFAULT)

    def __attrs_post_init__(self) -> None:
        check(self)


class Runs(GraphResource):
    """``/runs``."""

    @operation(summary="List runs", action=Action.READ, query=RunQuery, answers={200: Answer(Run, "page")})
    def on_get(self, req: Any, resp: Any) -> None:
        query = req.read_query(RunQuery)
        runs = self._kg.acting_as(req.actor).runs
        page = runs.list(sort=query.sort, limit=query.limit, cursor=query.cursor, **filter_of(query, RunFilter))
        send_page(req, resp, page)

    @operation(
        summary="Open a run; send its id in the header Run with every change that is part of it",
        action=Action.CREATE,
        body=RunDraft,
        answers={201: Answer(Run, has_location=True)},
    )
    def on_post(self, req: Any, resp: Any) -> None:
        req.read_query(NoQuery)
        draft = build(RunDraft, req.read_object())
        run = self._kg.acting_as(req.actor).runs.open(draft.title)
        resp.status = 201
        resp.location = f"{req.root_path}/api/v1/runs/{run.id}"
        send(req, resp, run)


class RunById(GraphResource):
    """``/runs/{id}``."""

    @operation(summary="Get a run", action=Action.READ, answers={200: Answer(Run)}, errors=(404,))
    def on_get(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        send(req, resp, self._kg.acting_as(req.actor).runs.get(req.read_id(id)))


class RunChanges(GraphResource):
    """``/runs/{id}/changes``."""

    @operation(
        summary="Read the changes of a run",
        action=Action.READ,
        query=RunChangesQuery,
        answers={200: Answer(Change, "page")},
        errors=(404,),
    )
    def on_get(self, req: Any, resp: Any, id: str) -> None:
        query = req.read_query(RunChangesQuery)
        runs = self._kg.acting_as(req.actor).runs
        send_page(req, resp, runs.changes(req.read_id(id), after=query.after, limit=query.limit))


class RunEnding(GraphResource):
    """``/runs/{id}/end``."""

    @operation(
        summary="End a run; one that has ended is left as it is",
        action=Action.CHANGE,
        body=RunEnd,
        answers={200: Answer(Run)},
        errors=(404,),
    )
    def on_post(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        end = build(RunEnd, req.read_object())
        send(req, resp, self._kg.acting_as(req.actor).runs.end(req.read_id(id), end.state))
