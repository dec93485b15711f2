"""Users in a dictionary."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from uuid import UUID

from kgl_core.access.users import User, UserFilter
from kgl_core.kernel.errors import AlreadyExists, NotFound
from kgl_core.kernel.pages import Position


class MemoryUsers:
    """A `kgl_core.access.users.UserRepository`."""

    def __init__(self, rows: MutableMapping[UUID, User]) -> None:
        self._rows = rows

    def get(self, id: UUID, *, lock: bool = False) -> User | None:
        return self._rows.get(id)

    def get_by_email(self, email: str) -> User | None:
        return next((user for user in self._rows.values() if user.email == email), None)

    def list(self, filter: UserFilter, after: Position | None, limit: int) -> Sequence[User]:
        found = [
            user
            for user in self._rows.values()
            if (filter.email is None or filter.email in user.email)
            and (filter.role is None or user.role == filter.role)
            and (filter.is_active is None or user.is_active == filter.is_active)
            and (after is None or (user.email, user.id) > after)
        ]
        return sorted(found, key=lambda user: (user.email, user.id))[:limit]

    def count(self) -> int:
        return len(self._rows)

    def add(self, user: User) -> None:
        if user.id in self._rows:
            raise AlreadyExists("user", "id")
        if self.get_by_email(user.email) is not None:
            raise AlreadyExists("user", "email")
        self._rows[user.id] = user

    def replace(self, user: User) -> None:
        if user.id not in self._rows:
            raise NotFound("user", user.id)
        self._rows[user.id] = user
