"""Dump: the whole graph as records that another store can load, and the place from which to follow its changes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from typing import Any, Final, Self
from uuid import UUID

from kgl_core.graph.entities import Json
from kgl_core.graph.nouns import GRAPH_NOUNS
from kgl_core.graph.relationships import RELATIONSHIP, RelationshipFilter
from kgl_core.kernel.nouns.records import Record
from kgl_core.kernel.periods import Period, period_between, period_of
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context
from kgl_core.storage.checking.inspection import Inspection
from kgl_core.storage.record_lines import write_line

_PAGE: Final = 1_000
OnUnreadable = Callable[[str, UUID | None, str], object]
_Line = dict[str, Any]
_Choose = Callable[[Iterable[_Line]], Iterator[_Line]]


class Dump(Iterator[dict[str, Json]]):
    """Every entity and then every relationship at one moment, including deleted ones, each as a JSON object.

    Loaded into an empty store, they make an equal graph: the same ids, fields and activity, but other versions, times
    and actors. Evidence is not part of it: a fact has what it shows of its assertions, not these themselves. The moment
    is that of the first `next`, or of the first access to ``cursor``. The dump returns its connection when it is read
    to the end or closed. Making one raises PermissionDenied unless the actor may read.

    With ``valid_at``, a date as in `Date`, relationships are left out that hold at no time in it, except deleted ones.
    Raises InvalidInput for what is no date.

    A damaged record raises UnreadableRow. With ``on_unreadable``, it is left out instead, and the callback is told its
    kind (such as "entity"), its id if that can be read, and what is wrong with it.
    """

    def __init__(
        self, context: Context, on_unreadable: OnUnreadable | None = None, valid_at: str | None = None
    ) -> None:
        require(context.actor, Action.READ)
        self._records = _read(context, on_unreadable, _wanted(valid_at))
        self._cursor: str | None = None

    @property
    def cursor(self) -> str:
        """The dump's place in the feed of changes: whoever reads on after it misses nothing.

        If others write to PostgreSQL meanwhile, the dump may already have some of the changes that follow. A change
        carries the whole record as it was afterwards, so applying them in order still leads to the present state.
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
        """Return the connection; there are no more records then."""
        self._records.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _wanted(valid_at: str | None) -> _Choose:
    """What leaves out the lines that are not wanted. Raises InvalidInput for what is no date."""
    if valid_at is None:
        return iter
    RelationshipFilter(valid_at=valid_at)  # refuses what is no date
    period = period_of(valid_at) or Period()

    def is_wanted(line: _Line) -> bool:
        if line["kind"] != RELATIONSHIP.name or line.get("is_active") is False:
            return True
        return period_between(line.get("valid_from"), line.get("valid_to")).overlaps(period)

    return partial(filter, is_wanted)


def _read(context: Context, on_unreadable: OnUnreadable | None, wanted: _Choose) -> Generator[Any]:
    """Yields the cursor, and then the records."""
    with context.store.snapshot_at_place() as (uow, cursor):
        yield cursor
        if on_unreadable is not None:
            yield from wanted(map(write_line, _readable(uow.inspection, on_unreadable)))
            return
        for noun in GRAPH_NOUNS:
            last = None
            while page := uow.of(noun).scan_lines(last, _PAGE):
                last = UUID(page[-1]["id"])
                yield from wanted(page)


def _readable(inspection: Inspection, on_unreadable: OnUnreadable) -> Generator[Record]:
    """The records that can be read."""
    try:
        for noun in GRAPH_NOUNS:
            for row in inspection.rows(noun):
                if row.record is None:
                    on_unreadable(noun.name, row.id, row.fault)
                else:
                    yield row.record
    finally:
        inspection.close()
