"""Tokens: what an access token says, how refresh tokens live and end, and the ports that sign and keep them.

An access token is short-lived and checked without asking a store. A refresh token is opaque, lives long, and buys
one new pair of tokens: it is used up by that, and its child takes its place in the same family. Whoever uses one a
second time holds a copy, so the whole family ends (RFC 9700, section 4.14.2).
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from uuid import UUID

import attrs

from kgl_core.ids import Random, UserId
from kgl_core.permissions import Role

REFRESH_BYTES: Final = 32
REFRESH_TEXT_LENGTH_MAX: Final = 2048
"""Far above what `new_refresh_text` makes: another token, sent by mistake, is refused as a token, not as input."""


@attrs.frozen(kw_only=True)
class AccessClaims:
    """What an access token says of its bearer (RFC 9068, section 2.2). Times are in UTC, to the second."""

    user_id: UserId
    role: Role
    auth_version: int
    id: UUID
    issued_at: datetime
    expires_at: datetime
    client_id: str = "kgl"


class TokenSigner(Protocol):
    """Port: makes access tokens that others can check, and checks them."""

    def sign(self, claims: AccessClaims) -> str:
        """The access token that says ``claims``, signed with the active key."""

    def verify(self, token: str, now: datetime) -> AccessClaims:
        """What ``token`` says. Raises InvalidToken when it is no access token of ours or has expired at ``now``."""

    def jwks(self) -> dict[str, Any]:
        """The public keys as a JWK Set (RFC 7517, section 5): {"keys": […]}, without any where the key is secret."""


@attrs.frozen(kw_only=True)
class RefreshToken:
    """A refresh token as it is kept: not the text, but its hash.

    ``family`` is common to all that descend from one login; ``auth_version`` is the user's when it was issued.
    """

    hash: bytes = attrs.field(repr=False)
    family: UUID
    user_id: UserId
    auth_version: int
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    revoked_at: datetime | None = None

    @property
    def is_ended(self) -> bool:
        """Whether it was used or revoked, so that another use of it means that there is a copy."""
        return self.used_at is not None or self.revoked_at is not None

    def is_in_force(self, now: datetime, auth_version: int) -> bool:
        """Whether it buys new tokens at ``now`` for its user, whose present auth_version is given."""
        return not self.is_ended and now < self.expires_at and self.auth_version == auth_version


class RefreshTokenRepository(Protocol):
    """Keeps refresh tokens. Every method sees what its unit of work sees.

    They have no lock of their own. Who adds, marks or revokes a user's tokens locks that user first, and reads the
    token after that: so of two uses of one token the second sees the first, a family that is being revoked cannot
    grow, and a token cannot outlive a change of the user's that ends it.
    """

    def get(self, hash: bytes) -> RefreshToken | None:
        """The token with this hash, or None."""

    def add(self, token: RefreshToken) -> None:
        """Keep a new token of a user that is kept. Raises AlreadyExists when the hash is taken."""

    def mark_used(self, hash: bytes, at: datetime) -> None:
        """Note when the token with this hash was used."""

    def revoke_family(self, family: UUID, at: datetime) -> None:
        """Revoke all of this family that are not revoked yet."""

    def delete_expired(self, now: datetime, limit: int) -> int:
        """Forget up to ``limit`` tokens that have expired at ``now``; returns how many it forgot."""


@attrs.frozen
class TokenLifetimes:
    """How long tokens can be used; both more than nothing, and ``access`` in whole seconds."""

    access: timedelta = timedelta(minutes=15)
    refresh: timedelta = timedelta(days=30)


@attrs.frozen(kw_only=True)
class IssuedTokens:
    """What a login or a refresh gives; ``expires_in`` is the access token's life in whole seconds."""

    access_token: str = attrs.field(repr=False)
    refresh_token: str = attrs.field(repr=False)
    expires_in: int


def new_refresh_text(random: Random) -> str:
    """The text of a new refresh token: 256 random bits as base64url without padding, 43 characters."""
    return base64.urlsafe_b64encode(random(REFRESH_BYTES)).rstrip(b"=").decode()


def hash_refresh(text: str) -> bytes:
    """The 32 bytes that a refresh token is kept and found by: SHA-256, as its 256 random bits need no slower one."""
    return hashlib.sha256(text.encode()).digest()
