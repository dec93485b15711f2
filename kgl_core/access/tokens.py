"""Tokens: what an access token says, how refresh tokens live and end, and the ports that sign and store them.

An access token is short-lived and checked without the store. A refresh token is opaque, lives long, and can be
exchanged for one new pair of tokens: that uses it up, and its child takes its place in the same family. Whoever uses
one a second time has a copy, so the whole family ends (RFC 9700, section 4.14.2), unless it is an immediate retry,
which gets the same child. Services have no refresh tokens: they get access tokens for their secret (RFC 6749, section
4.4.3).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from uuid import UUID

import attrs

from kgl_core.kernel.ids import Random, UserId
from kgl_core.kernel.permissions import Actor, ActorKind, scope_text

OPAQUE_BYTES: Final = 32
TOKEN_LENGTH_MAX: Final = 8 * 1024
"""How many characters an access token may have; ours are far shorter."""
REFRESH_GRACE: Final = timedelta(seconds=10)
"""How long after its use a refresh token still gives the same child, for tabs that refresh at once and answers that got
lost."""
REFRESH_TEXT_LENGTH_MAX: Final = 2048
"""Far more than `new_opaque` makes, so that another kind of token, sent by mistake, is refused as a token and not as
malformed input."""
OWN_CLIENT_ID: Final = "kgl"
"""The client that people log in through: kgl itself, which has no secret. No service client has this id."""


@attrs.frozen(kw_only=True)
class AccessClaims:
    """What an access token says of its bearer (RFC 9068, section 2.2). Times are in UTC, to the second.

    ``subject`` is a user with its role, or a service with its scopes; ``auth_version`` is that of its account or client
    when the token was issued. ``client_id`` is who asked for the token: people do so through kgl itself.
    """

    subject: Actor
    auth_version: int
    id: UUID
    issued_at: datetime
    expires_at: datetime
    client_id: str = OWN_CLIENT_ID

    @property
    def granted(self) -> dict[str, str]:
        """What the subject may do, as a token has it: a person's ``role``, or a service's ``scope`` (section 2.2.3)."""
        role = self.subject.role
        return {"scope": scope_text(self.subject.scopes)} if role is None else {"role": role.value}


class TokenSigner(Protocol):
    """Port: signs access tokens that others can verify, and verifies them."""

    def sign(self, claims: AccessClaims) -> str:
        """An access token with these claims, signed with the active key."""

    def verify(self, token: str, now: datetime) -> AccessClaims:
        """The claims of ``token``. Raises InvalidToken when it is not one of ours, or has expired at ``now``."""

    def jwks(self) -> dict[str, Any]:
        """The public keys as a JWK Set (RFC 7517, section 5): {"keys": […]}, an empty one when the key is secret."""


@attrs.frozen(kw_only=True)
class RefreshToken:
    """A refresh token as it is stored: its hash, not its text.

    ``family`` is the same for all tokens that descend from one login; ``auth_version`` is the user's when it was
    issued. ``child_seed`` is set when it is used: together with its text, which is not stored, it gives the text of its
    child.
    """

    hash: bytes = attrs.field(repr=False)
    family: UUID
    user_id: UserId
    auth_version: int
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None = None
    revoked_at: datetime | None = None
    child_seed: bytes | None = attrs.field(default=None, repr=False)

    @property
    def is_ended(self) -> bool:
        """Whether it was used or revoked, so that using it again means that somebody has a copy."""
        return self.used_at is not None or self.revoked_at is not None

    def is_in_force(self, now: datetime, auth_version: int) -> bool:
        """Whether it can be exchanged at ``now``; ``auth_version`` is its user's at present."""
        return not self.is_ended and now < self.expires_at and self.auth_version == auth_version

    def child_of(self, text: str, now: datetime) -> str | None:
        """The child's text, for a retry at ``now`` with this token's own ``text``; None when it is too late."""
        if self.used_at is None or self.child_seed is None or now - self.used_at >= REFRESH_GRACE:
            return None
        return derive_child(text, self.child_seed)


class RefreshTokenRepository(Protocol):
    """Stores refresh tokens. Every method sees what its unit of work sees.

    They have no lock of their own. Whoever adds, marks or revokes a user's tokens locks that user first, and reads the
    token afterwards. So the second of two uses of a token sees the first, a family that is being revoked can't grow,
    and no token outlives a change to its user that should end it.
    """

    def get(self, hash: bytes) -> RefreshToken | None:
        """The token with this hash, or None."""

    def add(self, token: RefreshToken) -> None:
        """Store a new token; its user must exist. Raises AlreadyExists when the hash is taken."""

    def mark_used(self, hash: bytes, at: datetime, child_seed: bytes) -> None:
        """Record when the token with this hash was used, and the seed of its child."""

    def revoke_family(self, family: UUID, at: datetime) -> None:
        """Revoke all tokens of this family that are not revoked yet."""

    def delete_expired(self, now: datetime, limit: int) -> int:
        """Delete up to ``limit`` tokens that have expired at ``now``; returns how many."""


@attrs.frozen
class Standing:
    """What is true now of a user or service that has tokens, and which of its access tokens were revoked.

    ``is_active`` says whether it can act at all: the account is enabled, or the client has not expired.
    """

    actor: Actor
    auth_version: int
    is_active: bool = True
    revoked: frozenset[UUID] = frozenset()

    def bearer(self, claims: AccessClaims) -> Actor | None:
        """Who has a token with these claims, with what they may do now; None when the token is no longer in force."""
        if not self.is_active or claims.auth_version != self.auth_version or claims.id in self.revoked:
            return None
        if self.actor.kind is not ActorKind.SERVICE:
            return self.actor
        return attrs.evolve(self.actor, scopes=self.actor.scopes & claims.subject.scopes)


class RevocationRepository(Protocol):
    """Stores which access tokens were revoked, until they expire."""

    def add(self, id: UUID, subject: Actor, expires_at: datetime) -> None:
        """Revoke the access token of ``subject`` with this id; revoking it again does nothing."""

    def of(self, subject: Actor) -> frozenset[UUID]:
        """The ids of the revoked access tokens of ``subject``; some may have expired since."""

    def delete_expired(self, now: datetime, limit: int) -> int:
        """Delete up to ``limit`` revocations of tokens that have expired at ``now``; returns how many."""


@attrs.frozen
class TokenLifetimes:
    """How long tokens are valid; both more than zero, ``access`` in whole seconds."""

    access: timedelta = timedelta(minutes=15)
    refresh: timedelta = timedelta(days=30)


@attrs.frozen(kw_only=True)
class IssuedTokens:
    """What a login or a refresh gives; ``expires_in`` is the access token's life in whole seconds."""

    access_token: str = attrs.field(repr=False)
    refresh_token: str = attrs.field(repr=False)
    expires_in: int


@attrs.frozen(kw_only=True)
class IssuedAccess:
    """What a service gets for its secret; ``scope`` is what was granted, ``expires_in`` the life in whole seconds."""

    access_token: str = attrs.field(repr=False)
    expires_in: int
    scope: str


def new_opaque(random: Random) -> str:
    """A new refresh token or client secret: 256 random bits as base64url without padding, 43 characters."""
    return _opaque(random(OPAQUE_BYTES))


def derive_child(text: str, seed: bytes) -> str:
    """The child of the refresh token ``text``, in the form of `new_opaque`: HMAC-SHA256 (RFC 2104) of ``seed``.

    The key is the parent's text, which is not stored: only someone who presents the parent can get the child.
    """
    return _opaque(hmac.digest(text.encode(), seed, "sha256"))


def hash_opaque(text: str) -> bytes:
    """The 32 bytes under which a refresh token or a client secret is stored: SHA-256.

    A slow hash such as Argon2 is for passwords that people make up. Nobody can guess 256 random bits, and what is
    checked at every request must be fast.
    """
    return hashlib.sha256(text.encode()).digest()


def _opaque(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
