"""Users: the people who have an account, the rules for its fields, and the port that stores it."""

from __future__ import annotations

from datetime import datetime
from typing import Final, TypedDict

import attrs

from kgl_core.kernel.checked_records import check, ruled
from kgl_core.kernel.field_rules import Choice, Flag, Optional, Text
from kgl_core.kernel.ids import UserId
from kgl_core.kernel.nouns.noun import Condition, Noun, Unique
from kgl_core.kernel.nouns.repositories import Repository
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


USER: Final = Noun[User, UserDraft, UserFilter, str](
    name="user",
    plural="users",
    record=User,
    draft=UserDraft,
    filter=UserFilter,
    sorts={"email": "email"},
    unique=Unique("email", ("email",)),
    conditions={"email": Condition(("email",), "contains")},
    hidden=("password_hash", "auth_version"),
)

UserRepository = Repository[User, UserFilter, str]
"""Stores users; what is unique is their email, in lower case."""
