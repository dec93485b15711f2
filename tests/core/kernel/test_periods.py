"""Dates as people write them, and the periods that they mean."""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgl_core import Fault, InvalidInput
from kgl_core.graph.relationships import RelationshipDraft, RelationshipFilter
from kgl_core.kernel.periods import DATE_PATTERN, MICROSECOND, Date, Period, period_between, period_of
from tests.contract.samples import new_id

DAYS = st.dates()
MOMENTS = st.datetimes(
    datetime(1, 1, 2),  # noqa: DTZ001  # the strategy adds the time zone
    datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=-11))]),
)
INSTANTS = MOMENTS.map(datetime.isoformat)
DATES = st.one_of(
    DAYS.map(lambda day: f"{day.year:04}"),
    DAYS.map(lambda day: f"{day.year:04}-{day.month:02}"),
    DAYS.map(date.isoformat),
    INSTANTS,
)
NO_DATES = [
    "",
    " ",
    "0000",
    "199",
    "19940",
    "1994-0",
    "1994-5",
    "1994-00",
    "1994-13",
    "1994-00-00",
    "1994-05-00",
    "2024-02-30",
    "2023-02-29",
    "-0044",
    "+1994",
    "10000",
    "10000-01-01",
    "1994/05/17",
    "19940517",
    "1994-W20",
    "1994-137",
    "1994-05-17T08:30",
    "1994-05-17T08:30:00",
    "1994-05-17T24:00:00Z",
    "24:00:00",
    "9999-12-31T23:59:59-01:00",
    "0001-01-01T00:00:00+01:00",
    "1994 ",
    " 1994",
    "1994\n",
    "๑๙๙๔",
    "١٩٩٤",
    "\uff11\uff19\uff19\uff14",
    "1994-0\u0665",
    "1" * 10_000,
    "1994-05-17T08:30:00." + "0" * 10_000 + "Z",
    "\ud800",
    "\x00",
    "now",
]


def meant(text: str) -> Period:
    """The period of a text that is a date."""
    found = period_of(text)
    assert found is not None, text
    return found


def at(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "begin", "end"),
    [
        ("1994", "1994-01-01", "1995-01-01"),
        ("2000", "2000-01-01", "2001-01-01"),
        ("1990", "1990-01-01", "1991-01-01"),
        ("0001", "0001-01-01", "0002-01-01"),
        ("9999", "9999-01-01", None),
        ("1994-05", "1994-05-01", "1994-06-01"),
        ("1994-12", "1994-12-01", "1995-01-01"),
        ("9999-11", "9999-11-01", "9999-12-01"),
        ("9999-12", "9999-12-01", None),
        ("2024-02-29", "2024-02-29", "2024-03-01"),
        ("1994-12-31", "1994-12-31", "1995-01-01"),
        ("9999-12-31", "9999-12-31", None),
        ("1994-05-17T08:30:00Z", "1994-05-17T08:30:00", "1994-05-17T08:30:00.000001"),
        ("1994-05-17t08:30:00.5+02:00", "1994-05-17T06:30:00.500000", "1994-05-17T06:30:00.500001"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00", "2017-01-01T00:00:00.000001"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999", None),
    ],
)
def test_a_date_means_all_of_its_year_month_or_day_or_one_instant(text: str, begin: str, end: str | None) -> None:
    """From its begin up to its end, in UTC; what reaches to the end of the year 9999 is open."""
    assert period_of(text) == Period(at(begin), None if end is None else at(end))


@pytest.mark.parametrize("text", NO_DATES, ids=lambda text: f"{text[:40]!a}")
def test_other_text_is_no_date(text: str) -> None:
    """In every place that takes a date it is a fault of that field, and nothing else."""
    assert period_of(text) is None
    ends: dict[str, Any] = {"source_entity_id": new_id(), "relationship_type": "t", "target_entity_id": new_id()}
    for cls, fields in (
        (RelationshipDraft, {**ends, "valid_from": text}),
        (RelationshipDraft, {**ends, "valid_to": text}),
        (RelationshipFilter, {"valid_at": text}),
    ):
        with pytest.raises(InvalidInput) as caught:
            cls(**fields)
        assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [(f"/{[*fields][-1]}", "not_a_date")]
        assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("value", [1994, 1994.0, True, b"bytes", ["1994"], {"year": 1994}, date(1994, 5, 17)])
def test_what_is_no_text_is_no_date(value: object) -> None:
    """A number neither, which would lose its zeros."""
    faults: list[Fault] = []
    Date()(value, "/valid_from", faults)
    assert [fault.code for fault in faults] == ["not_a_date"]


@given(DATES)
def test_a_date_is_inside_its_own_period(text: str) -> None:
    """It has a begin, it is not empty, and it overlaps itself; the pattern for schemas takes it."""
    period = meant(text)
    assert period.begin is not None
    assert not period.is_empty
    assert period.overlaps(period)
    assert Period(period.begin, period.begin + MICROSECOND).overlaps(period)
    assert re.search(DATE_PATTERN, text)
    faults: list[Fault] = []
    assert Date()(text, "", faults) is text
    assert not faults


@given(DATES, DATES)
def test_overlapping_is_symmetric(one: str, other: str) -> None:
    """As is the order in which two dates are compared."""
    assert meant(one).overlaps(meant(other)) is meant(other).overlaps(meant(one))


@given(DAYS, MOMENTS)
def test_a_year_contains_its_months_days_and_instants(day: date, moment: datetime) -> None:
    """Each lies in the one before, from end to end, and its neighbours do not overlap it."""
    texts = [f"{day.year:04}", f"{day.year:04}-{day.month:02}", day.isoformat()]
    for outer, inner in pairwise(texts):
        wide, narrow = meant(outer), meant(inner)
        assert wide.overlaps(narrow)
        assert wide.begin is not None
        assert narrow.begin is not None
        assert wide.begin <= narrow.begin
        assert wide.end is None or (narrow.end is not None and narrow.end <= wide.end)
    if day < date.max:
        assert not meant(day.isoformat()).overlaps(meant((day + timedelta(days=1)).isoformat()))
    utc = moment.astimezone(UTC)
    assert meant(f"{utc.year:04}").overlaps(meant(moment.isoformat()))
    assert meant(utc.date().isoformat()).overlaps(meant(moment.isoformat()))


@given(DATES | st.none(), DATES | st.none())
def test_a_draft_takes_a_period_if_it_has_a_moment(valid_from: str | None, valid_to: str | None) -> None:
    """And keeps its dates as they are written."""
    ends: dict[str, Any] = {"source_entity_id": new_id(), "relationship_type": "t", "target_entity_id": new_id()}
    dates = {"valid_from": valid_from, "valid_to": valid_to}
    if not period_between(valid_from, valid_to).is_empty:
        draft = RelationshipDraft(**ends, **dates)
        assert (draft.valid_from, draft.valid_to) == (valid_from, valid_to)
        return
    with pytest.raises(InvalidInput) as caught:
        RelationshipDraft(**ends, **dates)
    assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [("/valid_to", "ends_before_it_begins")]


@pytest.mark.parametrize(
    ("valid_from", "valid_to", "is_empty"),
    [
        ("2021", "2021", False),
        ("2021-06", "2021", False),
        ("2021", "2021-01-01", False),
        ("2021-06-15T12:00:00Z", "2021-06-15", False),
        ("9999", "9999", False),
        ("0001", "0001", False),
        ("2021", "2020", True),
        ("2021-06", "2021-05-31", True),
        ("2021", "2021-01-01T00:00:00Z", True),
        ("2021-06-15T12:00:00Z", "2021-06-15T12:00:00Z", True),
        ("2021-06-15T12:00:00Z", "2021-06-15T13:00:00+02:00", True),
        ("2021-06-15T12:00:00Z", "2021-06-15T12:00:00.000001Z", False),
    ],
)
def test_what_is_at_the_end_belongs_to_a_period_unless_it_is_an_instant(
    valid_from: str, valid_to: str, is_empty: bool
) -> None:
    """A year, month or day is over at its end; an instant is the end."""
    assert period_between(valid_from, valid_to).is_empty is is_empty
