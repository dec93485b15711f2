"""Tells in an AlreadyExists which record has the value that is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from kgl_core.kernel.errors import AlreadyExists
from kgl_core.kernel.permissions import Action, Grant, grant
from kgl_core.kernel.units_of_work import Context, UnitOfWork

Holder = tuple[str, UUID] | None
"""A unique value as text, and the id of the record that holds it; None when no record does."""


@contextmanager
def naming_holder(context: Context, find: Callable[[UnitOfWork], Holder]) -> Iterator[None]:
    """When the block raises AlreadyExists, add the value that is taken and the record that holds it.

    ``find`` looks for that record after the block, since the block's own unit of work can't be used after such an
    error. An actor who may not read the graph learns only that the value is taken.
    """
    try:
        yield
    except AlreadyExists as error:
        if error.field == "id" or grant(context.actor, Action.READ) is Grant.NONE:
            raise
        with context.store.read() as uow:
            holder = find(uow)
        if holder is None:  # the value has become free again
            raise
        raise AlreadyExists(error.kind, error.field, *holder) from error
