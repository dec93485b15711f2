"""Moments as text: the forms of RFC 3339, and no other form of ISO 8601."""

from datetime import UTC, datetime

import pytest

from kgl_core.kernel.times import parse_instant


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31t12:00:00.5z", datetime(2026, 1, 31, 12, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-01-31 12:00:00+02:00", datetime(2026, 1, 31, 10, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2017-01-01T01:59:60+02:00", datetime(2017, 1, 1, tzinfo=UTC)),
    ],
)
def test_date_times_are_read(text: str, moment: datetime) -> None:
    """With a fraction, an offset, lower-case letters, a space, and a leap second."""
    assert parse_instant(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "2026-W01-1T00:00:00Z",
        "20260101T000000Z",
        "2026-01-01T00Z",
        "2026-01-01T00:00Z",
        "2026-01-01T00:00:00+0200",
        "2026-01-01T00:00:00+02",
        "2026-01-01T00:00:00,5Z",
        "2026-01-01T00:00:00",
        "2026-01-01",
        "2026-02-30T00:00:00Z",
        "2026-01-01T12:00:60Z",
        "9999-12-31T23:59:60Z",
        "\u0e52026-01-01T00:00:00Z",
        "2026-01-01T00:00:00." + "0" * 60 + "Z",
        "",
    ],
)
def test_other_forms_are_none(text: str) -> None:
    """Weeks, no hyphens or colons, a comma, no zone, no such day or second."""
    assert parse_instant(text) is None
