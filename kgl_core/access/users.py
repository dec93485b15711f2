"""Users: the people who have an account, the rules for its fields, and the port that stores it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol, TypedDict
from uuid import UUID

import attrs

from kgl_core.kernel.checked_records import check, ruled
from kgl_core.kernel.field_rules import Choice, Flag, Optional, Text
from kgl_core.kernel.ids import UserId
from kgl_core.kernel.pages import Position
from kgl_core.kernel.permissions import Actor, ActorKind, Role
from kgl_core.kernel.text import name_form

EMAIL_LENGTH_MAX: Final = 254  # RFC 5321, section 4.5.3.1.3, less the angle brackets
PERSON_NAME_LENGTH_MAX: Final = 100
PERSON_NAME: Final = Optional(Text(PERSON_NAME_LENGTH_MAX, normalize=name_form))

# A valid e-mail address as the HTML standard defines it (section 4.10.5.1.5), with a dot asked for in the domain.
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
EMAIL: Final = Text(
    EMAIL_LENGTH_MAX,
    pattern=rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})+",
    advice="give an address such as ada@example.org, in ASCII; a domain of other letters in its xn-- form",
    normalize=lambda text: text.lower() if text.isascii() else text,  # K (Kelvin) must not become k
)
ROLE: Final = Choice(tuple(role.value for role in Role))


class UserFields(TypedDict, total=False):
    """The fields of a user, as keyword arguments. `UserDraft` has the rules."""

    email: str
    first_name: str | None
    last_name: str | None
    role: str


@attrs.frozen(kw_only=True)
class UserDraft:
    """What is said of a new user, checked as a whole: raises InvalidInput with every fault.

    ``email`` is kept in lower case and unique.
    """

    email: str = ruled(EMAIL)
    first_name: str | None = ruled(PERSON_NAME, default=None)
    last_name: str | None = ruled(PERSON_NAME, default=None)
    role: str = ruled(ROLE, default=Role.USER.value)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class User:
    """An account. ``auth_version`` grows when password, role or activity change, which ends what was issued before."""

    id: UserId
    email: str
    password_hash: str = attrs.field(repr=False)
    first_name: str | None
    last_name: str | None
    role: Role
    created_at: datetime
    updated_at: datetime
    is_active: bool = True
    auth_version: int = 1
    last_login_at: datetime | None = None

    def sort_value(self, field: str) -> str:
        """The value to sort this user by: its email."""
        value: str = getattr(self, field)
        return value

    @property
    def actor(self) -> Actor:
        """This user as an actor; a disabled user has no role, and so may do nothing."""
        return Actor(ActorKind.USER, str(self.id), self.role if self.is_active else None)


class UserFilterFields(TypedDict, total=False):
    """The filters of a listing, as keyword arguments. `UserFilter` has the rules."""

    email: str
    role: str
    is_active: bool | None


@attrs.frozen(kw_only=True)
class UserFilter:
    """Which users a listing holds; None means any. ``email`` is a part of the address, in any case."""

    email: str | None = ruled(Optional(Text(EMAIL_LENGTH_MAX, normalize=str.lower)), default=None)
    role: str | None = ruled(Optional(ROLE), default=None)
    is_active: bool | None = ruled(Optional(Flag()), default=None)

    def __attrs_post_init__(self) -> None:
        check(self)


class UserRepository(Protocol):
    """Stores users. Every method sees what its unit of work sees."""

    def get(self, id: UUID, *, lock: bool = False) -> User | None:
        """The user with this id, or None; with ``lock``, nobody else can change it until the unit of work ends."""

    def get_by_email(self, email: str) -> User | None:
        """The user with this normalized email, or None."""

    def list(self, filter: UserFilter, after: Position | None, limit: int) -> Sequence[User]:
        """Up to ``limit`` users that match ``filter``, ordered by email, after the position ``after`` (email, id)."""

    def count(self) -> int:
        """How many users there are."""

    def add(self, user: User) -> None:
        """Store a new user. Raises AlreadyExists when the id or the email is taken."""

    def replace(self, user: User) -> None:
        """Store a user's new state. Raises NotFound when there is no such user."""
