"""Reading changes: what happened to the graph, in order."""

from __future__ import annotations

from kgl_core.graph.journal.changes import Change
from kgl_core.kernel.nouns.pages import LIMIT_DEFAULT, Page, check_limit
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context


class Changes:
    """The use case of the change log, on behalf of one actor."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def read(self, *, after: str | None = None, limit: int = LIMIT_DEFAULT) -> Page[Change]:
        """Up to ``limit`` (1..200) changes after the cursor ``after``, or from the first one.

        ``next_cursor`` is where to read on, now or later; it is ``after`` itself when nothing is new. Raises
        InvalidCursor, HistoryLost, InvalidInput and PermissionDenied.
        """
        require(self._context.actor, Action.READ)
        check_limit(limit)
        with self._context.store.read() as uow:
            changes = tuple(uow.changes.read(after, limit))
        return Page(changes, limit, changes[-1].cursor if changes else after)
