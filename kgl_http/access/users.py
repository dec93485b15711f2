"""``/users``: the accounts, for those who manage them."""

from __future__ import annotations

from typing import Any

import attrs

from kgl_core.access.users import ROLE, User, UserFilter
from kgl_core.kernel.checked_records import build, check, ruled
from kgl_core.kernel.nouns.pages import LIMIT_DEFAULT
from kgl_core.kernel.permissions import Action
from kgl_http.api.envelope import send, send_page
from kgl_http.api.operations import Answer, GraphResource, operation
from kgl_http.api.query_parameters import CURSOR, LIMIT, NoQuery, filter_of


@attrs.frozen(kw_only=True)
class UserQuery(UserFilter):
    """A listing of accounts, ordered by email."""

    limit: int = ruled(LIMIT, default=LIMIT_DEFAULT)
    cursor: str | None = ruled(CURSOR, default=None)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class RoleChange:
    """The role that a user is to have."""

    role: str = ruled(ROLE)

    def __attrs_post_init__(self) -> None:
        check(self)


class Users(GraphResource):
    """``/users``."""

    @operation(
        summary="List accounts by email",
        action=Action.MANAGE_USERS,
        query=UserQuery,
        answers={200: Answer(User, "page")},
    )
    def on_get(self, req: Any, resp: Any) -> None:
        query = req.read_query(UserQuery)
        users = self._kg.acting_as(req.actor).users
        send_page(req, resp, users.list(limit=query.limit, cursor=query.cursor, **filter_of(query, UserFilter)))


class UserById(GraphResource):
    """``/users/{id}``."""

    @operation(summary="Get an account", action=Action.MANAGE_USERS, answers={200: Answer(User)}, errors=(404,))
    def on_get(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        send(req, resp, self._kg.acting_as(req.actor).users.get(req.read_id(id)))


class UserRole(GraphResource):
    """``/users/{id}/role``."""

    @operation(
        summary="Give a user another role; their tokens end",
        action=Action.MANAGE_USERS,
        body=RoleChange,
        answers={200: Answer(User)},
        errors=(404,),
    )
    def on_put(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        change = build(RoleChange, req.read_object())
        send(req, resp, self._kg.acting_as(req.actor).users.set_role(req.read_id(id), change.role))


class UserDisabling(GraphResource):
    """``/users/{id}/disable``."""

    @operation(
        summary="Stop a user from doing anything, until enabled; their tokens end",
        action=Action.MANAGE_USERS,
        answers={200: Answer(User)},
        errors=(404,),
    )
    def on_post(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        send(req, resp, self._kg.acting_as(req.actor).users.disable(req.read_id(id)))


class UserEnabling(GraphResource):
    """``/users/{id}/enable``."""

    @operation(
        summary="Let a disabled user act again",
        action=Action.MANAGE_USERS,
        answers={200: Answer(User)},
        errors=(404,),
    )
    def on_post(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        send(req, resp, self._kg.acting_as(req.actor).users.enable(req.read_id(id)))
