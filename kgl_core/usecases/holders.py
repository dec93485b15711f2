"""Conflicts that name the record which is in the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

from kgl_core.errors import AlreadyExists
from kgl_core.permissions import Action, Grant, grant
from kgl_core.relationships import Relationship
from kgl_core.unit_of_work import UnitOfWork
from kgl_core.usecases.context import Context

Holder = tuple[str, UUID] | None
"""A unique value as text and the id of the record that holds it; None when nothing does."""


@contextmanager
def naming_holder(context: Context, find: Callable[[UnitOfWork], Holder]) -> Iterator[None]:
    """Make an AlreadyExists of the block name the value that is taken, and the record that holds it.

    ``find`` looks for that record. It runs after the block, whose own unit of work is of no use after such an error.
    An actor who may not read the graph learns only that the value is taken.
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


def holder_of_key(uow: UnitOfWork, key: str | None) -> Holder:
    """The active entity with this key."""
    found = None if key is None else uow.entities.get_by_key(key)
    return None if found is None or found.key is None else (found.key, found.id)


def holder_of_triple(uow: UnitOfWork, relationship: Relationship) -> Holder:
    """The active relationship with the same source, type and target."""
    for found in uow.relationships.find([], [relationship.triple]):
        if found.is_active:
            return " ".join(map(str, found.triple)), found.id
    return None


def holder_of_email(uow: UnitOfWork, email: str) -> Holder:
    """The account with this email."""
    found = uow.users.get_by_email(email)
    return None if found is None else (found.email, found.id)
