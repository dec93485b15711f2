"""Dump: everything in the graph as records that another store can load, and the place from which to follow it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any, Final, Self
from uuid import UUID

from kgl_core.graph.entities import Json
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context
from kgl_core.storage.checking.inspection import Inspection
from kgl_core.storage.record_lines import write_record

_PAGE: Final = 1_000
OnUnreadable = Callable[[str, UUID | None, str], object]


class Dump(Iterator[dict[str, Json]]):
    """Every entity and then every relationship of one moment, the deleted ones too, each as a JSON object.

    Loaded into an empty store they make an equal graph: ids, fields and activity; not versions, times and actors.
    The moment is that of the first `next`, or of the first look at ``cursor``. Read to the end, or closed, it gives its
    connection back. Making one raises PermissionDenied unless the actor may read.

    A record that is damaged raises UnreadableRow. With ``on_unreadable``, it is left out instead, and that is told what
    it is ("entity" or "relationship"), its id where that can be read, and what is wrong with it.
    """

    def __init__(self, context: Context, on_unreadable: OnUnreadable | None = None) -> None:
        require(context.actor, Action.READ)
        self._records = _read(context, on_unreadable)
        self._cursor: str | None = None

    @property
    def cursor(self) -> str:
        """The place in the feed of changes at which the dump was taken: whoever reads on after it misses nothing.

        While others write to PostgreSQL, the dump may already have some of the changes that follow. A change carries
        the whole record as it was afterwards, so taking these over in order leads to the present state all the same.
        Raises StopIteration when the dump was closed before it began.
        """
        if self._cursor is None:
            self._cursor = next(self._records)
        return self._cursor

    def __next__(self) -> dict[str, Json]:
        if self._cursor is None:
            self._cursor = next(self._records)
        record: dict[str, Json] = next(self._records)
        return record

    def close(self) -> None:
        """Give the connection back; there are no more records then."""
        self._records.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _read(context: Context, on_unreadable: OnUnreadable | None) -> Generator[Any]:
    """The cursor, and then the records."""
    with context.store.snapshot_at_place() as (uow, cursor):
        yield cursor
        if on_unreadable is not None:
            yield from _readable(uow.inspection, on_unreadable)
            return
        for scan in (uow.entities.scan, uow.relationships.scan):
            last = None
            while page := scan(last, _PAGE):
                yield from map(write_record, page)
                last = page[-1].id


def _readable(inspection: Inspection, on_unreadable: OnUnreadable) -> Generator[dict[str, Json]]:
    """The records that can be read."""
    try:
        for kind, rows in (("entity", inspection.entities()), ("relationship", inspection.relationships())):
            for row in rows:
                if row.record is None:
                    on_unreadable(kind, row.id, row.fault)
                else:
                    yield write_record(row.record)
    finally:
        inspection.close()
