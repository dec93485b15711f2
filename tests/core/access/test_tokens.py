"""What tokens are made of, and when a refresh token is in force."""

import hashlib
import re
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgl_adapters.clock_and_ids import random
from kgl_core import InvalidInput
from kgl_core.access.logging_in import Login, PasswordChange, RefreshRequest
from kgl_core.access.registering import Registration
from kgl_core.access.tokens import IssuedTokens, TokenLifetimes, hash_opaque, new_opaque
from kgl_core.kernel.checked_records import build, rules_of
from tests.contract.samples import NOON, SECOND, refresh_token, user


@given(st.binary(min_size=32, max_size=32))
def test_a_refresh_token_is_256_bits_as_text(bits: bytes) -> None:
    """In 43 characters that pass through URLs, headers and forms as they are."""
    text = new_opaque(lambda count: bits[:count])
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", text)
    assert len(hash_opaque(text)) == 32
    assert hash_opaque(text) == hashlib.sha256(text.encode("ascii")).digest()


def test_no_two_are_alike() -> None:
    """The machine's randomness is asked anew for each."""
    assert len({new_opaque(random) for _ in range(100)}) == 100


def test_lifetimes_are_the_documented_ones() -> None:
    """A quarter of an hour, and thirty days."""
    assert TokenLifetimes() == TokenLifetimes(timedelta(minutes=15), timedelta(days=30))


@pytest.mark.parametrize(
    ("fields", "now", "auth_version", "expected"),
    [
        ({}, NOON, 1, True),
        ({}, NOON + timedelta(days=30) - SECOND, 1, True),
        ({}, NOON + timedelta(days=30), 1, False),
        ({}, NOON, 2, False),
        ({"used_at": NOON}, NOON, 1, False),
        ({"revoked_at": NOON}, NOON, 1, False),
    ],
)
def test_when_a_refresh_token_is_in_force(
    fields: dict[str, datetime], now: datetime, auth_version: int, expected: bool
) -> None:
    """Unused, not revoked, not expired, and nothing has ended its user's sessions since."""
    token = refresh_token(user(), **fields)
    assert token.is_in_force(now, auth_version) is expected
    assert token.is_ended is bool(fields)


def test_nothing_shows_a_secret() -> None:
    """Neither reprs, nor what is said of bad input."""
    shown = [
        IssuedTokens(access_token="s3cr3t-word", refresh_token="s3cr3t-word", expires_in=1),
        attrs.evolve(refresh_token(user()), hash=b"s3cr3t-word"),
        Registration(email="ada@example.org", password="s3cr3t-word"),
        Login(email="ada@example.org", password="s3cr3t-word"),
        PasswordChange(current_password="s3cr3t-word", new_password="s3cr3t-word"),
        RefreshRequest(refresh_token="s3cr3t-word"),
    ]
    for value in shown:
        assert "s3cr3t-word" not in repr(value)
    bad: Any
    for bad in ("s3cr3t-word" * 500, "s3cr3t-word\x00", "s3cr3t-word\ud800", ["s3cr3t-word"], b"s3cr3t-word"):
        for draft, name in (
            (Registration, "password"),
            (Login, "password"),
            (PasswordChange, "new_password"),
            (RefreshRequest, "refresh_token"),
        ):
            with pytest.raises(InvalidInput) as refused:
                build(draft, {name: bad})
            assert f"/{name}" in [fault.pointer for fault in refused.value.faults]
            assert "s3cr3t-word" not in str(refused.value)


@pytest.mark.parametrize("draft", [Registration, Login, PasswordChange, RefreshRequest])
def test_every_field_of_what_people_say_has_a_rule(draft: type) -> None:
    """From which the API's description is made."""
    assert list(rules_of(draft)) == [field.name for field in attrs.fields(draft)]


def test_a_family_is_told_by_its_id() -> None:
    """Tokens hold it as a plain UUID."""
    assert refresh_token(user(), family=UUID(int=7)).family == UUID(int=7)
