"""Relationships with a key, so that there can be several of one triple, and of an entity with itself."""

from typing import Any

import pytest

from kgl_core import AlreadyExists, Entity, KnowledgeGraph
from tests.contract.samples import ids_of
from tests.contract.storage.test_loading import counts, refused


@pytest.fixture
def ends(kg: KnowledgeGraph) -> tuple[Entity, Entity]:
    """Two entities."""
    return (
        kg.entities.create(type="person", name="Ada", key="ada"),
        kg.entities.create(type="organization", name="Engine Works", key="works"),
    )


def line(source: str = "ada", target: str = "works", /, **fields: Any) -> dict[str, Any]:
    """A relationship's record."""
    ends = {"source_entity_key": source, "target_entity_key": target}
    return {"kind": "relationship", "relationship_type": "worked_at", **ends, **fields}


def test_a_key_tells_relationships_of_one_triple_apart(kg: KnowledgeGraph, ends: tuple[Entity, Entity]) -> None:
    """Each key is taken once among the active, and so is having none; the error names who has it."""
    ada, works = ends
    made = [kg.relationships.create(ada.id, "worked_at", works.id, key=key) for key in (None, "a", "b", "A")]
    for one in made:
        with pytest.raises(AlreadyExists) as taken:
            kg.relationships.create(ada.id, "worked_at", works.id, key=one.key)
        assert (taken.value.field, taken.value.holder) == ("triple", one.id)
        assert str(taken.value.value).split()[3:] == ([] if one.key is None else [one.key])
    assert ids_of(kg.relationships.list(entity_id=ada.id).items) == ids_of(made)
    assert kg.relationships.count(source_entity_id=ada.id, target_entity_id=works.id) == 4
    assert kg.check().is_clean


@pytest.mark.parametrize("key", [None, "a"])
def test_one_of_them_is_deleted_and_restored(kg: KnowledgeGraph, ends: tuple[Entity, Entity], key: str | None) -> None:
    """Another with the same key is in its way, others are not; with an end, each comes back or stays by its key."""
    ada, works = ends
    first = kg.relationships.create(ada.id, "worked_at", works.id, key=key)
    other = kg.relationships.create(ada.id, "worked_at", works.id, key="other")
    kg.relationships.delete(first.id)
    assert kg.relationships.restore(first.id).is_active
    kg.relationships.delete(first.id)
    second = kg.relationships.create(ada.id, "worked_at", works.id, key=key)
    with pytest.raises(AlreadyExists) as taken:
        kg.relationships.restore(first.id)
    assert (taken.value.field, taken.value.holder) == ("triple", second.id)
    kg.entities.delete(works.id)
    back = kg.entities.restore(works.id)
    assert set(back.relationships) == {second.id, other.id}
    kg.relationships.delete(second.id)
    assert kg.relationships.restore(first.id).key == key
    assert kg.check().is_clean


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_load_finds_the_one_that_a_line_names(kg: KnowledgeGraph, ends: tuple[Entity, Entity], dry_run: bool) -> None:
    """By its ends, type and key; a line without a key names the one without, one with an id may leave the key out."""
    ada, works = ends
    bare, a = (kg.relationships.create(ada.id, "worked_at", works.id, key=key) for key in (None, "a"))
    gone = kg.relationships.create(ada.id, "worked_at", works.id, key="gone")
    kg.relationships.delete(gone.id)
    summary = kg.load(
        [
            line(confidence=0.1),
            line(key="a", confidence=0.2),
            line(key="b"),
            line(key="a", id=str(a.id), source="s"),
            line(id=str(a.id), source_type="t"),
            line(id=str(a.id), key="b"),
            line(id=str(bare.id), key="a"),
            line(id=str(a.id), key=None),
            line(key="gone"),
            line(key="gone", is_active=False),
            line(key="b"),
        ],
        dry_run=dry_run,
    )
    assert counts(summary) == (1, 4, 2, 4)
    codes = ["triple_taken", "triple_taken", "triple_taken", "deleted"]
    assert refused(summary) == list(zip((6, 7, 8, 9), codes, strict=True))
    now_a, now_bare = kg.relationships.get(a.id), kg.relationships.get(bare.id)
    if dry_run:
        assert (now_a, now_bare, kg.relationships.count()) == (a, bare, 2)
        return
    assert (now_a.key, now_a.confidence, now_a.source, now_a.source_type) == ("a", 0.2, "s", "t")
    assert (now_bare.key, now_bare.confidence, now_bare.version) == (None, 0.1, 2)
    assert kg.relationships.count() == 3


@pytest.mark.parametrize("other", ["b", None])
def test_a_load_changes_no_key(kg: KnowledgeGraph, ends: tuple[Entity, Entity], other: str | None) -> None:
    """Neither to another nor to none: a relationship with another key is another relationship."""
    ada, works = ends
    made = kg.relationships.create(ada.id, "worked_at", works.id, key="a")
    summary = kg.load([line(id=str(made.id), key=other, confidence=0.5)])
    assert refused(summary) == [(1, "ends_changed")]
    assert kg.relationships.get(made.id) == made


def test_an_entity_has_a_relationship_with_itself(kg: KnowledgeGraph, ends: tuple[Entity, Entity]) -> None:
    """It is created, listed once from each side, deleted, restored, taken along, loaded, dumped and checked."""
    ada, _ = ends
    cites = kg.relationships.create(ada.id, "cites", ada.id, valid_from="1843")
    with pytest.raises(AlreadyExists):
        kg.relationships.create(ada.id, "cites", ada.id)
    for filter in ("entity_id", "source_entity_id", "target_entity_id"):
        side: dict[str, Any] = {filter: ada.id}
        assert kg.relationships.list(**side).items == (cites,)
        assert kg.relationships.count(**side) == 1
    kg.relationships.delete(cites.id)
    assert kg.relationships.restore(cites.id).version == 3
    kg.entities.delete(ada.id)
    gone = kg.relationships.get(cites.id, include_deleted=True)
    assert (gone.deleted_with, gone.version) == (ada.id, 4)
    assert kg.entities.restore(ada.id).relationships == (cites.id,)
    named = line("ada", "ada") | {"relationship_type": "cites"}
    assert counts(kg.load([named, {**named, "key": "again"}])) == (1, 0, 1, 0)
    assert counts(kg.load(list(kg.dump()))) == (0, 0, 4, 0)
    assert kg.relationships.count(entity_id=ada.id) == 2
    assert kg.check().is_clean
