"""Opening, ending and reading runs, and what makes changes part of one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import Unpack
from uuid import UUID

import attrs

from kgl_core.graph.journal.changes import Change
from kgl_core.graph.journal.runs import (
    RUN,
    Run,
    RunDraft,
    RunEnd,
    RunEnded,
    RunFilter,
    RunFilterFields,
    RunKind,
    RunState,
)
from kgl_core.kernel.checked_records import build
from kgl_core.kernel.errors import KglError
from kgl_core.kernel.ids import RunId, require_id
from kgl_core.kernel.nouns.listings import read_page
from kgl_core.kernel.nouns.pages import LIMIT_DEFAULT, Page, check_limit
from kgl_core.kernel.nouns.records import found
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context, Store, UnitOfWork, transaction


class Runs:
    """The use cases of runs, on behalf of one actor.

    Every method raises PermissionDenied when the actor may not call it, InvalidInput for malformed arguments, and
    StoreError when the store is in trouble. An id is a UUID or its canonical text.
    """

    def __init__(self, context: Context) -> None:
        self._context = _outside(context)

    @transaction
    def open(self, title: str | None = None) -> Run:
        """Begin a run, which lasts until `end`."""
        require(self._context.actor, Action.CREATE)
        draft = build(RunDraft, {"title": title})
        return _begin(self._context, RunKind.OPENED, draft.title)

    @transaction
    def end(self, id: UUID | str, state: str = RunState.COMPLETED) -> Run:
        """End a run as completed or failed; one that has ended is left as it is.

        It waits for the transactions that are under way in the run, and nothing can become part of it afterwards.
        Raises NotFound, and PermissionDenied when somebody else opened it.
        """
        require(self._context.actor, Action.CHANGE, self._context.actor)
        wanted, end = require_id(id), build(RunEnd, {"state": state})
        require(self._context.actor, Action.CHANGE, self._get(wanted).created_by)
        return _end(self._context, wanted, RunState(end.state))

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
        run = self.get(id)
        check_limit(limit)
        with self._context.store.read() as uow:
            changes = tuple(uow.changes.read(after, limit, run=run.id))
        return Page(changes, limit, changes[-1].cursor if changes else after)

    def require_open(self, id: UUID | str) -> RunId:
        """The id of a run that the actor may add changes to.

        Raises NotFound, RunEnded, and PermissionDenied when somebody else opened it.
        """
        require(self._context.actor, Action.CHANGE, self._context.actor)
        run = self._get(require_id(id))
        require(self._context.actor, Action.CHANGE, run.created_by)
        if run.state is not RunState.OPEN:
            raise RunEnded(run)
        return run.id

    def _get(self, id: UUID) -> Run:
        with self._context.store.read() as uow:
            return found(uow.of(RUN).get(id), "run", id)


@contextmanager
def running(context: Context, kind: RunKind, title: str | None, *, is_one: bool = False) -> Iterator[Context]:
    """A run for the block, which gets the context whose changes are part of it. If the block raises, it has failed.

    With ``is_one``, all is one transaction, which is undone if the block raises. What the block raises goes before what
    the store raises then: the run stays open.
    """
    context = _outside(context)
    run = context.retry(partial(_begin, context, kind, title))
    try:
        yield within(context, run.id)
    except BaseException:
        if not is_one:
            with suppress(KglError):
                context.retry(partial(_end, context, run.id, RunState.FAILED))
        raise
    context.retry(partial(_end, context, run.id, RunState.COMPLETED))


def within(context: Context, id: RunId) -> Context:
    """The same context, whose changes are part of this run; its units of work raise RunEnded once the run has ended."""
    outside = _outside(context)
    return attrs.evolve(outside, store=_StoreInRun(outside.store, id), run=id)


def _outside(context: Context) -> Context:
    """The same context, whose changes are part of no run, unless one is tied to an open unit of work."""
    if isinstance(context.store, _StoreInRun):
        return attrs.evolve(context, store=context.store.whole, run=None)
    return context


class _StoreInRun:
    """A `kgl_core.kernel.units_of_work.Store` whose writers make sure that a run is open, and keep it from ending.

    Without that, a change could be committed after the end of its run, and its counts would be wrong.
    """

    def __init__(self, store: Store, id: RunId) -> None:
        self.whole, self._id = store, id
        self.read, self.snapshot, self.rehearse, self.close = store.read, store.snapshot, store.rehearse, store.close
        self.snapshot_at_place = store.snapshot_at_place

    def begin(self, *, adds_only: bool = False) -> AbstractContextManager[UnitOfWork]:
        return self._begin()  # to look at the run is more than to add

    @contextmanager
    def _begin(self) -> Iterator[UnitOfWork]:
        with self.whole.begin() as uow:
            run = found(uow.of(RUN).get(self._id, lock="share"), "run", self._id)
            if run.state is not RunState.OPEN:
                raise RunEnded(run)
            yield uow


def _begin(context: Context, kind: RunKind, title: str | None) -> Run:
    run = Run(
        id=RunId(context.new_id()),
        title=title,
        kind=kind,
        state=RunState.OPEN,
        created_by=context.actor,
        created_at=context.now(),
    )
    with context.store.begin() as uow:
        uow.of(RUN).add([run])
        uow.commit()
    return run


def _end(context: Context, id: UUID, state: RunState) -> Run:
    """Store that a run has ended now, with the number of its changes. Raises NotFound."""
    with context.store.begin() as uow:
        # The lock waits for the writers in the run, so that the count has what they commit.
        run = found(uow.of(RUN).get(id, lock="update"), "run", id)
        if run.state is not RunState.OPEN:
            return run
        ended = attrs.evolve(run, state=state, ended_at=context.now(), counts=uow.changes.count_by_action(id))
        uow.of(RUN).replace([ended])
        uow.commit()
    return ended
