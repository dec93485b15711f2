"""Tokens: what an access token says, how refresh tokens live and end, and the ports that sign and keep them.

An access token is short-lived and checked without asking a store. A refresh token is opaque, lives long, and buys
one new pair of tokens: it is used up by that, and its child takes its place in the same family. Whoever uses one a
second time holds a copy, so the whole family ends (RFC 9700, section 4.14.2), unless it is an immediate retry, which
gets the same child. Services have no refresh tokens: their secret buys access tokens (RFC 6749, section 4.4.3).
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
"""How many characters an access token has at most; none of ours comes near."""
REFRESH_GRACE: Final = timedelta(seconds=10)
"""How long after its use a refresh token still gives its child again: to tabs at once, and to lost answers."""
REFRESH_TEXT_LENGTH_MAX: Final = 2048
"""Far above what `new_opaque` makes: another token, sent by mistake, is refused as a token, not as input."""
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
    ``child_seed`` is there once it was used: with its text, which is not kept, it makes its child's.
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
        """Whether it was used or revoked, so that another use of it means that there is a copy."""
        return self.used_at is not None or self.revoked_at is not None

    def is_in_force(self, now: datetime, auth_version: int) -> bool:
        """Whether it buys new tokens at ``now`` for its user, whose present auth_version is given."""
        return not self.is_ended and now < self.expires_at and self.auth_version == auth_version

    def child_of(self, text: str, now: datetime) -> str | None:
        """The child's text, for a retry at ``now`` with this token's own ``text``; None when it is too late for one."""
        if self.used_at is None or self.child_seed is None or now - self.used_at >= REFRESH_GRACE:
            return None
        return derive_child(text, self.child_seed)


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

    def mark_used(self, hash: bytes, at: datetime, child_seed: bytes) -> None:
        """Note when the token with this hash was used, and what its child was made with."""

    def revoke_family(self, family: UUID, at: datetime) -> None:
        """Revoke all of this family that are not revoked yet."""

    def delete_expired(self, now: datetime, limit: int) -> int:
        """Forget up to ``limit`` tokens that have expired at ``now``; returns how many it forgot."""


@attrs.frozen
class Standing:
    """What holds now of somebody to whom tokens were issued, and which of these tokens were revoked.

    ``is_active`` is whether it can act at all: the account is enabled, the client has not expired.
    """

    actor: Actor
    auth_version: int
    is_active: bool = True
    revoked: frozenset[UUID] = frozenset()

    def bearer(self, claims: AccessClaims) -> Actor | None:
        """Who bears a token that says ``claims``, with what may be done now; None when it is no longer in force."""
        if not self.is_active or claims.auth_version != self.auth_version or claims.id in self.revoked:
            return None
        if self.actor.kind is not ActorKind.SERVICE:
            return self.actor
        return attrs.evolve(self.actor, scopes=self.actor.scopes & claims.subject.scopes)


class RevocationRepository(Protocol):
    """Keeps which access tokens were revoked, until they expire by themselves."""

    def add(self, id: UUID, subject: Actor, expires_at: datetime) -> None:
        """Revoke the access token of ``subject`` with this id; one that was revoked before stays so."""

    def of(self, subject: Actor) -> frozenset[UUID]:
        """The ids of the revoked access tokens of ``subject``; some may have expired since."""

    def delete_expired(self, now: datetime, limit: int) -> int:
        """Forget up to ``limit`` revocations of tokens that have expired at ``now``; returns how many it forgot."""


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

    The key is the parent's text, which is kept nowhere: the child comes from who presents the parent, or from nobody.
    """
    return _opaque(hmac.digest(text.encode(), seed, "sha256"))


def hash_opaque(text: str) -> bytes:
    """The 32 bytes that a refresh token or a client secret is kept by: SHA-256.

    A slow hash such as Argon2 makes guessing what people think up expensive. Nobody guesses 256 random bits, however
    fast, and what is checked at every request must be checked fast.
    """
    return hashlib.sha256(text.encode()).digest()


def _opaque(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
