"""Tells in an AlreadyExists which record has the value that is taken."""

from __future__ import annotations

from kgl_core.kernel.errors import AlreadyExists
from kgl_core.kernel.nouns.noun import AnyNoun
from kgl_core.kernel.permissions import Action, Grant, grant
from kgl_core.kernel.units_of_work import Context


def name_holder(error: AlreadyExists, context: Context, noun: AnyNoun, wanted: object) -> None:
    """Raise the error again, with the value that is taken and the record that holds it; return where it can't be told.

    ``wanted`` is the record, or its draft, that was to be stored. Call it after the unit of work, which can't be used
    after such an error. An actor who may not read the graph learns only that the value is taken.
    """
    if error.field == "id" or grant(context.actor, Action.READ) is Grant.NONE:
        return
    value = noun.unique_value(wanted)
    with context.store.read() as uow:
        holder = uow.of(noun).get_by(value)
    if holder is None:  # the value has become free again
        return
    parts = value if isinstance(value, tuple) else (value,)
    shown = " ".join(str(part) for part in parts if part is not None)
    raise AlreadyExists(error.kind, error.field, shown, holder.id) from error
