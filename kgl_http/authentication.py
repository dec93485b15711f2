"""Authentication: from a bearer token (RFC 6750) to who calls."""

from __future__ import annotations

import time
from typing import Final
from uuid import UUID

from kgl_core.errors import InvalidToken
from kgl_core.permissions import Actor
from kgl_core.usecases.auth import Auth
from kgl_core.users import User

ACCOUNT_AGE_MAX_S: Final = 1.0
"""How long an account is believed to be as it was read: what ends tokens takes effect within this time."""
_ACCOUNTS_MAX: Final = 10_000


class Authenticator:
    """Knows the accounts that called lately, so that few requests have to ask the store; shared by threads."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self._accounts: dict[UUID, tuple[float, User | None]] = {}

    def caller(self, access_token: str) -> Actor:
        """Who the token belongs to. Raises InvalidToken, also when what it says of its account has changed since."""
        claims = self._auth.authenticate(access_token)
        user = self._account(claims.user_id, claims.auth_version)
        if user is None or not user.is_active or user.auth_version != claims.auth_version:
            raise InvalidToken("its account was disabled, or its password or role have changed since")
        return user.actor

    def _account(self, id: UUID, auth_version: int) -> User | None:
        now = time.monotonic()
        known = self._accounts.get(id)
        if known is not None and now - known[0] < ACCOUNT_AGE_MAX_S:
            user = known[1]
            # A token of a later version than is known was issued after a change that this worker has not seen.
            if user is None or auth_version <= user.auth_version:
                return user
        user = self._auth.account(id)
        if len(self._accounts) >= _ACCOUNTS_MAX:
            self._accounts.clear()
        self._accounts[id] = (now, user)
        return user
