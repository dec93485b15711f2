"""Pages of a listing, and the cursors that lead from one to the next.

A cursor is opaque text that is good for one filter and sort only: base64url of JSON ``[fingerprint, position…]``. A
position holds the sort value and the id of the last item, so that pages stay right while rows come and go.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Hashable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import attrs

from kgl_core.kernel.errors import Fault, InvalidCursor, InvalidInput

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 200
CURSOR_LENGTH_MAX: Final = 4096
_FINGERPRINTS_MAX: Final = 256
_encode: Final = json.JSONEncoder(separators=(",", ":")).encode  # json.dumps makes an encoder at every call

Position = tuple[datetime | str, UUID]
"""Where a page ended: the sort value and the id of its last item."""

T = TypeVar("T")


@attrs.frozen
class Page(Generic[T]):
    """Up to ``limit`` items; ``next_cursor`` leads to the next page, and is None on the last one."""

    items: tuple[T, ...]
    limit: int
    next_cursor: str | None = None


def check_limit(limit: Any) -> int:
    """Return ``limit``. Raises InvalidInput unless it is a whole number from 1 to LIMIT_MAX."""
    if type(limit) is not int or not 1 <= limit <= LIMIT_MAX:
        raise InvalidInput([Fault("/limit", "out_of_range", f"give a whole number from 1 to {LIMIT_MAX}")])
    return limit


@lru_cache(maxsize=_FINGERPRINTS_MAX)
def fingerprint(*parts: Hashable) -> str:
    """A short text that differs between listings whose ``parts`` (filter, sort) differ."""
    return hashlib.blake2s(repr(parts).encode(), digest_size=6).hexdigest()


def encode_cursor(listing: str, *position: int | str) -> str:
    """The cursor of ``position`` in the listing with that fingerprint."""
    text = _encode([listing, *position])
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(listing: str, cursor: object, *kinds: type) -> tuple[Any, ...]:
    """The position in ``cursor``, whose parts have these ``kinds`` (int, str, datetime or UUID).

    Raises InvalidCursor when it is damaged or was made for another listing. Nothing in it is trusted.
    """
    try:
        if type(cursor) is not str or len(cursor) > CURSOR_LENGTH_MAX:
            raise InvalidCursor
        decoded = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True))
        made_for, *position = decoded
        if made_for != listing or len(position) != len(kinds):
            raise InvalidCursor
        return tuple(_part(value, kind) for value, kind in zip(position, kinds, strict=True))
    except (ValueError, TypeError, RecursionError, OverflowError):
        raise InvalidCursor from None


def _part(value: object, kind: type) -> object:
    if kind is int and type(value) is int and 0 <= value < 2**63:
        return value
    if kind is not int and type(value) is str and b"\x00" not in value.encode():
        if kind is datetime:
            return datetime.fromisoformat(value).astimezone(UTC)
        return UUID(value) if kind is UUID else value
    raise InvalidCursor
