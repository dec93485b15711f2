"""Who may do what, through the library's face: every actor against every call, written out."""

from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

import pytest

from kgl_core import Actor, ActorKind, Entity, KnowledgeGraph, PermissionDenied, Relationship, Role, User
from kgl_core.kernel.permissions import Scope
from tests.contract.samples import new_id

PASSWORD = "a few unrelated words"


class Scene(NamedTuple):
    """A graph in which each actor has records of its own, beside those of others."""

    kg: KnowledgeGraph
    own: Entity
    others: Entity
    own_edge: Relationship
    others_edge: Relationship
    deleted: Entity
    deleted_edge: Relationship
    somebody: User
    own_run: UUID
    others_run: UUID


def service(*scopes: Scope) -> Actor:
    """A service client with these scopes."""
    return Actor(ActorKind.SERVICE, "extractor", scopes=frozenset(scopes))


def person(role: Role | None) -> Actor:
    """A person in this role; None for one whose account is disabled."""
    return Actor(ActorKind.USER, "01890a5d-ac96-774b-bcce-b302099a8057", role)


ACTORS = {
    "system": Actor(ActorKind.SYSTEM),
    "user": person(Role.USER),
    "moderator": person(Role.MODERATOR),
    "admin": person(Role.ADMIN),
    "disabled": person(None),
    "service without scope": service(),
    "reading service": service(Scope.GRAPH_READ),
    "writing service": service(Scope.GRAPH_WRITE),
    "reading and writing service": service(Scope.GRAPH_READ, Scope.GRAPH_WRITE),
}
READERS = {"system", "user", "moderator", "admin", "reading service", "reading and writing service"}
CREATORS = {"system", "user", "moderator", "admin", "writing service", "reading and writing service"}
EDITORS = {"system", "moderator", "admin"}
ADMINS = {"system", "admin"}

Call = Callable[[KnowledgeGraph, Scene], object]
CALLS: dict[str, tuple[set[str], Call]] = {
    "get": (READERS, lambda kg, s: kg.entities.get(s.others.id)),
    "get by key": (READERS, lambda kg, s: kg.entities.get_by_key("others")),
    "get many": (READERS, lambda kg, s: kg.entities.get_many(ids=[s.own.id])),
    "list": (READERS, lambda kg, s: kg.entities.list()),
    "count": (READERS, lambda kg, s: kg.entities.count()),
    "get relationship": (READERS, lambda kg, s: kg.relationships.get(s.others_edge.id)),
    "get many relationships": (READERS, lambda kg, s: kg.relationships.get_many(ids=[s.own_edge.id])),
    "list relationships": (READERS, lambda kg, s: kg.relationships.list()),
    "count relationships": (READERS, lambda kg, s: kg.relationships.count()),
    "changes": (READERS, lambda kg, s: kg.changes()),
    "stats": (READERS, lambda kg, s: kg.stats()),
    "dump": (READERS, lambda kg, s: list(kg.dump())),
    "create": (CREATORS, lambda kg, s: kg.entities.create(type="t", name="new")),
    "join": (CREATORS, lambda kg, s: kg.relationships.create(s.others.id, "new", s.own.id)),
    "open run": (CREATORS, lambda kg, s: kg.runs.open("new")),
    "work in own run": (CREATORS, lambda kg, s: kg.in_run(s.own_run).entities.create(type="t", name="new")),
    "work in others' run": (EDITORS, lambda kg, s: kg.in_run(s.others_run).entities.create(type="t", name="new")),
    "end own run": (CREATORS, lambda kg, s: kg.runs.end(s.own_run)),
    "end others' run": (EDITORS, lambda kg, s: kg.runs.end(s.others_run)),
    "get run": (READERS, lambda kg, s: kg.runs.get(s.others_run)),
    "list runs": (READERS, lambda kg, s: kg.runs.list()),
    "changes of a run": (READERS, lambda kg, s: kg.runs.changes(s.others_run)),
    "load": (CREATORS, lambda kg, s: kg.load([{"kind": "entity", "key": "new", "type": "t", "name": "n"}])),
    "update own": (CREATORS, lambda kg, s: kg.entities.update(s.own.id, name="x")),
    "update own relationship": (CREATORS, lambda kg, s: kg.relationships.update(s.own_edge.id, source="x")),
    "update others'": (EDITORS, lambda kg, s: kg.entities.update(s.others.id, name="x")),
    "update others' relationship": (EDITORS, lambda kg, s: kg.relationships.update(s.others_edge.id, source="x")),
    "restore": (EDITORS, lambda kg, s: kg.entities.restore(s.deleted.id)),
    "restore relationship": (EDITORS, lambda kg, s: kg.relationships.restore(s.deleted_edge.id)),
    "restore the active": (EDITORS, lambda kg, s: kg.entities.restore(s.own.id)),
    "create user": (ADMINS, lambda kg, s: kg.users.create(email="new@example.org", password=PASSWORD)),
    "get user": (ADMINS, lambda kg, s: kg.users.get(s.somebody.id)),
    "get user by email": (ADMINS, lambda kg, s: kg.users.get_by_email("somebody@example.org")),
    "list users": (ADMINS, lambda kg, s: kg.users.list()),
    "disable user": (ADMINS, lambda kg, s: kg.users.disable(s.somebody.id)),
    "enable user": (ADMINS, lambda kg, s: kg.users.enable(s.somebody.id)),
    "set role": (ADMINS, lambda kg, s: kg.users.set_role(s.somebody.id, "admin")),
    "set password": (ADMINS, lambda kg, s: kg.users.set_password(s.somebody.id, PASSWORD + "!")),
    "delete own relationship": (CREATORS, lambda kg, s: kg.relationships.delete(s.own_edge.id)),
    "delete others' relationship": (EDITORS, lambda kg, s: kg.relationships.delete(s.others_edge.id)),
    "delete own": (CREATORS, lambda kg, s: kg.entities.delete(s.own.id)),
    "delete others'": (EDITORS, lambda kg, s: kg.entities.delete(s.others.id)),
}

OUTSIDE_TRANSACTIONS = {
    "changes",
    "stats",
    "dump",
    "load",
    *(name for name in CALLS if {"run", "runs"} & {*name.split()}),
}


def scene_for(kg: KnowledgeGraph, actor: Actor) -> Scene:
    """Records of ``actor``, made while it still could make some, and of others."""
    able = Actor(actor.kind, actor.id, Role.USER, frozenset([Scope.GRAPH_READ, Scope.GRAPH_WRITE]))
    mine = kg.acting_as(able)
    theirs = kg.acting_as(Actor(ActorKind.USER, "somebody else", Role.ADMIN))
    own = mine.entities.create(type="t", name="own", key="own")
    others = theirs.entities.create(type="t", name="others'", key="others")
    own_edge = mine.relationships.create(own.id, "own", others.id)
    others_edge = theirs.relationships.create(own.id, "others", others.id)
    deleted_edge = mine.relationships.create(own.id, "gone", others.id)
    mine.relationships.delete(deleted_edge.id)
    deleted = mine.entities.create(type="t", name="gone")
    mine.entities.delete(deleted.id)
    runs = (mine.runs.open().id, theirs.runs.open().id)
    somebody = theirs.users.create(email="somebody@example.org", password=PASSWORD)
    return Scene(kg, own, others, own_edge, others_edge, deleted, deleted_edge, somebody, *runs)


@pytest.mark.parametrize("name", ACTORS)
def test_each_actor_may_do_what_it_may_and_nothing_else(kg: KnowledgeGraph, name: str) -> None:
    """What is refused raises PermissionDenied, changes nothing, and is tried inside a transaction all the same."""
    actor = ACTORS[name]
    scene = scene_for(kg, actor)
    acting = kg.acting_as(actor)
    stats, changes = kg.stats(), len(kg.changes(limit=200).items)
    for call_name, (allowed, call) in CALLS.items():
        if name not in allowed:
            with pytest.raises(PermissionDenied) as refused:
                call(acting, scene)
            assert refused.value.actor == actor
            if call_name not in OUTSIDE_TRANSACTIONS:
                with acting.transaction() as tx, pytest.raises(PermissionDenied):
                    call(tx, scene)  # type: ignore[arg-type]
    assert (kg.stats(), len(kg.changes(limit=200).items)) == (stats, changes)
    for allowed, call in CALLS.values():
        if name in allowed:
            call(acting, scene)


def test_who_acts_is_recorded(kg: KnowledgeGraph) -> None:
    """In the record for who created and who deleted it, in each change for who made it."""
    user = kg.users.create(email="ada@example.org", password=PASSWORD)
    moderator = kg.users.create(email="mod@example.org", password=PASSWORD, role="moderator")
    made = kg.acting_as(user).entities.create(type="t", name="n")
    kg.acting_as(moderator).entities.update(made.id, name="m")
    gone = kg.acting_as(moderator).entities.delete(made.id)
    back = kg.entities.restore(made.id).entity
    assert made.created_by == gone.created_by == back.created_by == user.actor
    assert gone.deleted_by == moderator.actor
    actors = [str(change.actor) for change in kg.changes().items]
    assert actors == [f"user:{user.id}", f"user:{moderator.id}", f"user:{moderator.id}", "system"]


def test_a_disabled_user_may_do_nothing(kg: KnowledgeGraph) -> None:
    """From the moment that the account, as it is now, is asked to act."""
    user = kg.users.create(email="ada@example.org", password=PASSWORD, role="admin")
    assert kg.acting_as(user).stats().users == 1
    disabled = kg.users.disable(user.id)
    with pytest.raises(PermissionDenied):
        kg.acting_as(disabled).entities.list()


def test_ownership_is_by_kind_and_id(kg: KnowledgeGraph) -> None:
    """A service does not own what a user of the same id created, nor the other way round."""
    user = Actor(ActorKind.USER, "x", Role.USER)
    client = Actor(ActorKind.SERVICE, "x", scopes=frozenset([Scope.GRAPH_WRITE]))
    for mine, theirs in ((user, client), (client, user)):
        made = kg.acting_as(mine).entities.create(type="t", name="n")
        with pytest.raises(PermissionDenied):
            kg.acting_as(theirs).entities.delete(made.id)
        kg.acting_as(mine).entities.delete(made.id)


def test_deleting_an_entity_of_ones_own_takes_others_relationships_along(kg: KnowledgeGraph) -> None:
    """An edge cannot outlive its end, whoever drew it."""
    scene = scene_for(kg, ACTORS["user"])
    kg.acting_as(ACTORS["user"]).entities.delete(scene.own.id)
    gone = kg.relationships.get(scene.others_edge.id, include_deleted=True)
    assert (gone.is_active, gone.deleted_by) == (False, ACTORS["user"])


def test_a_load_keeps_to_its_actors_permissions(kg: KnowledgeGraph) -> None:
    """What a user may not change is refused record by record, and the rest is kept."""
    scene = scene_for(kg, ACTORS["user"])
    summary = kg.acting_as(ACTORS["user"]).load(
        [
            {"kind": "entity", "key": "own", "type": "t", "name": "changed"},
            {"kind": "entity", "key": "others", "type": "t", "name": "changed"},
            {"kind": "entity", "key": "new", "type": "t", "name": "new"},
        ]
    )
    assert (summary.updated, summary.created, summary.refused) == (1, 1, 1)
    assert [(refusal.number, refusal.code) for refusal in summary.refusals] == [(2, "permission_denied")]
    assert kg.entities.get(scene.others.id).name == "others'"


@pytest.mark.parametrize("name", ["disabled", "service without scope"])
def test_who_may_do_nothing_learns_nothing(kg: KnowledgeGraph, name: str) -> None:
    """Neither whether a record exists, nor at what version it is."""
    scene = scene_for(kg, ACTORS[name])
    acting = kg.acting_as(ACTORS[name])
    for records, id in ((acting.entities, scene.others.id), (acting.relationships, scene.others_edge.id)):
        calls: list[Callable[[], object]] = [
            lambda records=records: records.update(new_id(), source="x"),
            lambda records=records: records.delete(new_id()),
            lambda records=records, id=id: records.update(id, expected_version=7, source="x"),
            lambda records=records, id=id: records.delete(id, expected_version=7),
        ]
        for call in calls:
            with pytest.raises(PermissionDenied):
                call()
