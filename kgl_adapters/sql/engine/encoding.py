"""How each database holds ids and moments, and what decoding a row raises. Nothing here knows a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from kgl_core.kernel.store_errors import UnreadableRow

UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError, ArithmeticError)
"""What decoding a damaged row raises; JSON's and date's errors are among them."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def same(value: Any) -> Any:
    """The value as it is: no conversion."""
    return value


@lru_cache(maxsize=1024)  # what is written together has the same moment
def moment_text(moment: datetime) -> str:
    """The text of a moment for PostgreSQL."""
    return moment.isoformat()


@lru_cache(maxsize=1024)
def micros_of(moment: datetime) -> int:
    """The value of a moment in a column of SQLite."""
    return (moment - _EPOCH) // _MICROSECOND


@lru_cache(maxsize=1024)
def moment_of(micros: int) -> datetime:
    """The moment in a column of SQLite."""
    return _EPOCH + timedelta(microseconds=micros)


def uuid_digits(id: UUID) -> str:
    """The text of an id for PostgreSQL."""
    return id.hex


def uuid_bytes(id: UUID) -> bytes:
    """The value of an id in a column of SQLite."""
    return id.bytes


def uuid_of(value: bytes) -> UUID:
    """The id in a column of SQLite."""
    return UUID(bytes=value)


def uuid_text(value: bytes) -> str:
    """The id in a column of SQLite, as text."""
    digits = value.hex()
    if len(digits) != 32:
        raise ValueError("an id has 16 bytes")
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def reason_of(error: Exception) -> str:
    """Why a row could not be decoded, in short."""
    return error.reason if isinstance(error, UnreadableRow) else f"{type(error).__name__}: {error}"[:200]


def unreadable(table: str, row: Sequence[Any], error: Exception) -> UnreadableRow:
    """The error for a row of this table that can't be decoded; its first value is its key."""
    return UnreadableRow(f"{_named(row[0]) if row else 'a row'} of {table}", reason_of(error))


def _named(key: Any) -> str:
    """A name for the row with this key. It shows no hash of a token."""
    if isinstance(key, bytes):
        return f"the row {UUID(bytes=key)}" if len(key) == 16 else "a row"
    return f"the row {key}"


class Encoding:
    """How one kind of database holds values: ``id`` and ``instant`` encode, ``read_id`` and ``read_instant`` decode."""

    def __init__(self, *, is_sqlite: bool) -> None:
        self.is_sqlite = is_sqlite
        self.id: Callable[[UUID], Any] = uuid_bytes if is_sqlite else same
        self.read_id: Callable[[Any], UUID] = uuid_of if is_sqlite else same
        self.instant: Callable[[datetime], Any] = micros_of if is_sqlite else same
        self.read_instant: Callable[[Any], datetime] = moment_of if is_sqlite else same

    def value(self, value: Any) -> Any:
        """The value encoded, if it is an id or a moment; others stay as they are."""
        if isinstance(value, UUID):
            return self.id(value)
        return self.instant(value) if isinstance(value, datetime) else value


ENCODINGS: Final[Mapping[bool, Encoding]] = {is_sqlite: Encoding(is_sqlite=is_sqlite) for is_sqlite in (False, True)}
"""By whether the database is SQLite."""
