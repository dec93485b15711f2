"""Moments as text (RFC 3339, section 5.6)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_LENGTH_MAX: Final = 64
_FORM: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d):(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)",
    re.ASCII,
)


def parse_instant(text: str) -> datetime | None:
    """The moment that an RFC 3339 date-time means, with its time zone; None for any other text.

    A space may stand for T, and t and z may be lower case. A leap second counts as the second after it (section 5.7).
    """
    found = _FORM.fullmatch(text) if len(text) <= _LENGTH_MAX else None
    if found is None:
        return None
    date, time, second, fraction, zone = found.groups(default="")
    is_leap = second == "60"
    try:
        read = datetime.fromisoformat(f"{date}T{time}:{'59' if is_leap else second}{fraction}{zone.upper()}")
        if not is_leap:
            return read
        read += timedelta(seconds=1)
        utc = read.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return read if (utc.hour, utc.minute) == (0, 0) else None
