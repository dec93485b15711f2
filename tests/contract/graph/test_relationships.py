"""What every `RelationshipRepository` promises, besides what all repositories do."""

import pytest

from kgl_core import SYSTEM, AlreadyExists, NotFound, RelationshipFilter
from kgl_core.graph.entities import Entity
from kgl_core.kernel.units_of_work import Store
from tests.contract.samples import NOON, SECOND, changed, deleted, entity, keep, new_id, relationship


@pytest.fixture
def people(store: Store) -> list[Entity]:
    """Four entities in the store."""
    found = [entity(name) for name in ("a", "b", "c", "d")]
    keep(store, *found)
    return found


def listed(store: Store, sort: str = "created_at", **fields: object) -> list[str]:
    """The sources (``source``) of the relationships that a filter admits, checked against their count."""
    wanted = RelationshipFilter(**fields)
    with store.read() as uow:
        found = [each.source or "" for each in uow.relationships.list(wanted, sort, None, 100)]
        assert uow.relationships.count(wanted) == len(found)
    return found


def test_absence_is_no_error(store: Store) -> None:
    """An entity that is not there has no relationships."""
    with store.begin() as uow:
        assert list(uow.relationships.touching(new_id(), 5)) == []
        assert uow.relationships.joined([]) == uow.relationships.joined([new_id(), new_id()]) == set()
        assert list(uow.relationships.restorable_with(new_id(), None, 5)) == []


def test_a_triple_has_a_direction_and_a_type(store: Store, people: list[Entity]) -> None:
    """So there may be one each way, and one of each type, and each is found alone."""
    a, b, c, _ = people
    rows = [relationship(a, b), relationship(b, a), relationship(a, b, relationship_type="likes"), relationship(b, c)]
    keep(store, *rows)
    with store.begin() as uow:
        for row in rows:
            assert list(uow.relationships.find([], [row.triple, (c.id, "knows", b.id, None)])) == [row]
            assert uow.relationships.get_by(row.triple) == row
        assert uow.relationships.get_by((c.id, "knows", b.id, None)) is None


def test_touching_gives_the_active_at_either_end_by_id(store: Store, people: list[Entity]) -> None:
    """Both directions, never the deleted, ordered by id, no more than asked for."""
    a, b, c, d = people
    mine = [relationship(a, b), relationship(b, a), relationship(a, c), relationship(d, a)]
    keep(store, *mine, relationship(b, c), deleted(relationship(a, d)))
    expected = sorted(mine, key=lambda each: each.id)
    with store.begin() as uow:
        assert list(uow.relationships.touching(a.id, 100)) == expected
        assert list(uow.relationships.touching(a.id, 2)) == expected[:2]


def test_joined_gives_those_that_an_active_relationship_has(store: Store, people: list[Entity]) -> None:
    """At either end, one or many at once; the ends of deleted ones are not joined."""
    a, b, c, d = people
    keep(store, relationship(a, b), relationship(a, b, relationship_type="likes"), deleted(relationship(c, d)))
    with store.begin() as uow:
        assert uow.relationships.joined([each.id for each in people]) == {a.id, b.id}
        assert [uow.relationships.joined([each.id]) for each in (b, c)] == [{b.id}, set()]


def test_restorable_with_gives_what_deletions_of_entities_took(store: Store, people: list[Entity]) -> None:
    """At either end of the entity, whichever entity's deletion it was; not what was deleted for itself."""
    a, b, c, d = people
    mine = [
        deleted(relationship(a, b), deleted_with=a.id),
        deleted(relationship(c, a), deleted_with=c.id),
        deleted(relationship(a, b), deleted_with=b.id),
        deleted(relationship(d, a), deleted_with=a.id),
    ]
    keep(store, *mine, deleted(relationship(a, c)), relationship(a, d), deleted(relationship(b, c), deleted_with=b.id))
    expected = sorted(mine, key=lambda each: each.id)
    with store.begin() as uow:
        assert list(uow.relationships.restorable_with(a.id, None, 100)) == expected
        assert list(uow.relationships.restorable_with(a.id, None, 3)) == expected[:3]
        assert list(uow.relationships.restorable_with(a.id, expected[1].id, 100)) == expected[2:]


def test_a_unit_of_work_sees_what_it_wrote(store: Store, people: list[Entity]) -> None:
    """Adding and replacing show at once at the ends."""
    a, b, *_ = people
    one = relationship(a, b)
    with store.begin() as uow:
        uow.relationships.add([one])
        assert list(uow.relationships.touching(a.id, 5)) == [one]
        gone = deleted(one, deleted_with=a.id)
        uow.relationships.replace([gone])
        assert list(uow.relationships.touching(a.id, 5)) == []
        assert list(uow.relationships.restorable_with(b.id, None, 5)) == [gone]


@pytest.mark.parametrize("missing", ["source", "target"])
def test_add_keeps_all_or_none(store: Store, people: list[Entity], missing: str) -> None:
    """Where an end of one of several is missing, none is kept, even by a unit of work that commits after that."""
    a, b, c, _ = people
    ends = (entity("stranger"), b) if missing == "source" else (a, entity("stranger"))
    with store.begin() as uow:
        with pytest.raises(NotFound):
            uow.relationships.add([relationship(b, c), relationship(*ends), relationship(c, b)])
        uow.commit()
    with store.read() as uow:
        assert uow.relationships.count(RelationshipFilter(is_active=None)) == 0


def test_add_refuses_an_end_that_does_not_exist(store: Store, people: list[Entity]) -> None:
    """Alone as among several, at either end, the error names the kind; a deleted end does exist."""
    a, b, *_ = people
    stranger = entity("stranger")
    for one in (relationship(stranger, a), relationship(a, stranger)):
        for several in ([one], [relationship(a, b), one]):
            with store.begin() as uow, pytest.raises(NotFound) as refused:
                uow.relationships.add(several)
            assert refused.value.kind == "entity"
    gone = deleted(entity("gone"))
    keep(store, gone)
    keep(store, deleted(relationship(gone, a), deleted_with=gone.id))


def test_add_takes_an_end_of_the_same_unit_of_work(store: Store) -> None:
    """Entities and the relationships between them can be new together."""
    a, b = entity("a"), entity("b")
    with store.begin() as uow:
        uow.entities.add([a, b])
        uow.relationships.add([relationship(a, b), relationship(b, a)])
        uow.commit()
    with store.read() as uow:
        assert uow.relationships.count(RelationshipFilter()) == 2


def test_filters_admit_what_they_say(store: Store, people: list[Entity]) -> None:
    """Each filter alone and with others: bounds of confidence are inclusive, unknown is within none."""
    a, b, c, d = people
    keep(
        store,
        relationship(a, b, source="1", confidence=0.25, source_type="t1"),
        relationship(b, a, source="2", confidence=0.5, created_at=NOON + SECOND),
        relationship(a, c, source="3", relationship_type="likes", created_at=NOON + 2 * SECOND),
        deleted(relationship(a, b, source="4", created_at=NOON + 3 * SECOND)),
    )
    assert listed(store) == ["1", "2", "3"]
    assert listed(store, entity_id=b.id) == ["1", "2"]
    assert listed(store, entity_id=d.id) == []
    assert listed(store, source_entity_id=a.id) == ["1", "3"]
    assert listed(store, target_entity_id=a.id) == ["2"]
    assert listed(store, source_entity_id=a.id, target_entity_id=c.id) == ["3"]
    assert listed(store, entity_id=b.id, source_entity_id=a.id, is_active=None) == ["1", "4"]
    assert listed(store, relationship_type="likes") == ["3"]
    assert listed(store, relationship_type=["likes", "knows"]) == ["1", "2", "3"]
    assert listed(store, min_confidence=0.25) == ["1", "2"]
    assert listed(store, min_confidence=0.3) == ["2"]
    assert listed(store, max_confidence=0.25) == ["1"]
    assert listed(store, source="2") == ["2"]
    assert listed(store, source_type="t1") == ["1"]
    assert listed(store, entity_id=b.id, created_after=NOON) == ["2"]


@pytest.mark.parametrize("count", [1, 3])
def test_mark_keeps_a_deletion_and_a_restoration(store: Store, people: list[Entity], count: int) -> None:
    """Of several at once, as the next versions; all else stays as it is."""
    a, b, c, _ = people
    kept = [
        relationship(a, b, metadata={"page": 1}),
        relationship(b, a, version=3, confidence=0.5),
        relationship(b, c, source="book"),
    ]
    keep(store, *kept)
    told = {"deleted_at": NOON + SECOND, "deleted_by": SYSTEM, "deleted_with": a.id, "updated_at": NOON + SECOND}
    gone = [changed(each, **told) for each in kept[:count]]
    back = [
        changed(each, deleted_at=None, deleted_by=None, deleted_with=None, updated_at=NOON + 2 * SECOND)
        for each in gone
    ]
    for versions in (gone, back):
        with store.begin() as uow:
            uow.relationships.mark(versions)
            uow.commit()
        with store.read() as uow:
            assert [uow.relationships.get(each.id) for each in kept] == [*versions, *kept[count:]]


def test_mark_keeps_all_or_none(store: Store, people: list[Entity]) -> None:
    """Where one is not there, or its triple is taken, even by a unit of work that commits after that."""
    a, b, *_ = people
    gone, other, taken = deleted(relationship(a, b)), deleted(relationship(b, a)), relationship(b, a)
    keep(store, gone, other, taken)
    back = [changed(each, deleted_at=None, deleted_by=None) for each in (gone, other)]
    for versions, error in (
        (back, AlreadyExists),
        ([back[0], changed(relationship(a, b))], NotFound),
        ([changed(relationship(a, b))], NotFound),
    ):
        with store.begin() as uow:
            with pytest.raises(error):
                uow.relationships.mark(versions)
            uow.relationships.mark([])
            uow.commit()
        with store.read() as uow:
            assert uow.relationships.get(gone.id) == gone
