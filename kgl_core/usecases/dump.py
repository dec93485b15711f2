"""Dump: everything in the graph as records that another store can load."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from kgl_core.entities import Json
from kgl_core.permissions import Action, require
from kgl_core.records import write_record
from kgl_core.usecases.context import Context

_PAGE: Final = 1_000


def dump(context: Context) -> Iterator[dict[str, Json]]:
    """Every entity and then every relationship of one moment, the deleted ones too, each as a JSON object.

    Loaded into an empty store they make an equal graph: ids, fields and activity; not versions, times and actors.
    Read to the end, or closed, it gives its connection back. Raises PermissionDenied unless the actor may read.
    """
    require(context.actor, Action.READ)
    return _dump(context)


def _dump(context: Context) -> Iterator[dict[str, Json]]:
    with context.store.snapshot() as uow:
        for scan in (uow.entities.scan, uow.relationships.scan):
            last = None
            while page := scan(last, _PAGE):
                yield from map(write_record, page)
                last = page[-1].id
