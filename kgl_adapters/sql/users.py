"""Users in their table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, func, select, tuple_, update

from kgl_adapters.sql.rows import USER_COLUMNS
from kgl_adapters.sql.schema import users
from kgl_adapters.sql.session import Session
from kgl_core.errors import NotFound
from kgl_core.pages import Position
from kgl_core.users import User, UserFilter

_COLUMNS: Final = [users.c[name] for name in USER_COLUMNS]
_UPDATED: Final = tuple(name for name in USER_COLUMNS if name not in ("id", "created_at"))

_GET: Final = select(*_COLUMNS).where(users.c.id == bindparam("id"))
_GET_LOCKED: Final = _GET.with_for_update(key_share=True)
_GET_BY_EMAIL: Final = select(*_COLUMNS).where(users.c.email == bindparam("email"))
_LIST: Final = select(*_COLUMNS).order_by(users.c.email, users.c.id).limit(bindparam("limit"))
_PLACE: Final = tuple_(bindparam("email", type_=users.c.email.type), bindparam("id", type_=users.c.id.type))
_COUNT: Final = select(func.count()).select_from(users)
_REPLACE: Final = (
    update(users).where(users.c.id == bindparam("at_id")).values({name: bindparam(name) for name in _UPDATED})
)


class SqlUsers:
    """A `kgl_core.users.UserRepository`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rows = session.rows

    def get(self, id: UUID, *, lock: bool = False) -> User | None:
        row = self._session.execute(_GET_LOCKED if lock else _GET, {"id": self._rows.id(id)}).one_or_none()
        return None if row is None else self._rows.user(row)

    def get_by_email(self, email: str) -> User | None:
        row = self._session.execute(_GET_BY_EMAIL, {"email": email}).one_or_none()
        return None if row is None else self._rows.user(row)

    def list(self, filter: UserFilter, after: Position | None, limit: int) -> Sequence[User]:
        statement, parameters = _LIST, dict[str, Any](limit=limit)
        if filter.role is not None:
            statement = statement.where(users.c.role == bindparam("role"))
            parameters["role"] = filter.role
        if filter.is_active is not None:
            statement = statement.where(users.c.is_active == bindparam("is_active"))
            parameters["is_active"] = filter.is_active
        if after is not None:
            statement = statement.where(tuple_(users.c.email, users.c.id) > _PLACE)
            parameters |= {"email": after[0], "id": self._rows.id(after[1])}
        return [self._rows.user(row) for row in self._session.execute(statement, parameters)]

    def count(self) -> int:
        return int(self._session.execute(_COUNT).scalar_one())

    def add(self, user: User) -> None:
        self._session.insert(users, USER_COLUMNS, [self._rows.user_values(user)])

    def replace(self, user: User) -> None:
        values = dict(zip(USER_COLUMNS, self._rows.user_values(user), strict=True))
        parameters = {"at_id": values["id"], **{name: values[name] for name in _UPDATED}}
        if not self._session.execute(_REPLACE, parameters).rowcount:
            raise NotFound("user", user.id)
