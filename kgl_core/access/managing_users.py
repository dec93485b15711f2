"""Managing users: create and list accounts, enable and disable them, set roles and passwords."""

from __future__ import annotations

from typing import Any, Unpack
from uuid import UUID

import attrs

from kgl_core.access.passwords import Passwords
from kgl_core.access.registering import NewAccounts
from kgl_core.access.users import ROLE, USER, User, UserDraft, UserFields, UserFilter, UserFilterFields
from kgl_core.kernel.checked_records import build
from kgl_core.kernel.errors import AlreadyExists, InvalidInput
from kgl_core.kernel.field_rules import Faults
from kgl_core.kernel.ids import require_id
from kgl_core.kernel.nouns.listings import read_page
from kgl_core.kernel.nouns.pages import LIMIT_DEFAULT, Page
from kgl_core.kernel.nouns.records import found
from kgl_core.kernel.nouns.taken_values import name_holder
from kgl_core.kernel.permissions import Action, Role, require
from kgl_core.kernel.units_of_work import Context, transaction


class Users:
    """The use cases of accounts, on behalf of one actor, who must be allowed to manage users.

    Every method raises PermissionDenied, InvalidInput for malformed arguments, and StoreError when the store is in
    trouble. An id is a UUID or its canonical text.
    """

    def __init__(self, context: Context, passwords: Passwords) -> None:
        self._context, self._passwords = context, passwords

    def create(self, *, password: str, **fields: Unpack[UserFields]) -> User:
        """Create an account. Raises InvalidInput with every fault, and AlreadyExists when the email is taken."""
        require(self._context.actor, Action.MANAGE_USERS)
        accounts = NewAccounts(self._context, self._passwords)
        draft = accounts.check(UserDraft, fields, password)
        try:
            return accounts.create(draft, password, Role(draft.role))
        except AlreadyExists as error:
            name_holder(error, self._context, USER, draft)
            raise

    def get(self, id: UUID | str) -> User:
        """The account with this id. Raises NotFound."""
        require(self._context.actor, Action.MANAGE_USERS)
        wanted = require_id(id)
        with self._context.store.read() as uow:
            return found(uow.users.get(wanted), "user", wanted)

    def get_by_email(self, email: str) -> User:
        """The account with this email, in upper or lower case. Raises NotFound."""
        require(self._context.actor, Action.MANAGE_USERS)
        normal = build(UserDraft, {"email": email}).email
        with self._context.store.read() as uow:
            return found(uow.users.get_by(normal), "user", email)

    def list(
        self, *, limit: int = LIMIT_DEFAULT, cursor: str | None = None, **filter: Unpack[UserFilterFields]
    ) -> Page[User]:
        """A page of accounts ordered by email; ``limit`` is 1..200. Raises InvalidCursor, HistoryLost."""
        require(self._context.actor, Action.MANAGE_USERS)
        wanted = build(UserFilter, filter)
        with self._context.store.read() as uow:
            return read_page(USER, uow.users, wanted, "email", limit, cursor)

    def disable(self, id: UUID | str) -> User:
        """Disable the account, so that it can do nothing until it is enabled. Raises NotFound."""
        return self._change(id, is_active=False)

    def enable(self, id: UUID | str) -> User:
        """Enable the account. Raises NotFound."""
        return self._change(id, is_active=True)

    def set_role(self, id: UUID | str, role: str) -> User:
        """Change the account's role. Raises NotFound, and InvalidInput for an unknown role."""
        faults: Faults = []
        ROLE(role, "/role", faults)
        if faults:
            raise InvalidInput(faults)
        return self._change(id, role=Role(role))

    def set_password(self, id: UUID | str, password: str) -> User:
        """Change the account's password. Raises NotFound, and InvalidInput when the password breaks a rule."""
        require(self._context.actor, Action.MANAGE_USERS)
        wanted = require_id(id)
        with self._context.store.read() as uow:
            email = found(uow.users.get(wanted), "user", wanted).email
        self._passwords.check(password, email)
        return self._change(wanted, password_hash=self._passwords.hasher.hash(password))

    @transaction
    def _change(self, id: UUID | str, /, **values: Any) -> User:
        require(self._context.actor, Action.MANAGE_USERS)
        wanted = require_id(id)
        with self._context.store.begin() as uow:
            current = found(uow.users.get(wanted, lock="update"), "user", wanted)
            changed = attrs.evolve(current, **values)
            if changed == current:
                return current
            kept = attrs.evolve(changed, auth_version=current.auth_version + 1, updated_at=self._context.now())
            uow.users.replace([kept])
            uow.commit()
        return kept
