"""What every `EntityRepository` promises."""

from datetime import UTC, datetime, timedelta

import pytest

from kgl_core import SYSTEM, Actor, ActorKind, AlreadyExists, EntityFilter, NotFound, Role, StaleVersion
from kgl_core.graph.entities import ENTITY, End, Entity
from kgl_core.kernel.nouns.pages import Position
from kgl_core.kernel.units_of_work import Store
from tests.contract.samples import NOON, SECOND, changed, deleted, entity, ids_of, keep, new_id

ADA = Actor(ActorKind.USER, "ada", Role.USER)


def listed(store: Store, sort: str = "created_at", **fields: object) -> list[str]:
    """The names of the entities that a filter admits, checked against their count."""
    wanted = EntityFilter(**fields)
    with store.read() as uow:
        names = [found.name for found in uow.entities.list(wanted, sort, None, 100)]
        assert uow.entities.count(wanted) == len(names)
    return names


def test_an_entity_comes_back_as_it_was_kept(store: Store) -> None:
    """Every field survives, times to the microsecond and in UTC."""
    full = entity(
        type="Person:v2",
        name="Ada Lovelace",
        aliases=("Countess", "Ada King"),
        key="Q7259",
        confidence=0.1 + 0.2,
        source="https://example.org/a?b=c#d",
        source_type="wiki",
        metadata={"born": 1815, "tags": ["a", {"b": None}], "alive": False},
        created_by=ADA,
        created_at=NOON,
        updated_at=NOON + timedelta(microseconds=1),
        version=7,
        deleted_at=datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        deleted_by=Actor(ActorKind.SERVICE, "extractor:eu"),
    )
    keep(store, full)
    with store.read() as uow:
        found = uow.entities.get(full.id)
    assert found == full
    assert found is not None
    assert found.created_at.utcoffset() == timedelta(0)
    assert (type(found.confidence), type(found.aliases), type(found.metadata)) == (float, tuple, dict)


def test_an_absent_entity_is_none(store: Store) -> None:
    """Absence is no error, neither by id nor by key."""
    with store.read() as uow:
        assert uow.entities.get(new_id()) is None
        assert uow.entities.get_by("nobody") is None
        assert list(uow.entities.find([new_id()], ["nobody"])) == []
        assert list(uow.entities.find([], [])) == []
        assert list(uow.entities.ends([], [])) == []
        assert list(uow.entities.scan(None, 10)) == []
        assert uow.entities.count_by_type() == {}


def test_get_finds_the_deleted_and_get_by_key_only_the_active(store: Store) -> None:
    """A deleted entity keeps its id; its key is free for others."""
    gone, here = deleted(entity("gone", key="k")), entity("here", key="k")
    keep(store, gone)
    with store.read() as uow:
        assert uow.entities.get(gone.id) == gone
        assert uow.entities.get_by("k") is None
    keep(store, here)
    with store.read() as uow:
        assert uow.entities.get_by("k") == here


def test_keys_are_compared_exactly(store: Store) -> None:
    """Case, accents and normalization forms tell keys apart."""
    spellings = ["key", "KEY", "Key ", "kéy", "ke\u0301y"]
    keep(store, *(entity(key=spelling) for spelling in spellings))
    with store.read() as uow:
        assert [found and found.key for found in map(uow.entities.get_by, spellings)] == spellings


@pytest.mark.parametrize("lock", [None, "share", "update"])
def test_find_gives_each_entity_once_however_it_is_named(store: Store, lock: str | None) -> None:
    """Ids and keys together, active and deleted, without repeats; what does not exist is absent."""
    one, two, other = entity(key="one"), entity(key="two"), entity(key="other")
    ghosts = [deleted(entity("ghost", key="two")) for _ in range(3)]
    keep(store, one, *ghosts, two, other)
    with store.begin() as uow:
        found = uow.entities.find([one.id, ghosts[0].id, new_id()], ["one", "two", "absent"], lock=lock)
    assert sorted(ids_of(found)) == sorted(ids_of([one, two, *ghosts]))
    assert {each.id: each for each in found} == {each.id: each for each in [one, two, *ghosts]}


def test_find_takes_many_values(store: Store) -> None:
    """More ids and keys than one statement would list."""
    many = [entity(key=f"k{number}") for number in range(1201)]
    with store.begin() as uow:
        uow.entities.add(many)
        uow.commit()
    with store.read() as uow:
        assert len(uow.entities.find(ids_of(many), [each.key or "" for each in many])) == 1201
        assert len(uow.entities.ends((), [each.key or "" for each in many])) == 1201


def test_ends_tell_id_key_and_activity(store: Store) -> None:
    """What a relationship has to know of its ends, of active and deleted ones."""
    here, gone = entity(key="here"), deleted(entity(key="gone"))
    keep(store, here, gone)
    with store.begin() as uow:
        ends = uow.entities.ends([here.id, gone.id, new_id()], ["here", "gone", "absent"])
    assert sorted(ends) == sorted([End(here.id, "here", True), End(gone.id, "gone", False)])
    assert all(type(end.is_active) is bool for end in ends)


def test_a_unit_of_work_sees_what_it_wrote(store: Store) -> None:
    """Adding and replacing show at once, to every method of the same unit of work."""
    one = entity(key="k")
    with store.begin() as uow:
        uow.entities.add([one])
        assert uow.entities.get(one.id) == one
        renamed = changed(one, name="Grace", key="g")
        uow.entities.replace([renamed])
        assert uow.entities.get_by("k") is None
        assert uow.entities.get_by("g") == renamed
        assert list(uow.entities.find([one.id], lock="update")) == [renamed]
        assert list(uow.entities.ends([one.id])) == [End(one.id, "g", True)]
        assert list(uow.entities.list(EntityFilter(), "name", None, 5)) == [renamed]
        assert list(uow.entities.scan(None, 5)) == [renamed]
        assert (uow.entities.count(EntityFilter()), uow.entities.count_by_type()) == (1, {"person": 1})
        uow.entities.replace([deleted(renamed)])
        assert (uow.entities.count(EntityFilter()), uow.entities.count_deleted()) == (0, 1)


def test_add_refuses_a_taken_id(store: Store) -> None:
    """An id belongs to one entity for good, also when that was deleted."""
    here, gone = entity(), deleted(entity())
    keep(store, here, gone)
    for taken in (here, gone):
        with store.begin() as uow, pytest.raises(AlreadyExists) as refused:
            uow.entities.add([entity(id=taken.id)])
        assert (refused.value.kind, refused.value.field) == ("entity", "id")


def test_add_refuses_a_taken_key(store: Store) -> None:
    """One active entity holds a key; the deleted may share it."""
    keep(store, entity(key="k"))
    with store.begin() as uow, pytest.raises(AlreadyExists) as refused:
        uow.entities.add([entity(key="k")])
    assert (refused.value.kind, refused.value.field) == ("entity", "key")
    keep(store, deleted(entity(key="k")), deleted(entity(key="k")), entity(key=None), entity(key=None))


@pytest.mark.parametrize("same", ["id", "key"])
def test_add_finds_repeats_among_the_new(store: Store, same: str) -> None:
    """Two new entities with one id or one key are refused as one with a kept one would be."""
    one = entity(key="k")
    other = entity(key="other", id=one.id) if same == "id" else entity(key="k")
    with store.begin() as uow, pytest.raises(AlreadyExists) as refused:
        uow.entities.add([one, other])
    assert refused.value.field == same
    with store.read() as uow:
        assert list(uow.entities.scan(None, 10)) == []


def test_add_keeps_all_or_none(store: Store) -> None:
    """Where one of several is refused, none is kept, even by a unit of work that commits after that."""
    keep(store, entity(key="taken"))
    several = [entity(key="free"), entity(key="taken"), entity(key="also free")]
    with store.begin() as uow:
        with pytest.raises(AlreadyExists):
            uow.entities.add(several)
        uow.commit()
    with store.read() as uow:
        assert list(uow.entities.find(ids_of(several))) == []


def test_adding_none_is_nothing(store: Store) -> None:
    """Empty lists pass through every writing method."""
    with store.begin() as uow:
        uow.entities.add([])
        uow.entities.replace([])
        uow.commit()


def test_replace_keeps_the_new_version(store: Store) -> None:
    """All but id and creation may change; others are untouched."""
    one, other = entity("one"), entity("other")
    keep(store, one, other)
    new = changed(
        one,
        type="machine",
        name="Engine",
        aliases=("x",),
        key="k",
        confidence=1.0,
        source="s",
        source_type="t",
        metadata={"a": 1},
        updated_at=NOON + SECOND,
    )
    with store.begin() as uow:
        uow.entities.replace([new])
        uow.commit()
    with store.read() as uow:
        assert list(uow.entities.find([one.id])) == [new]
        assert list(uow.entities.find([other.id])) == [other]


def test_replace_refuses_a_version_that_is_not_later(store: Store) -> None:
    """The stored version must be lower; the error says which record, what was expected and what there is."""
    fresh, stale = entity("fresh"), entity("stale", version=3)
    keep(store, fresh, stale)
    for version in (2, 3):
        late = entity("late", id=stale.id, version=version)
        with store.begin() as uow, pytest.raises(StaleVersion) as refused:
            uow.entities.replace([changed(fresh), late])
        error = refused.value
        assert (error.kind, error.id, error.expected, error.current) == ("entity", stale.id, version - 1, 3)


def test_replace_keeps_all_or_none(store: Store) -> None:
    """Where one of several is stale or takes a key, none is kept, even by a unit of work that commits after that."""
    fresh, stale, holder = entity("fresh"), entity("stale", version=3), entity(key="taken")
    keep(store, fresh, stale, holder)
    for bad in (changed(fresh, id=stale.id), changed(stale, key="taken")):
        with store.begin() as uow:
            with pytest.raises((StaleVersion, AlreadyExists)):
                uow.entities.replace([changed(fresh, name="renamed"), bad])
            uow.commit()
        with store.read() as uow:
            assert uow.entities.get(fresh.id) == fresh


def test_replace_refuses_a_taken_key(store: Store) -> None:
    """A key can be taken neither by an update nor by a restoration while an active entity holds it."""
    one, gone = entity(), deleted(entity(key="k"))
    keep(store, one, gone, entity(key="k"))
    for late in (changed(one, key="k"), changed(gone, deleted_at=None, deleted_by=None)):
        with store.begin() as uow, pytest.raises(AlreadyExists) as refused:
            uow.entities.replace([late])
        assert (refused.value.kind, refused.value.field) == ("entity", "key")


def test_replace_of_an_unknown_entity_is_not_found(store: Store) -> None:
    """What was never kept has no next version."""
    with store.begin() as uow, pytest.raises(NotFound):
        uow.entities.replace([changed(entity())])


def test_a_freed_key_can_be_taken_in_the_same_unit_of_work(store: Store) -> None:
    """Deleting or renaming frees a key at once."""
    one, two = entity(key="a"), entity(key="b")
    keep(store, one, two)
    late = [entity(key="a"), entity(key="b")]
    with store.begin() as uow:
        uow.entities.replace([deleted(one), changed(two, key=None)])
        uow.entities.add(late)
        uow.commit()
    with store.read() as uow:
        assert [uow.entities.get_by(key) for key in "ab"] == late


def test_filters_admit_what_they_say(store: Store) -> None:
    """Each filter alone: bounds of confidence are inclusive, bounds of time are exclusive, unknown is within none."""
    a = entity("a", type="person", confidence=0.25, source="s1", source_type="t1", created_at=NOON, updated_at=NOON)
    b = entity("b", type="place", confidence=0.5, source="s2", source_type="t2", created_at=NOON + SECOND)
    c = entity("c", type="Person", confidence=None, source="S1", created_at=NOON + 2 * SECOND, updated_at=NOON + SECOND)
    d = deleted(entity("d", type="person", confidence=0.25, created_at=NOON + 3 * SECOND))
    keep(store, a, b, c, d)
    assert listed(store) == ["a", "b", "c"]
    assert listed(store, is_active=False) == ["d"]
    assert listed(store, is_active=None) == ["a", "b", "c", "d"]
    assert listed(store, type="person") == ["a"]
    assert listed(store, type=["person", "place", "absent"]) == ["a", "b"]
    assert listed(store, type=["person", "place"], is_active=None) == ["a", "b", "d"]
    assert listed(store, min_confidence=0.25) == ["a", "b"]
    assert listed(store, min_confidence=0.26) == ["b"]
    assert listed(store, max_confidence=0.25) == ["a"]
    assert listed(store, min_confidence=0, max_confidence=1) == ["a", "b"]
    assert listed(store, min_confidence=0.9, max_confidence=0.1) == []
    assert listed(store, source="s1") == ["a"]
    assert listed(store, source_type="t2") == ["b"]
    assert listed(store, created_after=NOON) == ["b", "c"]
    assert listed(store, created_before=NOON + 2 * SECOND) == ["a", "b"]
    assert listed(store, created_after=NOON, created_before=NOON + 2 * SECOND) == ["b"]
    assert listed(store, updated_after=NOON) == ["c"]
    assert listed(store, updated_before=NOON + SECOND) == ["a", "b"]
    assert listed(store, type="person", source="s1", min_confidence=0.2, created_before=NOON + SECOND) == ["a"]
    assert listed(store, created_after=datetime.min.replace(tzinfo=UTC)) == ["a", "b", "c"]
    assert listed(store, created_before=datetime.max.replace(tzinfo=UTC)) == ["a", "b", "c"]


def test_names_sort_by_their_folded_form(store: Store) -> None:
    """Case and accents do not matter, code points do, whatever the database's own language is."""
    names = ["z", "Zoë", "ä", "A b", "a-b", "ß", "_", "9", "Ω", "日本", "\U0001f600", "\uff5e"]
    keep(store, *(entity(name) for name in names))
    expected = sorted(names, key=lambda name: entity(name).sort_name)
    assert listed(store, "name") == expected
    assert listed(store, "-name") == expected[::-1]


def some(count: int) -> list[Entity]:
    """Entities with many ties in all that listings sort by; every fifth is deleted, every third unsure."""
    return [
        entity(
            f"name {number % 4}",
            type="ab"[number % 2],
            confidence=None if number % 3 else 0.5,
            created_at=NOON + (number % 3) * SECOND,
            updated_at=NOON + (number % 5) * SECOND,
            deleted_at=NOON if number % 5 == 0 else None,
            deleted_by=SYSTEM if number % 5 == 0 else None,
        )
        for number in range(count)
    ]


def walk(store: Store, filter: EntityFilter, sort: str, limit: int) -> list[Entity]:
    """All pages, one after the other."""
    found: list[Entity] = []
    after: Position | None = None
    while True:
        with store.read() as uow:
            page = list(uow.entities.list(filter, sort, after, limit))
        assert len(page) <= limit
        found += page
        assert len(found) < 100, "the pages do not end"
        if len(page) < limit:
            return found
        after = (getattr(page[-1], ENTITY.sort_field(sort)), page[-1].id)


@pytest.mark.parametrize("sort", ENTITY.sort_rule.values)
def test_pages_follow_each_other_without_gap_or_repeat(store: Store, sort: str) -> None:
    """In every sort and both directions; ties are broken by id, in the direction of the sort."""
    rows = some(23)
    with store.begin() as uow:
        uow.entities.add(rows)
        uow.commit()
    field, is_descending = sort.removeprefix("-"), sort.startswith("-")
    for fields in ({}, {"is_active": None}, {"type": "a"}, {"type": ["a", "b"]}, {"min_confidence": 0.5}):
        wanted = EntityFilter(**fields)
        admitted = [
            row
            for row in rows
            if (wanted.is_active is None or row.is_active)
            and (not wanted.type or row.type in wanted.type)
            and (wanted.min_confidence is None or row.confidence is not None)
        ]
        expected = sorted(admitted, key=lambda row: (getattr(row, field), row.id), reverse=is_descending)
        for limit in (1, 4, 100):
            assert walk(store, wanted, sort, limit) == expected


@pytest.mark.parametrize("sort", ENTITY.sort_rule.values)
def test_pages_stay_right_while_rows_come_and_go(store: Store, sort: str) -> None:
    """What stays is seen once, though others come on both sides and the last item of a page itself is deleted."""
    rows = some(12)
    keep(store, *rows)
    field, is_descending = sort.removeprefix("-"), sort.startswith("-")
    wanted = EntityFilter(is_active=None)
    with store.read() as uow:
        page = list(uow.entities.list(wanted, sort, None, 5))
    place = (getattr(page[-1], field), page[-1].id)
    low = entity("aaa", created_at=NOON - SECOND, updated_at=NOON - SECOND)
    high = entity("zzz", created_at=NOON + 9 * SECOND, updated_at=NOON + 9 * SECOND)
    keep(store, low, high)
    with store.read() as uow:
        rest = list(uow.entities.list(wanted, sort, place, 100))
    ahead = low if is_descending else high
    expected = sorted([*rows, ahead], key=lambda row: (getattr(row, field), row.id), reverse=is_descending)
    assert page + rest == expected
    with store.begin() as uow:
        uow.entities.replace([deleted(page[-1], name="mmm", updated_at=NOON)])
        uow.commit()
    with store.read() as uow:
        again = uow.entities.list(EntityFilter(), sort, place, 100)
    assert ids_of(again) == [row.id for row in rest if row.is_active]


def test_counts_tell_the_active_by_type_and_the_deleted(store: Store) -> None:
    """Types come in order, the capital letters first; types that only deleted entities have do not come."""
    keep(store, entity(type="b"), entity(type="a"), entity(type="B"), entity(type="b"), deleted(entity(type="c")))
    with store.read() as uow:
        assert list(uow.entities.count_by_type().items()) == [("B", 1), ("a", 1), ("b", 2)]
        assert uow.entities.count_deleted() == 1
        assert uow.entities.count(EntityFilter(is_active=None)) == 5


def test_scan_goes_by_id_through_all(store: Store) -> None:
    """Active and deleted, in the order of ids, each once."""
    rows = some(17)
    with store.begin() as uow:
        uow.entities.add(rows)
        uow.commit()
    found: list[Entity] = []
    with store.snapshot() as uow:
        while page := uow.entities.scan(found[-1].id if found else None, 4):
            found += page
    assert found == sorted(rows, key=lambda row: row.id)


def test_what_a_caller_alters_later_is_not_altered_in_the_store(store: Store) -> None:
    """Neither what was handed in nor what was handed out shares its metadata with the store."""
    given = {"list": [1], "object": {"a": 1}}
    one = entity(metadata=given)
    keep(store, one)
    given["list"].append(2)  # type: ignore[attr-defined]
    with store.read() as uow:
        first = uow.entities.get(one.id)
        assert first is not None
        assert first.metadata == {"list": [1], "object": {"a": 1}}
        first.metadata["object"]["a"] = 2
        again = uow.entities.get(one.id)
        assert again is not None
        assert again.metadata == {"list": [1], "object": {"a": 1}}
