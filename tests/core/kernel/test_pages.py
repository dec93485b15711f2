"""Cursors: they come back as they were made, and nothing that they hold is trusted."""

import base64
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgl_core import InvalidCursor, InvalidInput
from kgl_core.kernel.nouns.pages import CURSOR_LENGTH_MAX, check_limit, decode_cursor, encode_cursor, fingerprint

LISTING = fingerprint("a filter", "a sort")
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=200)
KINDS = st.lists(st.sampled_from([int, str, datetime, UUID]), max_size=3)


def cursor_of(value: Any) -> str:
    """Any JSON value, dressed up as a cursor."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@given(TEXT, st.uuids())
def test_a_position_by_name_comes_back(name: str, id: UUID) -> None:
    """Text and id."""
    assert decode_cursor(LISTING, encode_cursor(LISTING, name, str(id)), str, UUID) == (name, id)


@given(st.datetimes(timezones=st.just(UTC)), st.uuids())
def test_a_position_by_time_comes_back(moment: datetime, id: UUID) -> None:
    """To the microsecond and in UTC."""
    value, found = decode_cursor(LISTING, encode_cursor(LISTING, moment.isoformat(), str(id)), datetime, UUID)
    assert (value, value.tzinfo, found) == (moment, UTC, id)


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_a_place_in_the_log_comes_back(transaction: int, sequence: int) -> None:
    """Two whole numbers of 64 bits."""
    assert decode_cursor(LISTING, encode_cursor(LISTING, transaction, sequence), int, int) == (transaction, sequence)


def test_the_longest_names_fit_into_a_cursor() -> None:
    """What a listing sorts by is cut so short that its cursors are never refused."""
    cursor = encode_cursor(LISTING, "\U0001f600" * 200, str(UUID(int=1)))
    assert len(cursor) <= CURSOR_LENGTH_MAX
    assert decode_cursor(LISTING, cursor, str, UUID)[0] == "\U0001f600" * 200


@given(st.text() | st.text("ABCabc012-_=", max_size=60) | st.binary() | st.integers() | st.none(), KINDS)
def test_arbitrary_values_are_no_cursors(cursor: Any, kinds: list[type]) -> None:
    """Nothing but InvalidCursor comes out."""
    with pytest.raises(InvalidCursor):
        decode_cursor(LISTING, cursor, *kinds)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.lists(JSON, max_size=4) | JSON, KINDS)
def test_a_forged_cursor_gives_values_of_its_kinds_or_nothing(value: Any, kinds: list[type]) -> None:
    """Well-formed and with the right fingerprint, it still holds only what the listing expects."""
    forged = cursor_of([LISTING, *value] if isinstance(value, list) else value)
    try:
        found = decode_cursor(LISTING, forged, *kinds)
    except InvalidCursor:
        return
    assert [type(part) for part in found] == kinds
    for part in found:
        if isinstance(part, str):
            assert "\x00" not in part.encode().decode()
        if isinstance(part, int):
            assert 0 <= part < 2**63


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("a\x00b", str),
        ("a\ud800b", str),
        (1, str),
        (None, str),
        (-1, int),
        (2**63, int),
        (True, int),
        (1.0, int),
        ("1", int),
        ("x", UUID),
        ("2026-13-01T00:00:00+00:00", datetime),
    ],
)
def test_forged_values_are_refused(value: Any, kind: type) -> None:
    """What no database takes, and what is of another kind than the listing's own."""
    with pytest.raises(InvalidCursor):
        decode_cursor(LISTING, cursor_of([LISTING, value]), kind)


@pytest.mark.parametrize(
    "moment",
    [
        "0001-01-01T00:00:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "9999-12-31T23:59:59.999999",
        "2026-01-31",
        "2026-W05",
        "now",
        "",
        1,
    ],
)
def test_forged_moments_do_no_harm(moment: Any) -> None:
    """Out of every range and in odd forms: a moment in UTC, or InvalidCursor."""
    try:
        (found,) = decode_cursor(LISTING, cursor_of([LISTING, moment]), datetime)
    except InvalidCursor:
        return
    assert found.tzinfo is UTC


@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_deep_nesting_is_no_cursor(depth: int) -> None:
    """It neither overflows a stack nor takes long."""
    with pytest.raises(InvalidCursor):
        decode_cursor(LISTING, base64.urlsafe_b64encode(b"[" * depth).decode(), str)


def test_a_cursor_of_another_listing_is_refused() -> None:
    """Other filter, other sort, fewer or more parts, or parts of other kinds."""
    cursor = encode_cursor(LISTING, "Ada", str(UUID(int=1)))
    for listing, kinds in (
        (fingerprint("other filter", "a sort"), (str, UUID)),
        (fingerprint("a filter", "other sort"), (str, UUID)),
        (LISTING, (str,)),
        (LISTING, (str, UUID, str)),
        (LISTING, (datetime, UUID)),
        (LISTING, (str, int)),
        (LISTING, ()),
    ):
        with pytest.raises(InvalidCursor):
            decode_cursor(listing, cursor, *kinds)


def test_fingerprints_tell_listings_apart() -> None:
    """Equal parts give equal fingerprints, in every process; different ones different."""
    assert fingerprint("a", 1) == fingerprint("a", 1)
    parts: list[tuple[Any, ...]] = [(), ("a",), ("a", "b"), ("ab",), ("b", "a"), ("a", 1), ("a", "1"), ("a", None)]
    assert len({fingerprint(*each) for each in parts}) == len(parts)


@given(st.integers() | st.booleans() | st.floats() | st.text() | st.none())
def test_limits_are_whole_numbers_from_1_to_200(limit: Any) -> None:
    """Nothing is coerced or cut down."""
    if type(limit) is int and 1 <= limit <= 200:
        assert check_limit(limit) == limit
        return
    with pytest.raises(InvalidInput) as refused:
        check_limit(limit)
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [("/limit", "out_of_range")]


def test_the_bounds_of_a_limit() -> None:
    """The first and the last that are taken."""
    assert [check_limit(1), check_limit(200)] == [1, 200]
