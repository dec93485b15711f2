"""Replacing and patching entities and relationships, on every store: effects, errors, and one change for each."""

from typing import Any
from uuid import UUID

import pytest

from kgl_core import (
    AlreadyExists,
    ChangeAction,
    Deleted,
    Entity,
    InvalidInput,
    KnowledgeGraph,
    NotFound,
    PermissionDenied,
    Relationship,
    StaleVersion,
)
from kgl_core.graph.entities import EntityDraft
from kgl_core.graph.relationships import RELATIONSHIP, RelationshipDraft
from kgl_core.kernel.units_of_work import Store
from tests.contract.samples import created, entity, graph_on

NOWHERE = UUID("01890a5d-ac96-774b-bcce-b302099a8057")


@pytest.fixture
def ada(kg: KnowledgeGraph) -> Entity:
    """An entity with all fields."""
    return kg.entities.create(
        type="person",
        name="Ada Lovelace",
        aliases=["Countess"],
        key="Q7259",
        confidence=0.98,
        source="https://example.org/ada",
        source_type="wiki",
        metadata={"born": {"year": 1815, "city": "London"}, "tags": ["a", "b"]},
    )


@pytest.fixture
def wrote(kg: KnowledgeGraph, ada: Entity) -> Relationship:
    """A relationship with all fields."""
    notes = kg.entities.create(type="document", name="Note G")
    return kg.relationships.create(
        ada.id, "wrote", notes.id, confidence=0.9, source="p. 1", source_type="book", metadata={"year": 1843}
    )


def draft_of(relationship: Relationship, **fields: Any) -> RelationshipDraft:
    """A draft of the same ends and type."""
    return RelationshipDraft(
        source_entity_id=relationship.source_entity_id,
        relationship_type=relationship.relationship_type,
        target_entity_id=relationship.target_entity_id,
        **fields,
    )


def actions(kg: KnowledgeGraph, id: UUID) -> list[ChangeAction]:
    """What was done to a record."""
    return [change.action for change in kg.changes(limit=200).items if change.record.id == id]


def test_replacing_an_entity_empties_what_the_draft_leaves_out(kg: KnowledgeGraph, ada: Entity) -> None:
    """All of its fields are the draft's; its id, creation and creator stay, and its version grows by one."""
    replaced = kg.entities.replace(ada.id, EntityDraft(type="human", name="Ada"))
    assert (replaced.type, replaced.name, replaced.aliases, replaced.key) == ("human", "Ada", (), None)
    assert (replaced.confidence, replaced.source, replaced.source_type, replaced.metadata) == (None, None, None, {})
    assert (replaced.id, replaced.created_at, replaced.created_by) == (ada.id, ada.created_at, ada.created_by)
    assert replaced.version == 2
    assert kg.entities.get(ada.id) == replaced
    assert actions(kg, ada.id) == [ChangeAction.CREATED, ChangeAction.UPDATED]


def test_replacing_a_relationship_empties_what_the_draft_leaves_out(kg: KnowledgeGraph, wrote: Relationship) -> None:
    """All of its fields are the draft's, and its ends and type are what they were."""
    replaced = kg.relationships.replace(wrote.id, draft_of(wrote, confidence=0.5))
    assert (replaced.confidence, replaced.source, replaced.source_type, replaced.metadata) == (0.5, None, None, {})
    assert replaced.triple == wrote.triple
    assert (replaced.version, kg.relationships.get(wrote.id)) == (2, replaced)
    assert actions(kg, wrote.id) == [ChangeAction.CREATED, ChangeAction.UPDATED]


@pytest.mark.parametrize(
    ("patch", "field", "value"),
    [
        ({"name": "Ada"}, "name", "Ada"),
        ({"confidence": None}, "confidence", None),
        ({"key": None}, "key", None),
        ({"aliases": None}, "aliases", ()),
        ({"aliases": ["Lady Ada"]}, "aliases", ("Lady Ada",)),
        ({"metadata": None}, "metadata", {}),
        ({"metadata": {"tags": None}}, "metadata", {"born": {"year": 1815, "city": "London"}}),
        ({"metadata": {"tags": ["c"], "born": None}}, "metadata", {"tags": ["c"]}),
        (
            {"metadata": {"born": {"city": None, "day": 10}}},
            "metadata",
            {"born": {"year": 1815, "day": 10}, "tags": ["a", "b"]},
        ),
    ],
)
def test_a_patch_of_an_entity_changes_what_it_names(
    kg: KnowledgeGraph, ada: Entity, patch: dict[str, Any], field: str, value: object
) -> None:
    """Null makes a field empty, lists are replaced, metadata is merged name by name, and the rest stays."""
    patched = kg.entities.patch(ada.id, patch)
    assert getattr(patched, field) == value
    for other in {"type", "name", "aliases", "key", "confidence", "source", "source_type", "metadata"} - {field}:
        assert getattr(patched, other) == getattr(ada, other)
    assert (patched.version, kg.entities.get(ada.id)) == (2, patched)
    assert actions(kg, ada.id) == [ChangeAction.CREATED, ChangeAction.UPDATED]


def test_a_patch_of_a_relationship_changes_what_it_names(kg: KnowledgeGraph, wrote: Relationship) -> None:
    """It may name the ends and the type too, as long as they stay what they are."""
    patch = {"confidence": None, "metadata": {"page": 3}, "relationship_type": "wrote"}
    patched = kg.relationships.patch(wrote.id, {**patch, "source_entity_id": str(wrote.source_entity_id)})
    assert (patched.confidence, patched.metadata, patched.source) == (None, {"year": 1843, "page": 3}, "p. 1")
    assert (patched.version, kg.relationships.get(wrote.id)) == (2, patched)


def test_what_changes_nothing_makes_no_version(kg: KnowledgeGraph, ada: Entity, wrote: Relationship) -> None:
    """An empty patch, one that repeats what is there, and a draft of the same are no changes."""
    same = EntityDraft(
        type="person",
        name="Ada Lovelace",
        aliases=["Countess"],  # type: ignore[arg-type]
        key="Q7259",
        confidence=0.98,
        source="https://example.org/ada",
        source_type="wiki",
        metadata={"born": {"year": 1815, "city": "London"}, "tags": ["a", "b"]},
    )
    assert kg.entities.replace(ada.id, same) == ada
    assert kg.entities.patch(ada.id, {}) == ada
    assert kg.entities.patch(ada.id, {"name": "Ada Lovelace", "metadata": {"absent": None}}) == ada
    assert kg.relationships.patch(wrote.id, {"metadata": {"year": 1843}}) == wrote
    fields = {"confidence": 0.9, "source": "p. 1", "source_type": "book", "metadata": {"year": 1843}}
    assert kg.relationships.replace(wrote.id, draft_of(wrote, **fields)) == wrote
    assert len(kg.changes(limit=200).items) == 3


def test_what_kgl_sets_may_come_along_unchanged(kg: KnowledgeGraph, ada: Entity, wrote: Relationship) -> None:
    """In a replacement as in a patch, in Python's values as in those of JSON."""
    for use_cases, record, names in ((kg.entities, ada, vars(ada)), (kg.relationships, wrote, vars(wrote))):
        whole: dict[str, Any] = {**names, "is_active": True}
        written = {
            **whole,
            "id": str(record.id),
            "created_at": record.created_at.isoformat(),
            "created_by": {"kind": "system", "id": None},
        }
        for mapping in (whole, written):
            assert use_cases.replace(record.id, mapping) == record
            assert use_cases.patch(record.id, mapping) == record
            for change in (use_cases.replace, use_cases.patch):
                with pytest.raises(InvalidInput) as caught:
                    change(record.id, {**mapping, "version": 2, "is_active": False})
                assert [fault.pointer for fault in caught.value.faults] == ["/version", "/is_active"]
    with pytest.raises(InvalidInput):
        kg.entities.replace(ada.id, "Ada")  # type: ignore[arg-type]


def test_a_patch_tells_one_from_true_in_metadata(kg: KnowledgeGraph, ada: Entity) -> None:
    """To Python 1 equals True and 1.0; to JSON they differ, and so the patch is a change."""
    kg.entities.patch(ada.id, {"metadata": {"n": 1}})
    patched = kg.entities.patch(ada.id, {"metadata": {"n": True}})
    assert patched.version == 3
    assert kg.entities.get(ada.id).metadata["n"] is True


@pytest.mark.parametrize(
    ("patch", "codes"),
    [
        ({"name": None}, ["required"]),
        ({"type": None, "name": None}, ["required", "required"]),
        ({"name": "", "confidence": 2}, ["blank", "out_of_range"]),
        ({"nmae": "Ada"}, ["unknown_field"]),
        ({"id": "x", "version": 3}, ["immutable", "immutable"]),
        ({"metadata": [1]}, ["not_an_object"]),
        ({"metadata": {"a": {"b": {"c": {"d": {"e": {}}}}}}}, ["too_deep"]),
        ({"metadata": {str(n): n for n in range(51)}}, ["too_many"]),
        ({"aliases": {"0": "Ada"}}, ["not_a_list"]),
    ],
)
def test_a_patch_that_breaks_rules_is_refused_with_every_fault(
    kg: KnowledgeGraph, ada: Entity, patch: dict[str, Any], codes: list[str]
) -> None:
    """What counts is the record that the patch would make; the one that is there stays as it was."""
    with pytest.raises(InvalidInput) as caught:
        kg.entities.patch(ada.id, patch)
    assert [fault.code for fault in caught.value.faults] == codes
    assert kg.entities.get(ada.id) == ada


@pytest.mark.parametrize("field", ["source_entity_id", "target_entity_id", "relationship_type", "key"])
def test_what_identifies_a_relationship_cannot_be_replaced_or_patched(
    kg: KnowledgeGraph, wrote: Relationship, field: str
) -> None:
    """Another end, type or key is refused, under the field's pointer, and nothing changes."""
    is_text = field in ("relationship_type", "key")
    other = "read" if is_text else str(kg.entities.create(type="person", name="Eve").id)
    with pytest.raises(InvalidInput) as patched:
        kg.relationships.patch(wrote.id, {field: other, "confidence": 0.1})
    ends = dict(zip(RELATIONSHIP.fixed, wrote.triple, strict=True))
    with pytest.raises(InvalidInput) as replaced:
        kg.relationships.replace(wrote.id, RelationshipDraft(**{**ends, field: other}))  # type: ignore[arg-type]
    for caught in (patched, replaced):
        assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [(f"/{field}", "immutable")]
    assert kg.relationships.get(wrote.id) == wrote


@pytest.mark.parametrize("other", ["second", None])
def test_the_key_of_a_relationship_stays(kg: KnowledgeGraph, wrote: Relationship, other: str | None) -> None:
    """It is neither changed nor taken away, whichever way; repeated, it is no change."""
    first = kg.relationships.create(wrote.source_entity_id, "wrote", wrote.target_entity_id, key="first")
    for change in (
        lambda: kg.relationships.patch(first.id, {"key": other}),
        lambda: kg.relationships.replace(first.id, draft_of(first, key=other)),
    ):
        with pytest.raises(InvalidInput) as caught:
            change()
        assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [("/key", "immutable")]
    assert kg.relationships.patch(first.id, {"key": "first"}) == kg.relationships.get(first.id) == first


def test_a_key_that_is_taken_is_refused(kg: KnowledgeGraph, ada: Entity) -> None:
    """Both ways of changing keep keys unique among the active."""
    eve = kg.entities.create(type="person", name="Eve")
    with pytest.raises(AlreadyExists):
        kg.entities.patch(eve.id, {"key": "Q7259"})
    with pytest.raises(AlreadyExists):
        kg.entities.replace(eve.id, EntityDraft(type="person", name="Eve", key="Q7259"))
    assert kg.entities.get(eve.id) == eve


@pytest.mark.parametrize("way", ["replace", "patch"])
def test_a_change_of_what_is_missing_deleted_or_stale_says_so(
    kg: KnowledgeGraph, ada: Entity, wrote: Relationship, way: str
) -> None:
    """NotFound, StaleVersion and Deleted, the last also where the version is stale as well."""

    def change_entity(id: UUID, version: int | None = None) -> Entity:
        if way == "patch":
            return kg.entities.patch(id, {"name": "Eve"}, expected_version=version)
        return kg.entities.replace(id, EntityDraft(type="person", name="Eve"), expected_version=version)

    def change_relationship(id: UUID, version: int | None = None) -> Relationship:
        if way == "patch":
            return kg.relationships.patch(id, {"confidence": 0.1}, expected_version=version)
        return kg.relationships.replace(id, draft_of(wrote), expected_version=version)

    for change, id in ((change_entity, ada.id), (change_relationship, wrote.id)):
        with pytest.raises(NotFound):
            change(NOWHERE)
        with pytest.raises(StaleVersion) as caught:
            change(id, 7)
        assert (caught.value.expected, caught.value.current) == (7, 1)
        assert change(id, 1).version == 2
    kg.entities.delete(ada.id)
    for change, id in ((change_entity, ada.id), (change_relationship, wrote.id)):
        for version in (None, 1, 3):
            with pytest.raises(Deleted):
                change(id, version)


def test_who_may_not_change_a_record_is_not_told_whether_it_has_changed(kg: KnowledgeGraph, ada: Entity) -> None:
    """Permission comes before preconditions (RFC 9110, section 13.2.1)."""
    eve = kg.acting_as(kg.users.create(email="eve@example.org", password="correct horse battery"))
    with pytest.raises(PermissionDenied):
        eve.entities.patch(ada.id, {"name": "Eve"}, expected_version=7)
    with pytest.raises(PermissionDenied):
        eve.entities.replace(ada.id, EntityDraft(type="person", name="Eve"))
    own = eve.entities.create(type="person", name="Eve")
    assert eve.entities.patch(own.id, {"name": "Eva"}).name == "Eva"


def test_what_is_stored_may_be_sent_back_whatever_today_s_rules_say(store: Store) -> None:
    """A name from before them stays when the whole record is sent back; another such name is refused."""
    kg = graph_on(store)
    old = entity("\u3000", aliases=("\u2028",))
    with store.begin() as uow:
        uow.entities.add([old])
        uow.changes.append([created(old)])
        uow.commit()
    whole = {"type": old.type, "name": old.name, "aliases": list(old.aliases), "confidence": 0.5}
    for number, change in enumerate((kg.entities.replace, kg.entities.patch)):
        changed = change(old.id, {**whole, "confidence": number / 2})
        assert (changed.name, changed.confidence, changed.version) == (old.name, number / 2, number + 2)
        with pytest.raises(InvalidInput) as refused:
            change(old.id, {**whole, "name": "\u2003"})
        assert [fault.pointer for fault in refused.value.faults] == ["/name"]
    assert kg.entities.get(old.id).version == 3
