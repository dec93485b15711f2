"""What a worker remembers of those who called lately."""

from datetime import timedelta
from typing import Any

import pytest

from kgl_adapters.clock_and_ids import new_id, now
from kgl_core.access.tokens import AccessClaims, Standing
from kgl_core.kernel.errors import InvalidToken
from kgl_core.kernel.permissions import Actor, ActorKind, Role
from kgl_http.api import authentication
from kgl_http.api.authentication import STANDING_AGE_MAX_S, Authenticator

ADA = Actor(ActorKind.USER, str(new_id()), Role.USER)


class Clock:
    """A clock that is moved by hand."""

    now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


class FakeAuth:
    """Knows tokens of the form ``name:version``, and counts what it is asked."""

    def __init__(self) -> None:
        self.verified = self.read = 0
        self.standing_now = Standing(ADA, 1)
        self.life = timedelta(minutes=15)

    def authenticate(self, token: str) -> AccessClaims:
        self.verified += 1
        name, _, version = token.partition(":")
        if name != "ada":
            raise InvalidToken("no")
        at = now()
        return AccessClaims(
            subject=ADA, auth_version=int(version), id=new_id(), issued_at=at, expires_at=at + self.life
        )

    def standing(self, subject: Actor) -> Standing:
        self.read += 1
        return self.standing_now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(authentication, "time", clock)
    return clock


@pytest.fixture
def auth() -> Any:
    return FakeAuth()


def test_a_token_is_verified_once_while_its_standing_is_believed(auth: Any, clock: Clock) -> None:
    """And again after that, together with the standing."""
    known = Authenticator(auth)
    for _ in range(3):
        assert known.caller("ada:1") == ADA
    assert (auth.verified, auth.read) == (1, 1)
    clock.now_s += STANDING_AGE_MAX_S
    known.caller("ada:1")
    assert (auth.verified, auth.read) == (2, 2)


def test_no_token_is_remembered_past_its_end(auth: Any, clock: Clock) -> None:
    """It ends within the second in which its standing is believed."""
    auth.life = timedelta(seconds=0.5)
    known = Authenticator(auth)
    known.caller("ada:1")
    clock.now_s += 0.6
    known.caller("ada:1")
    assert auth.verified == 2


def test_a_standing_that_is_read_anew_drops_what_rested_on_the_old(auth: Any, clock: Clock) -> None:
    """A token of a later version proves that there is a newer one; those before it are refused at once."""
    known = Authenticator(auth)
    known.caller("ada:1")
    auth.standing_now = Standing(ADA, 2)
    assert known.caller("ada:2") == ADA
    with pytest.raises(InvalidToken):
        known.caller("ada:1")


def test_a_refused_token_is_verified_each_time(auth: Any, clock: Clock) -> None:
    """Nothing is remembered of it, whatever it is."""
    known = Authenticator(auth)
    for token in ("eve:1", "ada:0", "ada:1?", "adä:1", "\ud800", "x" * 100_000):
        before = auth.verified
        for _ in range(2):
            with pytest.raises((InvalidToken, ValueError)):
                known.caller(token)
        assert auth.verified == before + 2
    assert known._bearers == {}


def test_no_token_is_kept_and_the_oldest_is_forgotten(auth: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its hash alone, up to a number; the others stay."""
    monkeypatch.setattr(authentication, "KNOWN_MAX", 3)
    known = Authenticator(auth)
    tokens = [f"ada:{'0' * number}1" for number in range(4)]
    for token in tokens:
        known.caller(token)
    for token in tokens[1:]:
        known.caller(token)
    assert auth.verified == 4
    known.caller(tokens[0])
    assert auth.verified == 5
    assert len(known._bearers) == 3
    assert all(type(key) is bytes and len(key) == 32 for key in known._bearers)
    assert "ada:" not in repr(known._bearers)
