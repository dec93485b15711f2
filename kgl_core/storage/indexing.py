"""Indexing: makes the index of names anew, while others go on reading and writing."""

from __future__ import annotations

from functools import partial
from typing import Final
from uuid import UUID

from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context
from kgl_core.storage.checking.check import Progress

_AT_ONCE: Final = 1_000
"""How many entities one transaction indexes: writers of these wait meanwhile."""


def rebuild_index(context: Context, on_progress: Progress | None = None) -> int:
    """Index the names of all entities anew; returns how many entities there are.

    Transactions are of bounded size; only on SQLite, the first one makes all terms anew.

    ``on_progress`` is called with what is indexed, how many have been, and about how many there are. Raises
    PermissionDenied unless the actor may operate the service, and StoreError when the store is in trouble; what is
    indexed by then stays.
    """
    require(context.actor, Action.OPERATE)
    context.retry(partial(_tidy, context))
    with context.store.read() as uow:
        total = sum(uow.entities.count_by_type().values())
    done, after = 0, None
    while ids := context.retry(partial(_index_some, context, after)):
        done, after = done + len(ids), ids[-1]
        if on_progress is not None:
            on_progress("entities", done, max(done, total))
    return done


def _tidy(context: Context) -> None:
    """Begin with an index in which names can be replaced."""
    with context.store.begin() as uow:
        uow.entities.tidy_names()
        uow.commit()


def _index_some(context: Context, after: UUID | None) -> list[UUID]:
    """Index the entities that follow one, and return their ids."""
    with context.store.begin() as uow:
        ids = [entity.id for entity in uow.entities.scan(after, _AT_ONCE)]
        # Locked, so that nobody changes a name while the old one is indexed.
        uow.entities.index_names(uow.entities.find(ids, lock="share"))
        uow.commit()
    return [*ids]
