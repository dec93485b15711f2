"""What every `RelationshipRepository` promises."""

from datetime import timedelta

import pytest

from kgl_core import SYSTEM, Actor, ActorKind, AlreadyExists, NotFound, Relationship, RelationshipFilter, StaleVersion
from kgl_core.graph.entities import Entity
from kgl_core.graph.relationships import RELATIONSHIP
from kgl_core.kernel.nouns.pages import Position
from kgl_core.kernel.units_of_work import Store
from tests.contract.samples import NOON, SECOND, changed, deleted, entity, ids_of, keep, new_id, relationship


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


def test_a_relationship_comes_back_as_it_was_kept(store: Store, people: list[Entity]) -> None:
    """Every field survives, times to the microsecond and in UTC."""
    a, b, *_ = people
    full = relationship(
        a,
        b,
        relationship_type="works_with.2:x-y",
        confidence=1e-9,
        source="page 3, “quoted”",
        source_type="pdf",
        metadata={"quote": "line one\nline two", "n": [1, 2.5]},
        created_by=Actor(ActorKind.SERVICE, "ai"),
        updated_at=NOON + timedelta(microseconds=1),
        version=3,
        deleted_at=NOON + SECOND,
        deleted_by=SYSTEM,
        deleted_with=b.id,
    )
    keep(store, full)
    with store.read() as uow:
        found = uow.relationships.get(full.id)
    assert found == full
    assert found is not None
    assert found.updated_at.utcoffset() == timedelta(0)


def test_absence_is_no_error(store: Store) -> None:
    """What is not there is None, or no rows."""
    with store.begin() as uow:
        assert uow.relationships.get(new_id()) is None
        assert list(uow.relationships.find([new_id()], [(new_id(), "knows", new_id())])) == []
        assert list(uow.relationships.find([], [])) == []
        assert list(uow.relationships.touching(new_id(), 5)) == []
        assert list(uow.relationships.restorable_with(new_id(), None, 5)) == []
        assert list(uow.relationships.scan(None, 5)) == []
        assert uow.relationships.count_by_type() == {}


@pytest.mark.parametrize("lock", [None, "update"])
def test_find_gives_each_once_however_it_is_named(store: Store, people: list[Entity], lock: str | None) -> None:
    """Ids and triples together, active and deleted, without repeats; a triple has a direction and a type."""
    a, b, c, _ = people
    here, back, other = relationship(a, b), relationship(b, a), relationship(a, b, relationship_type="likes")
    ghosts = [deleted(relationship(a, b)), deleted(relationship(b, c)), deleted(relationship(b, c))]
    keep(store, here, back, other, *ghosts)
    triples = [here.triple, ghosts[1].triple, (c.id, "knows", b.id)]
    with store.begin() as uow:
        found = uow.relationships.find([here.id, ghosts[0].id, new_id()], triples, lock=lock)
        by_triple = uow.relationships.find([], [other.triple], lock=lock)
    assert sorted(ids_of(found)) == sorted(ids_of([here, *ghosts]))
    assert {each.id: each for each in found} == {each.id: each for each in [here, *ghosts]}
    assert list(by_triple) == [other]


def test_find_takes_many_values(store: Store) -> None:
    """More ids and triples than one statement would list."""
    hub, spokes = entity("hub"), [entity(f"{number}") for number in range(1101)]
    wheel = [relationship(hub, spoke) for spoke in spokes]
    with store.begin() as uow:
        uow.entities.add([hub, *spokes])
        uow.relationships.add(wheel)
        uow.commit()
    with store.read() as uow:
        assert len(uow.relationships.find(ids_of(wheel), [each.triple for each in wheel])) == 1101


def test_touching_gives_the_active_at_either_end_by_id(store: Store, people: list[Entity]) -> None:
    """Both directions, never the deleted, ordered by id, no more than asked for."""
    a, b, c, d = people
    mine = [relationship(a, b), relationship(b, a), relationship(a, c), relationship(d, a)]
    keep(store, *mine, relationship(b, c), deleted(relationship(a, d)))
    expected = sorted(mine, key=lambda each: each.id)
    with store.begin() as uow:
        assert list(uow.relationships.touching(a.id, 100)) == expected
        assert list(uow.relationships.touching(a.id, 2)) == expected[:2]
        counts = [uow.relationships.count_touching(a.id, most) for most in (1, 2, 3, 4, 100)]
        assert counts == [1, 2, 3, 4, 4]


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
    """Adding and replacing show at once, to every method of the same unit of work."""
    a, b, *_ = people
    one = relationship(a, b)
    with store.begin() as uow:
        uow.relationships.add([one])
        assert uow.relationships.get(one.id) == one
        assert list(uow.relationships.touching(a.id, 5)) == [one]
        gone = deleted(one, deleted_with=a.id)
        uow.relationships.replace([gone])
        assert list(uow.relationships.touching(a.id, 5)) == []
        assert list(uow.relationships.restorable_with(b.id, None, 5)) == [gone]
        assert list(uow.relationships.find([], [one.triple], lock="update")) == [gone]
        assert (uow.relationships.count_deleted(), uow.relationships.count(RelationshipFilter())) == (1, 0)
        uow.relationships.add([relationship(a, b)])
        assert uow.relationships.count_by_type() == {"knows": 1}


def test_add_refuses_a_taken_id(store: Store, people: list[Entity]) -> None:
    """An id belongs to one relationship for good."""
    a, b, c, _ = people
    one = deleted(relationship(a, b))
    keep(store, one)
    with store.begin() as uow, pytest.raises(AlreadyExists) as refused:
        uow.relationships.add([relationship(a, c, id=one.id)])
    assert (refused.value.kind, refused.value.field) == ("relationship", "id")


def test_add_refuses_a_taken_triple(store: Store, people: list[Entity]) -> None:
    """One active relationship has a source, type and target; the deleted may share them."""
    a, b, *_ = people
    keep(store, relationship(a, b))
    with store.begin() as uow, pytest.raises(AlreadyExists) as refused:
        uow.relationships.add([relationship(a, b)])
    assert (refused.value.kind, refused.value.field) == ("relationship", "triple")
    keep(store, *(deleted(relationship(a, b)) for _ in range(2)), relationship(b, a))


@pytest.mark.parametrize("bad", ["id", "triple", "source", "target"])
def test_add_keeps_all_or_none(store: Store, people: list[Entity], bad: str) -> None:
    """Where one of several is refused, none is kept, even by a unit of work that commits after that."""
    a, b, c, d = people
    here = relationship(a, b)
    keep(store, here)
    refused = {
        "id": relationship(c, d, id=here.id),
        "triple": relationship(a, b),
        "source": relationship(entity("stranger"), b),
        "target": relationship(a, entity("stranger")),
    }[bad]
    several = [relationship(b, c), refused, relationship(c, b)]
    with store.begin() as uow:
        with pytest.raises(NotFound if bad in ("source", "target") else AlreadyExists):
            uow.relationships.add(several)
        uow.commit()
    with store.read() as uow:
        assert uow.relationships.count(RelationshipFilter(is_active=None)) == 1


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


def test_replace_keeps_the_new_version(store: Store, people: list[Entity]) -> None:
    """All but id, ends, type and creation may change; others are untouched."""
    a, b, *_ = people
    one, other = relationship(a, b), relationship(b, a)
    keep(store, one, other)
    fields = {"confidence": 0.5, "source": "s", "source_type": "t", "metadata": {"x": [1]}, "updated_at": NOON + SECOND}
    new = changed(one, **fields, deleted_at=NOON, deleted_by=SYSTEM, deleted_with=a.id)
    with store.begin() as uow:
        uow.relationships.replace([new])
        uow.commit()
    with store.read() as uow:
        assert list(uow.relationships.find([one.id])) == [new]
        assert list(uow.relationships.find([other.id])) == [other]


def test_replace_refuses_a_version_that_is_not_later(store: Store, people: list[Entity]) -> None:
    """The stored version must be lower; the error says which record, what was expected and what there is."""
    a, b, *_ = people
    fresh, stale = relationship(a, b), relationship(b, a, version=3)
    keep(store, fresh, stale)
    with store.begin() as uow, pytest.raises(StaleVersion) as refused:
        uow.relationships.replace([changed(fresh), relationship(b, a, id=stale.id, version=3)])
    error = refused.value
    assert (error.kind, error.id, error.expected, error.current) == ("relationship", stale.id, 2, 3)


def test_replace_keeps_all_or_none(store: Store, people: list[Entity]) -> None:
    """Where one of several is refused, none is kept, even by a unit of work that commits after that."""
    a, b, *_ = people
    fresh, stale, gone = relationship(a, b), relationship(b, a, version=3), deleted(relationship(b, a))
    keep(store, fresh, stale, gone)
    for bad in (relationship(b, a, id=stale.id, version=1), changed(gone, deleted_at=None, deleted_by=None)):
        with store.begin() as uow:
            with pytest.raises((StaleVersion, AlreadyExists)):
                uow.relationships.replace([changed(fresh, source="new"), bad])
            uow.commit()
        with store.read() as uow:
            assert uow.relationships.get(fresh.id) == fresh


def test_replace_refuses_to_restore_where_the_triple_is_taken(store: Store, people: list[Entity]) -> None:
    """Two active relationships never have the same source, type and target."""
    a, b, *_ = people
    gone = deleted(relationship(a, b))
    keep(store, gone, relationship(a, b))
    with store.begin() as uow, pytest.raises(AlreadyExists) as refused:
        uow.relationships.replace([changed(gone, deleted_at=None, deleted_by=None)])
    assert (refused.value.kind, refused.value.field) == ("relationship", "triple")


def test_replace_of_an_unknown_relationship_is_not_found(store: Store, people: list[Entity]) -> None:
    """What was never kept has no next version."""
    with store.begin() as uow, pytest.raises(NotFound):
        uow.relationships.replace([changed(relationship(*people[:2]))])


def test_filters_admit_what_they_say(store: Store, people: list[Entity]) -> None:
    """Each filter alone: bounds of confidence are inclusive, bounds of time are exclusive, unknown is within none."""
    a, b, c, d = people
    keep(
        store,
        relationship(a, b, source="1", confidence=0.25, source_type="t1"),
        relationship(b, a, source="2", confidence=0.5, created_at=NOON + SECOND, updated_at=NOON + SECOND),
        relationship(a, c, source="3", relationship_type="likes", created_at=NOON + 2 * SECOND),
        deleted(relationship(a, b, source="4", created_at=NOON + 3 * SECOND)),
    )
    assert listed(store) == ["1", "2", "3"]
    assert listed(store, is_active=False) == ["4"]
    assert listed(store, is_active=None) == ["1", "2", "3", "4"]
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
    assert listed(store, created_after=NOON) == ["2", "3"]
    assert listed(store, created_before=NOON + 2 * SECOND) == ["1", "2"]
    assert listed(store, updated_after=NOON) == ["2"]
    assert listed(store, updated_before=NOON + SECOND) == ["1", "3"]


@pytest.mark.parametrize("sort", RELATIONSHIP.sort_rule.values)
def test_pages_follow_each_other_without_gap_or_repeat(store: Store, people: list[Entity], sort: str) -> None:
    """In every sort and both directions, under any filter; ties are broken by id, in the direction of the sort."""
    pairs = [(one, two) for one in people for two in people if one is not two]
    rows: list[Relationship] = [
        relationship(
            *pair,
            relationship_type=type,
            created_at=NOON + (number % 3) * SECOND,
            updated_at=NOON + (number % 5) * SECOND,
        )
        for number, (pair, type) in enumerate((pair, type) for pair in pairs for type in ("knows", "likes"))
    ]
    rows = [deleted(row) if number % 6 == 0 else row for number, row in enumerate(rows)]
    with store.begin() as uow:
        uow.relationships.add(rows)
        uow.commit()
    field, is_descending = sort.removeprefix("-"), sort.startswith("-")
    for fields in ({}, {"is_active": None}, {"entity_id": people[0].id}, {"relationship_type": "likes"}):
        wanted = RelationshipFilter(**fields)
        expected = sorted(
            (
                row
                for row in rows
                if (wanted.is_active is None or row.is_active)
                and (wanted.entity_id is None or wanted.entity_id in row.triple)
                and (not wanted.relationship_type or row.relationship_type == "likes")
            ),
            key=lambda row: (getattr(row, field), row.id),
            reverse=is_descending,
        )
        for limit in (3, 100):
            found: list[Relationship] = []
            after: Position | None = None
            page = None
            while page is None or len(page) == limit:
                with store.read() as uow:
                    page = list(uow.relationships.list(wanted, sort, after, limit))
                found += page
                assert len(found) < 100, "the pages do not end"
                after = (getattr(found[-1], field), found[-1].id)
            assert found == expected


def test_counts_tell_the_active_by_type_and_the_deleted(store: Store, people: list[Entity]) -> None:
    """Types come in order; types that only deleted relationships have do not come."""
    a, b, c, _ = people
    types = ("b", "B", "a")
    keep(
        store,
        *(relationship(a, b, relationship_type=type) for type in types),
        relationship(a, c, relationship_type="b"),
    )
    keep(store, deleted(relationship(a, b, relationship_type="x")))
    with store.read() as uow:
        assert list(uow.relationships.count_by_type().items()) == [("B", 1), ("a", 1), ("b", 2)]
        assert uow.relationships.count_deleted() == 1


def test_scan_goes_by_id_through_all(store: Store, people: list[Entity]) -> None:
    """Active and deleted, in the order of ids, each once."""
    a, b, *_ = people
    rows = [relationship(a, b), *(deleted(relationship(a, b)) for _ in range(10))]
    keep(store, *rows)
    found: list[Relationship] = []
    with store.snapshot() as uow:
        while page := uow.relationships.scan(found[-1].id if found else None, 4):
            found += page
    assert found == sorted(rows, key=lambda row: row.id)


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
