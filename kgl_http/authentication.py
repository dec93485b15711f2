"""Authentication: from a bearer token (RFC 6750) to who calls."""

from __future__ import annotations

import time
from typing import Final

from kgl_core.errors import InvalidToken
from kgl_core.permissions import Actor, ActorKind
from kgl_core.tokens import Standing
from kgl_core.usecases.auth import Auth

STANDING_AGE_MAX_S: Final = 1.0
"""How long a standing is believed to be as it was read: what ends tokens takes effect within this time."""
_STANDINGS_MAX: Final = 10_000
_ENDED: Final = {
    ActorKind.USER: "it was revoked, its account was disabled, or its password or role have changed since",
    ActorKind.SERVICE: "it was revoked, or its client was deleted, has expired or got a new secret since",
}


class Authenticator:
    """Knows the standing of those who called lately, so that few requests have to ask the store; shared by threads."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self._standings: dict[Actor, tuple[float, Standing | None]] = {}

    def caller(self, access_token: str) -> Actor:
        """Who the token belongs to. Raises InvalidToken, also when something has ended it since it was issued."""
        claims = self._auth.authenticate(access_token)
        standing = self._standing(claims.subject, claims.auth_version)
        bearer = None if standing is None else standing.bearer(claims)
        if bearer is None:
            raise InvalidToken(_ENDED[claims.subject.kind])
        return bearer

    def _standing(self, subject: Actor, auth_version: int) -> Standing | None:
        now = time.monotonic()
        known = self._standings.get(subject)
        if known is not None and now - known[0] < STANDING_AGE_MAX_S:
            standing = known[1]
            # A token of a later version than is known was issued after a change that this worker has not seen.
            if standing is None or auth_version <= standing.auth_version:
                return standing
        standing = self._auth.standing(subject)
        if len(self._standings) >= _STANDINGS_MAX:
            self._standings.clear()
        self._standings[subject] = (now, standing)
        return standing
