"""What people say to get in: to register, to log in, to change a password, to have tokens renewed.

Each is checked as a whole: raises InvalidInput with every fault. No fault, and no repr, shows a password or a token.
"""

from __future__ import annotations

from typing import Final, TypedDict

import attrs

from kgl_core.access.passwords import NEW_PASSWORD, PASSWORD, Secret
from kgl_core.access.tokens import REFRESH_TEXT_LENGTH_MAX
from kgl_core.access.users import EMAIL, PERSON_NAME
from kgl_core.kernel.checked_records import check, ruled

LOGIN_EMAIL: Final = attrs.evolve(EMAIL, pattern=None, advice="")
"""Normalized as an account's email, but any text: what cannot be one belongs to no account, and is told no more."""


class RegistrationFields(TypedDict, total=False):
    """What is said to register, as keyword arguments. `Registration` has the rules."""

    email: str
    password: str
    first_name: str | None
    last_name: str | None


@attrs.frozen(kw_only=True)
class Registration:
    """A new account for oneself; whether the password is good enough, `Passwords.check` says."""

    email: str = ruled(EMAIL)
    password: str = ruled(NEW_PASSWORD, is_secret=True)
    first_name: str | None = ruled(PERSON_NAME, default=None)
    last_name: str | None = ruled(PERSON_NAME, default=None)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class RegistrationRules:
    """Whether people may make accounts for themselves, and how many an hour from one address (1 or more)."""

    is_open: bool
    per_hour_max: int = 20


@attrs.frozen(kw_only=True)
class Login:
    """An account's email and what should be its password."""

    email: str = ruled(LOGIN_EMAIL)
    password: str = ruled(PASSWORD, is_secret=True)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class PasswordChange:
    """What should be one's password, and what shall be it."""

    current_password: str = ruled(PASSWORD, is_secret=True)
    new_password: str = ruled(NEW_PASSWORD, is_secret=True)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class RefreshRequest:
    """A refresh token, to be exchanged for new tokens or revoked."""

    refresh_token: str = ruled(Secret(REFRESH_TEXT_LENGTH_MAX), is_secret=True)

    def __attrs_post_init__(self) -> None:
        check(self)
