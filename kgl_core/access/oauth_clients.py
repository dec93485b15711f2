"""Service clients: modules that call kgl in their own name, the scopes they have, and the port that stores them.

A client is what RFC 6749 (section 2) calls confidential: it proves who it is with a secret, which kgl makes, shows
once, and stores as a hash.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Never, TypedDict

import attrs

from kgl_core.access.oauth_errors import InvalidScope
from kgl_core.access.tokens import hash_opaque
from kgl_core.kernel.checked_records import check, ruled
from kgl_core.kernel.field_rules import Choice, Each, Instant, Optional, Text
from kgl_core.kernel.ids import ClientId
from kgl_core.kernel.nouns.noun import Noun
from kgl_core.kernel.nouns.repositories import Repository
from kgl_core.kernel.permissions import Actor, ActorKind, Scope, scope_text
from kgl_core.kernel.text import name_form

CLIENT_NAME_LENGTH_MAX: Final = 100
SCOPES: Final = Each(Choice(tuple(scope.value for scope in Scope)), max_items=len(Scope), min_items=1)


class ClientFields(TypedDict, total=False):
    """The fields of a service client, as keyword arguments. `ClientDraft` has the rules."""

    name: str
    scopes: Sequence[str]
    expires_at: datetime | None


@attrs.frozen(kw_only=True)
class ClientDraft:
    """What is said of a new service client, checked as a whole: raises InvalidInput with every fault.

    ``expires_at`` is when its secret and its tokens stop working; None is never.
    """

    name: str = ruled(Text(CLIENT_NAME_LENGTH_MAX, normalize=name_form))
    scopes: tuple[str, ...] = ruled(SCOPES)
    expires_at: datetime | None = ruled(Optional(Instant()), default=None)

    def __attrs_post_init__(self) -> None:
        check(self)


class RotationFields(TypedDict, total=False):
    """The fields of a new secret, as keyword arguments. `RotationDraft` has the rules."""

    expires_at: datetime | None


@attrs.frozen(kw_only=True)
class RotationDraft:
    """What is said of a new secret; without ``expires_at``, it stops working when the old one would have."""

    expires_at: datetime | None = ruled(Optional(Instant()), default=None)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class Client:
    """A service client. ``auth_version`` grows with each new secret, which ends what was issued before."""

    id: ClientId
    name: str
    secret_hash: bytes = attrs.field(repr=False)
    scopes: tuple[Scope, ...]
    created_by: Actor
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None = None
    auth_version: int = 1

    @property
    def actor(self) -> Actor:
        """This client as an actor, with all its scopes."""
        return Actor(ActorKind.SERVICE, str(self.id), scopes=frozenset(self.scopes))

    def is_in_force(self, now: datetime) -> bool:
        """Whether it can do anything at ``now``."""
        return self.expires_at is None or now < self.expires_at

    def has_secret(self, secret: str) -> bool:
        """Whether ``secret`` is this client's; checked in the same time whatever is wrong with it."""
        return hmac.compare_digest(self.secret_hash, hash_opaque(secret))

    def granted(self, requested: str | None) -> frozenset[Scope]:
        """The scopes in ``requested``, names with spaces between; all of the client's when nothing is requested.

        Raises InvalidScope when one of them is unknown, or the client does not have it (RFC 6749, section 3.3).
        """
        if not requested:
            return frozenset(self.scopes)
        names = requested.split(" ")
        if not set(names) <= {scope.value for scope in self.scopes}:
            raise InvalidScope(scope_text(self.scopes))
        return frozenset(map(Scope, names))


@attrs.frozen
class ClientCredentials:
    """A service client with its secret, which is shown this once and cannot be asked for again."""

    client: Client
    secret: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class ClientFilter:
    """Which clients a listing holds: all of them."""


CLIENT: Final = Noun[Client, ClientDraft, ClientFilter, Never](
    name="client",
    plural="clients",
    record=Client,
    draft=ClientDraft,
    filter=ClientFilter,
    sorts={"created_at": "created_at"},
    hidden=("secret_hash", "auth_version"),
    is_removable=True,
)

ClientRepository = Repository[Client, ClientFilter, Never]
"""Stores service clients, of which nothing but the id is unique."""
