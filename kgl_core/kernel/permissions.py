"""Who may do what: all permissions in one table, decided in one place.

What the table does not grant is denied. The use cases call `require`; nothing else decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum, StrEnum
from functools import lru_cache
from typing import Final

import attrs

from kgl_core.kernel.errors import PermissionDenied


class Role(StrEnum):
    """What a person may do; each role includes the one before it."""

    USER = "user"
    MODERATOR = "moderator"
    ADMIN = "admin"


class ActorKind(StrEnum):
    """Who acts: kgl's own library user, a person, or another module."""

    SYSTEM = "system"
    USER = "user"
    SERVICE = "service"


class Scope(StrEnum):
    """What a service client was granted (RFC 6749, section 3.3)."""

    GRAPH_READ = "graph:read"
    GRAPH_WRITE = "graph:write"


class Action(StrEnum):
    """What an actor can be allowed to do."""

    READ = "read the graph"
    CREATE = "create in the graph"
    CHANGE = "change or delete this record"
    RESTORE = "restore what was deleted"
    RANK = "rank sources and extractors, withdraw sources"
    MANAGE_USERS = "manage users"
    MANAGE_CLIENTS = "manage service clients"
    OPERATE = "operate the service"


class Grant(Enum):
    """How far a permission reaches."""

    NONE = 0
    OWN = 1
    ANY = 2


@attrs.frozen
class Actor:
    """Who acts: equal when ``kind`` and ``id`` are. Its role or scopes say what it may do now, and are not stored."""

    kind: ActorKind
    id: str | None = None
    role: Role | None = attrs.field(default=None, eq=False)
    scopes: frozenset[Scope] = attrs.field(default=frozenset(), eq=False)
    _text: str = attrs.field(init=False, eq=False, repr=False)

    @_text.default
    def _make_text(self) -> str:
        return self.kind.value if self.id is None else f"{self.kind.value}:{self.id}"

    def __str__(self) -> str:
        return self._text

    @staticmethod
    @lru_cache(maxsize=1024)
    def parse(text: str) -> Actor:
        """The actor that ``str(actor)`` wrote, without role or scopes."""
        kind, _, id = text.partition(":")
        return Actor(ActorKind(kind), id or None)


SYSTEM: Final = Actor(ActorKind.SYSTEM)

_Grants = Mapping[Action, Grant]

ROLE_GRANTS: Final[Mapping[Role, _Grants]] = {
    Role.USER: {Action.READ: Grant.ANY, Action.CREATE: Grant.ANY, Action.CHANGE: Grant.OWN},
    Role.MODERATOR: {
        Action.READ: Grant.ANY,
        Action.CREATE: Grant.ANY,
        Action.CHANGE: Grant.ANY,
        Action.RESTORE: Grant.ANY,
        Action.RANK: Grant.ANY,
    },
    Role.ADMIN: dict.fromkeys(Action, Grant.ANY),
}
SCOPE_GRANTS: Final[Mapping[Scope, _Grants]] = {
    Scope.GRAPH_READ: {Action.READ: Grant.ANY},
    Scope.GRAPH_WRITE: {Action.CREATE: Grant.ANY, Action.CHANGE: Grant.OWN},
}


def in_order(scopes: Iterable[str]) -> tuple[Scope, ...]:
    """These scopes, each once, in the order of `Scope`."""
    given = set(scopes)
    return tuple(scope for scope in Scope if scope.value in given)


def scope_text(scopes: Iterable[str]) -> str:
    """Scopes as text, as in tokens and requests: their names with spaces between (RFC 6749, section 3.3)."""
    return " ".join(in_order(scopes))


def grant(actor: Actor, action: Action) -> Grant:
    """How far ``actor`` may do ``action``: not at all, to its own records, or to all."""
    if actor.kind is ActorKind.SYSTEM:
        return Grant.ANY
    if actor.kind is ActorKind.USER:
        return Grant.NONE if actor.role is None else ROLE_GRANTS[actor.role].get(action, Grant.NONE)
    granted = (SCOPE_GRANTS[scope].get(action, Grant.NONE) for scope in actor.scopes)
    return max(granted, key=lambda grant: grant.value, default=Grant.NONE)


def may(actor: Actor, action: Action, owner: Actor | None = None) -> bool:
    """Whether ``actor`` may do ``action``; ``owner`` created the record, if there is one."""
    granted = grant(actor, action)
    return granted is Grant.ANY or (granted is Grant.OWN and owner == actor)


def require(actor: Actor, action: Action, owner: Actor | None = None) -> None:
    """Raise PermissionDenied unless ``actor`` `may` do this."""
    if may(actor, action, owner):
        return
    if grant(actor, action) is Grant.OWN:
        raise PermissionDenied(actor, action, f"{owner} created it; ask them or a moderator")
    raise PermissionDenied(actor, action, "ask an admin for a role or scope that includes it")
