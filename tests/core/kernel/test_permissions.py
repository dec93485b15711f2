"""The one table of permissions, written out a second time: a change of either must be meant."""

from itertools import combinations

import pytest

from kgl_core import Actor, ActorKind, PermissionDenied, Role
from kgl_core.kernel.permissions import ROLE_GRANTS, SCOPE_GRANTS, Action, Grant, Scope, grant, require

NONE, OWN, ANY = Grant.NONE, Grant.OWN, Grant.ANY
ACTIONS = (
    Action.READ,
    Action.CREATE,
    Action.CHANGE,
    Action.RESTORE,
    Action.RANK,
    Action.MANAGE_USERS,
    Action.MANAGE_CLIENTS,
    Action.OPERATE,
)
ROLES = {
    Role.USER: (ANY, ANY, OWN, NONE, NONE, NONE, NONE, NONE),
    Role.MODERATOR: (ANY, ANY, ANY, ANY, ANY, NONE, NONE, NONE),
    Role.ADMIN: (ANY, ANY, ANY, ANY, ANY, ANY, ANY, ANY),
    None: (NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE),
}
SCOPES = {
    frozenset[Scope](): (NONE, NONE, NONE, NONE, NONE, NONE, NONE, NONE),
    frozenset([Scope.GRAPH_READ]): (ANY, NONE, NONE, NONE, NONE, NONE, NONE, NONE),
    frozenset([Scope.GRAPH_WRITE]): (NONE, ANY, OWN, NONE, NONE, NONE, NONE, NONE),
    frozenset([Scope.GRAPH_READ, Scope.GRAPH_WRITE]): (ANY, ANY, OWN, NONE, NONE, NONE, NONE, NONE),
}


def test_the_table_is_complete() -> None:
    """Every action, role and combination of scopes stands in these tests."""
    assert set(ACTIONS) == set(Action)
    assert set(ROLES) == {*Role, None}
    assert set(SCOPES) == {frozenset(some) for size in range(3) for some in combinations(Scope, size)}
    assert set(ROLE_GRANTS) == set(Role)
    assert set(SCOPE_GRANTS) == set(Scope)


@pytest.mark.parametrize("role", ROLES)
def test_what_each_role_grants(role: Role | None) -> None:
    """To a person; who has no role may do nothing."""
    actor = Actor(ActorKind.USER, "ada", role)
    assert tuple(grant(actor, action) for action in ACTIONS) == ROLES[role]


@pytest.mark.parametrize("scopes", SCOPES, ids=lambda scopes: "+".join(sorted(scopes)) or "none")
def test_what_scopes_grant(scopes: frozenset[Scope]) -> None:
    """To a service; together they grant what each does."""
    actor = Actor(ActorKind.SERVICE, "ai", scopes=scopes)
    assert tuple(grant(actor, action) for action in ACTIONS) == SCOPES[scopes]


def test_the_system_may_do_everything() -> None:
    """Whoever uses kgl as a library without naming an actor."""
    assert {grant(Actor(ActorKind.SYSTEM), action) for action in ACTIONS} == {ANY}


def test_roles_mean_nothing_to_services_nor_scopes_to_people() -> None:
    """Default deny: what the table does not grant to this kind of actor is refused."""
    everything = frozenset(Scope)
    assert {grant(Actor(ActorKind.SERVICE, "ai", Role.ADMIN), action) for action in ACTIONS} == {NONE}
    assert {grant(Actor(ActorKind.USER, "ada", None, everything), action) for action in ACTIONS} == {NONE}


def test_own_means_created_by_the_same_actor() -> None:
    """Of the same kind and id, whatever role it had then."""
    ada = Actor(ActorKind.USER, "ada", Role.USER)
    require(ada, Action.CHANGE, Actor(ActorKind.USER, "ada"))
    others = [Actor(ActorKind.USER, "grace"), Actor(ActorKind.SERVICE, "ada"), Actor(ActorKind.SYSTEM), None]
    for owner in others:
        with pytest.raises(PermissionDenied) as refused:
            require(ada, Action.CHANGE, owner)
        assert (refused.value.actor, refused.value.action) == (ada, Action.CHANGE)
    for owner in (*others, ada):
        require(Actor(ActorKind.USER, "mod", Role.MODERATOR), Action.CHANGE, owner)


def test_a_refusal_says_what_to_do() -> None:
    """Who may not do what, and whom to ask."""
    with pytest.raises(PermissionDenied, match="user:ada may not manage users: ask an admin"):
        require(Actor(ActorKind.USER, "ada", Role.MODERATOR), Action.MANAGE_USERS)


@pytest.mark.parametrize("id", [None, "ada", "a:b", "01890a5d-ac96-774b-bcce-b302099a8057", "é \U0001f600"])
@pytest.mark.parametrize("kind", ActorKind)
def test_an_actor_is_written_and_read(kind: ActorKind, id: str | None) -> None:
    """As text, from which it comes back without role and scopes."""
    actor = Actor(kind, id, Role.ADMIN, frozenset(Scope))
    found = Actor.parse(str(actor))
    assert found == actor
    assert hash(found) == hash(actor)
    assert (found.role, found.scopes) == (None, frozenset())
