"""Finds out who calls, from a bearer token (RFC 6750)."""

from __future__ import annotations

import threading
import time
from hashlib import blake2b
from typing import Final, TypeVar

import attrs

from kgl_adapters.clock_and_ids import now
from kgl_core.access.logging_in import Auth
from kgl_core.access.tokens import Standing
from kgl_core.kernel.errors import InvalidToken
from kgl_core.kernel.permissions import Actor, ActorKind

STANDING_AGE_MAX_S: Final = 1.0
"""How long a standing is believed to be as it was read: what ends tokens takes effect within this time."""
KNOWN_MAX: Final = 10_000
"""How many standings, and how many verified tokens, a worker remembers."""
_DIGEST_BYTES: Final = 32
_ENDED: Final = {
    ActorKind.USER: "it was revoked, its account was disabled, or its password or role have changed since",
    ActorKind.SERVICE: "it was revoked, or its client was deleted, has expired or got a new secret since",
}

K = TypeVar("K")
V = TypeVar("V")


@attrs.define(eq=False)
class _Known:
    """A standing, when it was read, and whether it is the latest that was read."""

    standing: Standing | None
    read_at_s: float
    is_last: bool = True


@attrs.frozen
class _Bearer:
    """Who bears a verified token. It holds until ``until_s``, as long as ``known`` is the latest standing."""

    actor: Actor
    known: _Known
    until_s: float


class Authenticator:
    """Finds the caller of a request, and remembers recent ones, so that few requests verify a token or ask the store.

    It remembers only the BLAKE2b digest of a token, only of valid tokens, no longer than a standing is believed and not
    past the token's end. The oldest is forgotten first. Shared by threads.
    """

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self._changing = threading.Lock()
        self._known: dict[Actor, _Known] = {}
        self._bearers: dict[bytes, _Bearer] = {}

    def caller(self, access_token: str) -> Actor:
        """Who the token belongs to. Raises InvalidToken, also for a token that was ended since it was issued."""
        # What is not ASCII is in no token of ours, and with a ? in its place it is none either.
        digest = blake2b(access_token.encode("ascii", "replace"), digest_size=_DIGEST_BYTES).digest()
        bearer = self._bearers.get(digest)
        if bearer is not None and bearer.known.is_last and time.monotonic() < bearer.until_s:
            return bearer.actor
        claims = self._auth.authenticate(access_token)
        known = self._standing(claims.subject, claims.auth_version)
        actor = None if known.standing is None else known.standing.bearer(claims)
        if actor is None:
            raise InvalidToken(_ENDED[claims.subject.kind])
        ends_at_s = time.monotonic() + (claims.expires_at - now()).total_seconds()
        until_s = min(known.read_at_s + STANDING_AGE_MAX_S, ends_at_s)
        with self._changing:
            _remember(self._bearers, digest, _Bearer(actor, known, until_s))
        return actor

    def _standing(self, subject: Actor, auth_version: int) -> _Known:
        now_s = time.monotonic()
        known = self._known.get(subject)
        if known is not None and now_s - known.read_at_s < STANDING_AGE_MAX_S:
            standing = known.standing
            # A token of a later version than is known was issued after a change that this worker has not seen.
            if standing is None or auth_version <= standing.auth_version:
                return known
        read = _Known(self._auth.standing(subject), now_s)
        with self._changing:
            before = _remember(self._known, subject, read)
            if before is not None:
                before.is_last = False
        return read


def _remember(kept: dict[K, V], key: K, value: V) -> V | None:
    """Store a value as the newest of at most KNOWN_MAX. Returns the value that its key had before."""
    before = kept.pop(key, None)
    if len(kept) >= KNOWN_MAX:
        del kept[next(iter(kept))]
    kept[key] = value
    return before
