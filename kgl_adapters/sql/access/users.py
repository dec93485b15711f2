"""Users in their table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, func, select, update

from kgl_adapters.sql.access.rows import ACCESS_ROWS, USER_COLUMNS
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.schema import table_for, users
from kgl_core.access.users import User, UserFilter
from kgl_core.kernel.errors import NotFound
from kgl_core.kernel.pages import Position

_UPDATED: Final = tuple(name for name in USER_COLUMNS if name not in ("id", "created_at"))


class UserTable:
    """The table of users and the statements on it."""

    def __init__(self, *, is_sqlite: bool) -> None:
        self.table = table = table_for(users, is_sqlite=is_sqlite)
        selected = select(*(table.c[name] for name in USER_COLUMNS))
        self.get = selected.where(table.c.id == bindparam("id"))
        self.get_locked = self.get.with_for_update(key_share=True)
        self.get_by_email = selected.where(table.c.email == bindparam("email"))
        self.list = selected.order_by(table.c.email).limit(bindparam("limit"))
        self.count = select(func.count()).select_from(table)
        self.replace = (
            update(table).where(table.c.id == bindparam("at_id")).values({name: bindparam(name) for name in _UPDATED})
        )


_TABLES: Final = {is_sqlite: UserTable(is_sqlite=is_sqlite) for is_sqlite in (False, True)}


class SqlUsers:
    """A `kgl_core.access.users.UserRepository`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rows = ACCESS_ROWS[session.is_sqlite]
        self._of = _TABLES[session.is_sqlite]

    def get(self, id: UUID, *, lock: bool = False) -> User | None:
        row = self._session.execute(
            self._of.get_locked if lock else self._of.get, {"id": self._rows.id(id)}
        ).one_or_none()
        return None if row is None else self._rows.user(row)

    def get_by_email(self, email: str) -> User | None:
        row = self._session.execute(self._of.get_by_email, {"email": email}).one_or_none()
        return None if row is None else self._rows.user(row)

    def list(self, filter: UserFilter, after: Position | None, limit: int) -> Sequence[User]:
        statement, columns, parameters = self._of.list, self._of.table.c, dict[str, Any](limit=limit)
        if filter.email is not None:
            statement = statement.where(columns.email.contains(filter.email, autoescape=True))
        if filter.role is not None:
            statement = statement.where(columns.role == bindparam("role"))
            parameters["role"] = filter.role
        if filter.is_active is not None:
            statement = statement.where(columns.is_active == bindparam("is_active"))
            parameters["is_active"] = filter.is_active
        if after is not None:
            statement = statement.where(columns.email > bindparam("email"))
            parameters["email"] = after[0]  # unique, so that it needs no id beside it
        return [self._rows.user(row) for row in self._session.execute(statement, parameters)]

    def count(self) -> int:
        return int(self._session.execute(self._of.count).scalar_one())

    def add(self, user: User) -> None:
        self._session.insert(self._of.table, USER_COLUMNS, [self._rows.user_values(user)])

    def replace(self, user: User) -> None:
        values = dict(zip(USER_COLUMNS, self._rows.user_values(user), strict=True))
        parameters = {"at_id": values["id"], **{name: values[name] for name in _UPDATED}}
        if not self._session.execute(self._of.replace, parameters).rowcount:
            raise NotFound("user", user.id)
