"""How every listing is cut into pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

from kgl_core.errors import InvalidInput
from kgl_core.pages import Page, Position, decode_cursor, encode_cursor, fingerprint
from kgl_core.rules import Choice, Faults


class Listed(Protocol):
    """What can stand in a listing: it has an id, and values to sort by."""

    @property
    def id(self) -> UUID: ...

    def sort_value(self, field: str) -> datetime | str: ...


L = TypeVar("L", bound=Listed)


def read_page(
    read: Callable[[Any, Any, Position | None, int], Sequence[L]],
    filter: object,
    sorts: Choice,
    sort: str,
    limit: int,
    cursor: str | None,
) -> Page[L]:
    """The page that follows ``cursor``, from a repository's ``list``.

    Raises InvalidInput for an unknown sort and InvalidCursor for a cursor of another filter or sort.
    """
    faults: Faults = []
    sorts(sort, "/sort", faults)
    if faults:
        raise InvalidInput(faults)
    field = sort.removeprefix("-")
    listing = fingerprint(filter, sort)
    kind = datetime if field.endswith("_at") else str
    after: Position | None = None
    if cursor is not None:
        value, id = decode_cursor(listing, cursor, kind, UUID)
        after = (value, id)
    found = read(filter, sort, after, limit + 1)
    if len(found) <= limit:
        return Page(tuple(found), limit)
    last = found[limit - 1]
    value = last.sort_value(field)
    shown = value.isoformat() if isinstance(value, datetime) else value
    return Page(tuple(found[:limit]), limit, encode_cursor(listing, shown, str(last.id)))
