"""Tells in an AlreadyExists which record has the value that is taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kgl_core.kernel.errors import AlreadyExists
from kgl_core.kernel.nouns.noun import AnyNoun
from kgl_core.kernel.permissions import Action, Grant, grant
from kgl_core.kernel.units_of_work import Context


@contextmanager
def naming_holder(context: Context, noun: AnyNoun, wanted: Callable[[], object]) -> Iterator[None]:
    """When the block raises AlreadyExists, add the value that is taken and the record that holds it.

    ``wanted`` gives the record, or its draft, that the block stores. The holder is looked for after the block, since
    the block's own unit of work can't be used after such an error. An actor who may not read the graph learns only that
    the value is taken.
    """
    try:
        yield
    except AlreadyExists as error:
        if error.field == "id" or grant(context.actor, Action.READ) is Grant.NONE:
            raise
        value = noun.unique_value(wanted())
        with context.store.read() as uow:
            holder = uow.of(noun).get_by(value)
        if holder is None:  # the value has become free again
            raise
        parts = value if isinstance(value, tuple) else (value,)
        shown = " ".join(str(part) for part in parts if part is not None)
        raise AlreadyExists(error.kind, error.field, shown, holder.id) from error
