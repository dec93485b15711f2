"""How every listing is cut into pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

from kgl_core.errors import HistoryLost, InvalidInput
from kgl_core.pages import Page, Position, decode_cursor, encode_cursor, fingerprint
from kgl_core.rules import Choice, Faults


class Listed(Protocol):
    """What can stand in a listing: it has an id, and values to sort by."""

    @property
    def id(self) -> UUID: ...
    @property
    def created_at(self) -> datetime: ...

    def sort_value(self, field: str) -> datetime | str: ...


L = TypeVar("L", bound=Listed)

_WAY_OUT: Final = "start again without a cursor"


def read_page(
    read: Callable[[Any, Any, Position | None, int], Sequence[L]],
    get: Callable[[UUID], L | None],
    filter: object,
    sorts: Choice,
    sort: str,
    limit: int,
    cursor: str | None,
    *,
    is_forgetful: bool = False,
) -> Page[L]:
    """The page that follows ``cursor``, from a repository's ``list`` and ``get``.

    The item that the cursor stands at must still be there, with the same moment of creation: else this is not the
    history that the cursor is from. With ``is_forgetful``, items can be deleted for good, and its absence says nothing.

    Raises InvalidInput for an unknown sort, InvalidCursor for a cursor of another filter or sort, and HistoryLost.
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
        value, id, created_at = decode_cursor(listing, cursor, kind, UUID, datetime)
        after = (value, id)
        item = get(id)
        if item.created_at != created_at if item is not None else not is_forgetful:
            raise HistoryLost(_WAY_OUT)
    found = read(filter, sort, after, limit + 1)
    if len(found) <= limit:
        return Page(tuple(found), limit)
    last = found[limit - 1]
    value = last.sort_value(field)
    shown = value.isoformat() if isinstance(value, datetime) else value
    return Page(tuple(found[:limit]), limit, encode_cursor(listing, shown, str(last.id), last.created_at.isoformat()))
