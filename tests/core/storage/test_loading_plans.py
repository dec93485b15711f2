"""What a load decides for each record, over what the store holds: pure, so told without a store."""

from typing import Any
from uuid import UUID

import pytest

from kgl_adapters.memory.store import MemoryStore
from kgl_core import SYSTEM, Actor, ActorKind, ChangeAction, Entity, KglError, Relationship, Role
from kgl_core.graph.entities import End
from kgl_core.kernel.permissions import Scope
from kgl_core.kernel.units_of_work import Context
from kgl_core.storage.loading.entity_plan import EntityPlan
from kgl_core.storage.loading.existing_records import Existing, Outcome
from kgl_core.storage.loading.relationship_plan import RelationshipPlan
from kgl_core.storage.record_lines import EntityLine, RelationshipLine, read_line
from tests.contract.samples import NOON, SECOND, Clock, Ids, deleted, entity, relationship

ADA, GRACE = entity("Ada", key="ada"), entity("Grace", key="grace")
WROTE = relationship(ADA, GRACE, relationship_type="wrote", confidence=0.5)
FIRST = relationship(ADA, GRACE, relationship_type="wrote", key="first")
HERE = {each.id: End(each.id, each.key, True) for each in (ADA, GRACE)}
USER = Actor(ActorKind.USER, "u", Role.USER)


def context(actor: Actor = SYSTEM) -> Context:
    """Where a plan gets its time and ids from; the store is never touched."""
    return Context(MemoryStore(), actor, Clock(NOON + SECOND), Ids(seed=3))


def record(**fields: Any) -> EntityLine:
    """An entity's record."""
    found = read_line({"kind": "entity", "type": "person", "name": "Ada", **fields})
    assert isinstance(found, EntityLine)
    return found


def edge(**fields: Any) -> RelationshipLine:
    """A relationship's record, from Ada to Grace."""
    ends = {"source_entity_key": "ada", "target_entity_key": "grace"}
    found = read_line({"kind": "relationship", "relationship_type": "wrote", **ends, **fields})
    assert isinstance(found, RelationshipLine)
    return found


def decide(plan: EntityPlan, *records: EntityLine) -> list[str]:
    """The outcome, or the error's code, for each record in turn."""
    found = []
    for number, each in enumerate(records, 1):
        try:
            found.append(str(plan.apply(number, each)[0]))
        except KglError as error:
            found.append(error.code)
    return found


def decide_edge(
    stored: list[Relationship],
    *records: RelationshipLine,
    source: End = HERE[ADA.id],
    target: End = HERE[GRACE.id],
    actor: Actor = SYSTEM,
    existing: Existing = Existing.MERGE,
) -> tuple[RelationshipPlan, list[str]]:
    """The plan, and the outcome or the error's code for each record in turn."""
    plan = RelationshipPlan(context(actor), stored, existing)
    found = []
    for each in records:
        try:
            found.append(str(plan.apply(each, source, target)[0]))
        except KglError as error:
            found.append(error.code)
    return plan, found


@pytest.mark.parametrize(
    ("stored", "fields", "outcome"),
    [
        ([], {"key": "ada"}, "created"),
        ([], {"id": str(ADA.id)}, "created"),
        ([], {"key": "ada", "is_active": False}, "created"),
        ([ADA], {"key": "ada"}, "unchanged"),
        ([ADA], {"key": "ada", "name": "Augusta"}, "updated"),
        ([ADA], {"id": str(ADA.id), "key": "ada"}, "unchanged"),
        ([ADA], {"id": str(ADA.id)}, "updated"),  # the record says that it has no key
        ([ADA], {"id": str(ADA.id), "key": "new"}, "updated"),
        ([ADA], {"id": str(UUID(int=7)), "key": "ada"}, "key_taken"),
        ([ADA, GRACE], {"id": str(ADA.id), "key": "grace"}, "key_taken"),
        ([ADA], {"key": "ada", "is_active": False}, "active"),
        ([deleted(ADA)], {"key": "ada"}, "deleted"),
        ([deleted(ADA)], {"id": str(ADA.id), "key": "ada"}, "deleted"),
        ([deleted(ADA)], {"key": "ada", "is_active": False}, "unchanged"),
        ([deleted(ADA)], {"id": str(ADA.id), "key": "ada", "is_active": False}, "unchanged"),
        ([deleted(ADA)], {"key": "ada", "is_active": False, "name": "Augusta"}, "deleted"),
        ([deleted(ADA)], {"id": str(UUID(int=7)), "key": "ada"}, "created"),  # its own id says that it is another
        ([deleted(ADA), entity("Ada", key="ada")], {"key": "ada"}, "unchanged"),
        ([deleted(ADA), entity("Ada", key="ada")], {"key": "ada", "is_active": False}, "unchanged"),
    ],
)
def test_what_becomes_of_an_entity(stored: list[Entity], fields: dict[str, Any], outcome: str) -> None:
    """Found by id, else by key; a load neither deletes nor restores, and updates only what differs."""
    plan = EntityPlan(context(), stored, existing=Existing.REPLACE)
    assert decide(plan, record(**fields)) == [outcome]
    assert len(plan.changes) == (outcome in ("created", "updated"))
    assert (len(plan.created), len(plan.updated)) == (outcome == "created", outcome == "updated")


def test_records_of_one_batch_see_those_before() -> None:
    """Created, then the same, then updated: one new entity, at its last version, with a change for each step."""
    plan = EntityPlan(context(), [])
    assert decide(plan, record(key="k"), record(key="k"), record(key="k", name="B"), record(key="k")) == [
        "created",
        "unchanged",
        "updated",
        "updated",
    ]
    (new,) = plan.created
    assert (new.version, new.name, plan.updated) == (3, "Ada", [])
    assert [change.action for change in plan.changes] == ["created", "updated", "updated"]
    assert [change.record.version for change in plan.changes] == [1, 2, 3]


def test_a_key_moves_within_a_batch() -> None:
    """Freed by one record, it can be taken by the next, and relationships see who held it at their line."""
    plan = EntityPlan(context(), [ADA])
    new = UUID(int=7)
    assert decide(plan, record(id=str(ADA.id), key="other"), record(id=str(new), key="ada")) == ["updated", "created"]
    assert [plan.ends.find(number, None, "ada") for number in (1, 2)] == [End(ADA.id, "other", True), None]
    assert plan.ends.find(3, None, "ada") == End(new, "ada", True)
    assert plan.ends.find(3, None, "other") == End(ADA.id, "other", True)
    assert plan.ends.find(1, new, None) is None
    assert plan.ends.find(3, UUID(int=8), None) is None


def test_new_entities_come_in_one_order() -> None:
    """Of keys and ids, so that two loads of the same records wait for each other and never for both."""
    plan = EntityPlan(context(), [])
    decide(plan, record(key="b"), record(key="a"), record(id=str(UUID(int=2))), record(id=str(UUID(int=1))))
    assert [(each.key, each.id.int if each.key is None else 0) for each in plan.created] == [
        (None, 1),
        (None, 2),
        ("a", 0),
        ("b", 0),
    ]


def test_a_created_entity_has_what_the_record_says() -> None:
    """And its actor and time from the context; one that is not active is deleted by whoever loads it."""
    fields: dict[str, Any] = {"aliases": ["A"], "key": "k", "confidence": 0.5, "source": "s", "metadata": {"a": 1}}
    plan = EntityPlan(context(USER), [])
    decide(plan, record(id=str(UUID(int=1)), is_active=False, **fields))
    (new,) = plan.created
    assert (new.id, new.aliases, new.key, new.confidence, new.metadata) == (UUID(int=1), ("A",), "k", 0.5, {"a": 1})
    assert (new.created_by, new.created_at, new.version) == (USER, NOON + SECOND, 1)
    assert (new.deleted_at, new.deleted_by) == (NOON + SECOND, USER)
    (change,) = plan.changes
    assert (change.actor, change.action, change.record) == (USER, ChangeAction.CREATED, new)


def test_permissions_hold_for_each_record() -> None:
    """A user changes what it created and creates what is new; who may not create, creates nothing."""
    own = entity("Ada", key="own", created_by=USER)
    records = [record(key="own", name="B"), record(key="ada", name="B"), record(key="new"), record(key="ada")]
    expected = ["updated", "permission_denied", "created", "unchanged"]
    assert decide(EntityPlan(context(USER), [own, ADA]), *records) == expected
    reader = Actor(ActorKind.SERVICE, "s", scopes=frozenset([Scope.GRAPH_READ]))
    assert decide(EntityPlan(context(reader), []), record(key="new")) == ["permission_denied"]
    assert decide_edge([], edge(), actor=reader)[1] == ["permission_denied"]
    assert decide_edge([WROTE], edge(confidence=1), actor=USER)[1] == ["permission_denied"]


@pytest.mark.parametrize(
    ("stored", "fields", "outcome"),
    [
        ([], {}, "created"),
        ([], {"id": str(WROTE.id)}, "created"),
        ([], {"is_active": False}, "created"),
        ([WROTE], {"confidence": 0.5}, "unchanged"),
        ([WROTE], {}, "updated"),
        ([WROTE], {"id": str(WROTE.id), "confidence": 0.5}, "unchanged"),
        ([WROTE], {"id": str(UUID(int=7)), "confidence": 0.5}, "triple_taken"),
        ([WROTE], {"id": str(WROTE.id), "relationship_type": "read"}, "ends_changed"),
        ([WROTE], {"is_active": False, "confidence": 0.5}, "active"),
        ([deleted(WROTE)], {"confidence": 0.5}, "deleted"),
        ([deleted(WROTE)], {"id": str(WROTE.id), "confidence": 0.5}, "deleted"),
        ([deleted(WROTE)], {"confidence": 0.5, "is_active": False}, "unchanged"),
        ([deleted(WROTE)], {"is_active": False}, "deleted"),
        ([deleted(WROTE)], {"id": str(UUID(int=7))}, "created"),  # its own id says that it is another
        ([deleted(WROTE), relationship(ADA, GRACE, relationship_type="wrote")], {}, "unchanged"),
        ([WROTE], {"key": "first"}, "created"),
        ([FIRST], {}, "created"),
        ([FIRST], {"key": "first"}, "unchanged"),
        ([WROTE, FIRST], {"key": "first", "confidence": 0.1}, "updated"),
        ([WROTE, FIRST], {"id": str(FIRST.id), "confidence": 0.1}, "updated"),
        ([WROTE, FIRST], {"id": str(FIRST.id), "key": "first"}, "unchanged"),
        ([WROTE, FIRST], {"id": str(WROTE.id), "key": "first"}, "triple_taken"),
        ([FIRST], {"id": str(FIRST.id), "key": "second"}, "ends_changed"),
        ([FIRST], {"id": str(FIRST.id), "key": None}, "ends_changed"),
        ([WROTE], {"id": str(WROTE.id), "key": "first"}, "ends_changed"),
        ([WROTE, deleted(FIRST)], {"key": "first"}, "deleted"),
        ([WROTE, deleted(FIRST)], {"key": "first", "is_active": False}, "unchanged"),
    ],
)
def test_what_becomes_of_a_relationship(stored: list[Relationship], fields: dict[str, Any], outcome: str) -> None:
    """Found by id, else by its triple with the key; its ends, type and key never change."""
    plan, outcomes = decide_edge(stored, edge(**fields), existing=Existing.REPLACE)
    assert outcomes == [outcome]
    assert len(plan.changes) == (outcome in ("created", "updated"))


def test_an_active_relationship_needs_active_ends() -> None:
    """A deleted one does not, and says which end's deletion took it along."""
    gone = End(GRACE.id, "grace", False)
    assert decide_edge([], edge(), target=gone)[1] == ["ends_deleted"]
    assert decide_edge([], edge(), target=HERE[ADA.id])[1] == ["created"]
    assert decide_edge([], edge(is_active=False), target=gone)[1] == ["created"]
    plan, outcomes = decide_edge([], edge(is_active=False, deleted_with=str(GRACE.id)), target=gone)
    assert outcomes == ["created"]
    assert plan.created[0].deleted_with == GRACE.id
    assert decide_edge([], edge(is_active=False, deleted_with=str(UUID(int=7))), target=gone)[1] == ["deleted_with"]


def test_relationships_of_one_batch_see_those_before() -> None:
    """As entities do."""
    plan, outcomes = decide_edge([], edge(), edge(), edge(confidence=1), edge(id=str(UUID(int=7))))
    assert outcomes == ["created", "unchanged", "updated", "triple_taken"]
    assert [change.record.version for change in plan.changes] == [1, 2]
    assert [each.version for each in plan.created] == [2]


def test_outcomes_have_stable_names() -> None:
    """They stand in summaries."""
    assert set(Outcome) == {"created", "updated", "unchanged", "kept", "refused"}
