"""Recording: units of work that are runs by themselves, or parts of an open one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import attrs

from kgl_core.graph.journal.changes import ChangeAction
from kgl_core.graph.journal.runs import RUN, TITLE_LENGTH_MAX, Run, RunKind, RunState
from kgl_core.kernel.ids import RunId
from kgl_core.kernel.nouns.records import Record
from kgl_core.kernel.units_of_work import Context, UnitOfWork


@attrs.frozen
class Work:
    """A unit of work, the context whose changes belong to its run, and how many changes of each action it made."""

    context: Context
    uow: UnitOfWork
    counts: Counter[str] = attrs.Factory(Counter)

    def log(self, changes: Sequence[tuple[ChangeAction, Record]]) -> None:
        """Append these changes."""
        self.uow.changes.append([self.context.change(action, record) for action, record in changes])
        self.counts.update(action.value for action, _ in changes)


@contextmanager
def recorded(context: Context, kind: RunKind, title: str) -> Iterator[Work]:
    """A unit of work for the block, which is committed at its end.

    In a context that has a run, it is part of that. Otherwise it is a run by itself.
    """
    with context.store.begin() as uow:
        if context.run is not None:
            yield Work(context, uow)
        else:
            begun = context.now()
            id = RunId(context.new_id())
            work = Work(attrs.evolve(context, run=id), uow)
            yield work
            run = Run(
                id=id,
                title=title[:TITLE_LENGTH_MAX],
                kind=kind,
                state=RunState.COMPLETED,
                created_by=context.actor,
                created_at=begun,
                ended_at=context.now(),
                counts=dict(sorted(work.counts.items())),
            )
            uow.of(RUN).add([run])
        uow.commit()
