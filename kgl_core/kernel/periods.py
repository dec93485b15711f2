"""When something holds in the world: dates as people write them, and the periods that they mean.

A date is a year, a month, a day or an instant, in the forms of ISO 8601 (RFC 3339 for instants). It is kept as it is
written, and compared by the period that it means: ``1994`` is all of that year.
"""

from __future__ import annotations

import re
from datetime import MAXYEAR, UTC, datetime, timedelta
from typing import Any, Final

import attrs

from kgl_core.kernel.errors import Fault
from kgl_core.kernel.field_rules import Faults
from kgl_core.kernel.times import parse_instant

_FORM: Final = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", re.ASCII)
MICROSECOND: Final = timedelta(microseconds=1)
"""What stores tell apart."""
DATE_LENGTH_MAX: Final = 64
DATE_PATTERN: Final = (
    r"^(?!0000)\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01])([Tt ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?"
    r"([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d))?)?)?$"
)
"""About what a date is, for schemas; which days a month has, and leap seconds, are not in it."""
DATE_ADVICE: Final = (
    "give a year, a month, a day or an instant with its time zone, from the year 0001 to 9999: "
    "1994, 1994-05, 1994-05-17 or 1994-05-17T08:30:00Z"
)


@attrs.frozen
class Period:
    """The time from ``begin`` up to ``end``, without that moment itself; None is open. Both are in UTC."""

    begin: datetime | None = None
    end: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it has no moment at all."""
        return self.begin is not None and self.end is not None and self.begin >= self.end

    def overlaps(self, other: Period) -> bool:
        """Whether the two have a moment in common."""
        return _is_before(self.begin, other.end) and _is_before(other.begin, self.end)


def _is_before(begin: datetime | None, end: datetime | None) -> bool:
    return begin is None or end is None or begin < end


def period_of(date: str) -> Period | None:
    """The period that a date means: all of its year, month or day, or one microsecond; None for any other text.

    A period that reaches to the end of the year 9999 is open.
    """
    if len(date) > DATE_LENGTH_MAX:
        return None
    found = _FORM.fullmatch(date)
    try:
        if found is None:
            instant = parse_instant(date)
            begin = None if instant is None else instant.astimezone(UTC)
            return None if begin is None else Period(begin, _later(begin, MICROSECOND))
        year, month, day = (None if part is None else int(part) for part in found.groups())
        begin = datetime(year or 0, 1 if month is None else month, 1 if day is None else day, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return Period(begin, _after(begin, month, day))


def _after(begin: datetime, month: int | None, day: int | None) -> datetime | None:
    """The moment at which a year, month or day that begins then is over."""
    if day is not None:
        return _later(begin, timedelta(days=1))
    if month is not None and month < 12:
        return begin.replace(month=month + 1)
    return None if begin.year == MAXYEAR else begin.replace(year=begin.year + 1, month=1)


def _later(moment: datetime, by: timedelta) -> datetime | None:
    try:
        return moment + by
    except OverflowError:
        return None


def period_between(valid_from: str | None, valid_to: str | None) -> Period:
    """The period from one date to another. A year, month or day at its end belongs to it; an instant does not.

    None is open. Both must be dates.
    """
    begin = None if valid_from is None else (period_of(valid_from) or Period()).begin
    if valid_to is None:
        return Period(begin)
    last = period_of(valid_to) or Period()
    return Period(begin, last.end if _FORM.fullmatch(valid_to) else last.begin)


@attrs.frozen
class Date:
    """The rule for a date: a year, a month, a day or an instant, kept as it is written."""

    def __call__(self, value: Any, pointer: str, faults: Faults) -> Any:
        if type(value) is not str or period_of(value) is None:
            faults.append(Fault(pointer, "not_a_date", DATE_ADVICE))
        return value
