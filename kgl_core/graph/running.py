"""Opening, ending and reading runs."""

from __future__ import annotations

from typing import Unpack
from uuid import UUID

import attrs

from kgl_core.graph.changes import Change
from kgl_core.graph.runs import RUN, Run, RunDraft, RunEnded, RunFilter, RunFilterFields, RunKind, RunState
from kgl_core.kernel.checked_records import build
from kgl_core.kernel.ids import RunId, require_id
from kgl_core.kernel.nouns.listings import read_page
from kgl_core.kernel.nouns.pages import LIMIT_DEFAULT, Page, check_limit
from kgl_core.kernel.nouns.records import found
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context, Store, transaction


class Runs:
    """The use cases of runs, on behalf of one actor.

    Every method raises PermissionDenied when the actor may not call it, InvalidInput for malformed arguments, and
    StoreError when the store is in trouble. An id is a UUID or its canonical text.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    @transaction
    def open(self, title: str | None = None) -> Run:
        """Begin a run, which lasts until `end`."""
        require(self._context.actor, Action.CREATE)
        draft = build(RunDraft, {"title": title})
        return begin_run(self._context, self._context.store, RunKind.OPENED, draft.title)

    @transaction
    def end(self, id: UUID | str, state: str = RunState.COMPLETED) -> Run:
        """End a run as completed or failed; one that has ended is left as it is.

        Raises NotFound, and PermissionDenied when somebody else opened it.
        """
        require(self._context.actor, Action.CHANGE, self._context.actor)
        wanted = require_id(id)
        run = self._get(wanted)
        require(self._context.actor, Action.CHANGE, run.created_by)
        return end_run(self._context, self._context.store, run.id, RunState(state))

    def get(self, id: UUID | str) -> Run:
        """The run with this id. Raises NotFound."""
        require(self._context.actor, Action.READ)
        return self._get(require_id(id))

    def list(
        self,
        *,
        sort: str = "-created_at",
        limit: int = LIMIT_DEFAULT,
        cursor: str | None = None,
        **filter: Unpack[RunFilterFields],
    ) -> Page[Run]:
        """A page of runs, the latest first; ``limit`` is 1..200. Raises InvalidCursor, HistoryLost."""
        require(self._context.actor, Action.READ)
        wanted = build(RunFilter, filter)
        with self._context.store.read() as uow:
            return read_page(RUN, uow.of(RUN), wanted, sort, limit, cursor)

    def changes(self, id: UUID | str, *, after: str | None = None, limit: int = LIMIT_DEFAULT) -> Page[Change]:
        """Up to ``limit`` (1..200) changes of a run, after the cursor ``after``, in their order.

        ``next_cursor`` is where to read on; it is ``after`` itself when nothing is new. Raises NotFound, InvalidCursor
        and HistoryLost.
        """
        self.get(id)
        check_limit(limit)
        with self._context.store.read() as uow:
            changes = tuple(uow.changes.read(after, limit, run=require_id(id)))
        return Page(changes, limit, changes[-1].cursor if changes else after)

    def require_open(self, id: UUID | str) -> RunId:
        """The id of a run that the actor may add changes to.

        Raises NotFound, RunEnded, and PermissionDenied when somebody else opened it.
        """
        run = self._get(require_id(id))
        require(self._context.actor, Action.CHANGE, run.created_by)
        if run.state is not RunState.OPEN:
            raise RunEnded(run)
        return run.id

    def _get(self, id: UUID) -> Run:
        with self._context.store.read() as uow:
            return found(uow.of(RUN).get(id), "run", id)


def begin_run(context: Context, store: Store, kind: RunKind, title: str | None) -> Run:
    """Store a run that begins now, in a unit of work of ``store``."""
    run = Run(
        id=RunId(context.new_id()),
        title=title,
        kind=kind,
        state=RunState.OPEN,
        created_by=context.actor,
        created_at=context.now(),
    )
    with store.begin() as uow:
        uow.of(RUN).add([run])
        uow.commit()
    return run


def end_run(context: Context, store: Store, id: UUID, state: RunState) -> Run:
    """Store that a run has ended now, with the number of its changes; one that has ended is left as it is.

    Raises NotFound.
    """
    with store.read() as uow:
        counts = uow.changes.count_by_action(id)
    with store.begin() as uow:
        run = found(uow.of(RUN).get(id, lock="update"), "run", id)
        if run.state is not RunState.OPEN:
            return run
        ended = attrs.evolve(run, state=state, ended_at=context.now(), counts=counts)
        uow.of(RUN).replace([ended])
        uow.commit()
    return ended
