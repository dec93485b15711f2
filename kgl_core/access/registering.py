"""Registering: people make an account for themselves. Admins make accounts by the same rules, through `NewAccounts`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict, TypeVar, Unpack

import attrs

from kgl_core.access.counting_attempts import AttemptCounter
from kgl_core.access.passwords import NEW_PASSWORD, Passwords
from kgl_core.access.throttling import registration_attempts
from kgl_core.access.users import EMAIL, PERSON_NAME, User, UserDraft
from kgl_core.kernel.checked_records import MISSING, build, check, ruled
from kgl_core.kernel.errors import InvalidInput, RegistrationClosed
from kgl_core.kernel.field_rules import Faults
from kgl_core.kernel.ids import UserId
from kgl_core.kernel.permissions import Role
from kgl_core.kernel.units_of_work import Context, transaction

T = TypeVar("T", bound=attrs.AttrsInstance)


class RegistrationFields(TypedDict, total=False):
    """What people say to register, as keyword arguments. `Registration` has the rules."""

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


class NewAccounts:
    """Checks and creates accounts, both for people who register and for admins."""

    def __init__(self, context: Context, passwords: Passwords) -> None:
        self._context, self._passwords = context, passwords

    def check(self, draft: type[T], fields: Mapping[str, Any], password: object) -> T:
        """Make a draft from untrusted ``fields`` and check its password, which is MISSING when it was not given.

        Raises InvalidInput with every fault of both.
        """
        faults: Faults = []
        try:
            checked = build(draft, fields)
        except InvalidInput as error:
            # The check below says more about a password that was given.
            faults.extend(fault for fault in error.faults if fault.pointer != "/password" or password is MISSING)
        if password is not MISSING:
            try:
                self._passwords.check(password, str(fields.get("email", "")).lower())
            except InvalidInput as error:
                faults.extend(error.faults)
        if faults:
            raise InvalidInput(faults)
        return checked

    def create(self, draft: UserDraft | Registration, password: str, role: Role) -> User:
        """Create an account. Raises AlreadyExists when the email is taken, and Overloaded when the hasher does."""
        password_hash = self._passwords.hasher.hash(password)
        now = self._context.now()
        user = User(
            id=UserId(self._context.new_id()),
            email=draft.email,
            password_hash=password_hash,
            first_name=draft.first_name,
            last_name=draft.last_name,
            role=role,
            created_at=now,
            updated_at=now,
        )
        self._add(user)
        return user

    @transaction
    def _add(self, user: User) -> None:
        with self._context.store.begin() as uow:
            uow.users.add([user])
            uow.commit()


class Registering:
    """The use case of people who register; shared by threads."""

    def __init__(self, context: Context, passwords: Passwords, rules: RegistrationRules) -> None:
        self._rules, self._accounts, self._attempts = rules, NewAccounts(context, passwords), AttemptCounter(context)

    def register(self, address: str | None, /, **fields: Unpack[RegistrationFields]) -> User:
        """Create an account with the role of a user. ``address`` is the caller's IP address, None if unknown.

        Raises RegistrationClosed, InvalidInput with every fault, TooManyAttempts, Overloaded, and AlreadyExists when
        the email is taken.
        """
        if not self._rules.is_open:
            raise RegistrationClosed
        draft = self._accounts.check(Registration, fields, fields.get("password", MISSING))
        with self._attempts.counted(registration_attempts(address, self._rules.per_hour_max)):
            return self._accounts.create(draft, draft.password, Role.USER)
