"""Reads a page of a noun's records from a repository, and makes the cursor that leads to the next one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from kgl_core.kernel.errors import HistoryLost, InvalidInput
from kgl_core.kernel.field_rules import Faults
from kgl_core.kernel.nouns.json_records import JsonRecord
from kgl_core.kernel.nouns.noun import Noun
from kgl_core.kernel.nouns.pages import Page, Position, check_limit, decode_cursor, encode_cursor, fingerprint
from kgl_core.kernel.nouns.records import Kept
from kgl_core.kernel.nouns.repositories import Repository

R = TypeVar("R", bound=Kept)
F = TypeVar("F")


def page_by_page(read: Callable[[Position | None], Sequence[R]]) -> Iterator[Sequence[R]]:
    """The pages that ``read`` gives of a listing by creation, until one is empty; it takes where the last one ended."""
    after: Position | None = None
    while page := read(after):
        yield page
        after = (page[-1].created_at, page[-1].id)


def require_known(record: Kept | None, created_at: datetime) -> None:
    """Raise HistoryLost unless this is the record, created then, at which a cursor was given out."""
    if record is None or record.created_at != created_at:
        raise HistoryLost("start again without a cursor")


def read_page(
    noun: Noun[R, Any, F, Any],
    repository: Repository[R, F, Any],
    filter: F,
    sort: str,
    limit: int,
    cursor: str | None,
) -> Page[R]:
    """The page of up to ``limit`` records that match ``filter``, ordered by ``sort``, after ``cursor``.

    The record at the cursor must still exist, created at the same moment: otherwise the cursor is from another history.
    Where records can be removed for good, a missing one proves nothing.

    Raises InvalidInput for an unknown sort or limit, InvalidCursor for a cursor of another filter or sort, and
    HistoryLost.
    """
    listing, after = _begin(noun, repository, filter, sort, limit, cursor)
    found = repository.list(filter, sort, after, limit + 1)
    if len(found) <= limit:
        return Page(tuple(found), limit)
    return Page(tuple(found[:limit]), limit, _cursor_after(noun, listing, sort, found[limit - 1]))


def read_json_page(
    noun: Noun[R, Any, F, Any],
    repository: Repository[R, F, Any],
    filter: F,
    sort: str,
    limit: int,
    cursor: str | None,
) -> Page[JsonRecord]:
    """As `read_page`, with each record as its JSON has it."""
    listing, after = _begin(noun, repository, filter, sort, limit, cursor)
    found, last = repository.list_json(filter, sort, after, limit)
    return Page(tuple(found), limit, None if last is None else _cursor_after(noun, listing, sort, last))


def _begin(
    noun: Noun[R, Any, F, Any],
    repository: Repository[R, F, Any],
    filter: F,
    sort: str,
    limit: int,
    cursor: str | None,
) -> tuple[str, Position | None]:
    """The fingerprint of a listing, and where its next page begins."""
    check_limit(limit)
    faults: Faults = []
    noun.sort_rule(sort, "/sort", faults)
    if faults:
        raise InvalidInput(faults)
    listing = fingerprint(filter, sort)
    if cursor is None:
        return listing, None
    kind = datetime if noun.sort_field(sort).endswith("_at") else str
    value, id, created_at = decode_cursor(listing, cursor, kind, UUID, datetime)
    record = repository.get(id)
    if record is not None or not noun.is_removable:
        require_known(record, created_at)
    return listing, (value, id)


def _cursor_after(noun: Noun[R, Any, F, Any], listing: str, sort: str, last: R) -> str:
    value = getattr(last, noun.sort_field(sort))
    shown = value.isoformat() if isinstance(value, datetime) else value
    return encode_cursor(listing, shown, str(last.id), last.created_at.isoformat())
