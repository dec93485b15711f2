"""When relationships hold: dates kept as they are written, lists and counts by them, and periods without a moment."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgl_core import InvalidCursor, InvalidInput, KnowledgeGraph, Relationship
from kgl_core.graph.relationships import RelationshipFilter
from kgl_core.kernel.periods import period_of
from kgl_core.kernel.units_of_work import Store
from tests.contract.samples import entity, graph_on, ids_of, keep, relationship
from tests.contract.storage.test_loading import counts, refused

DATES = (
    *("0001", "1994", "1994-05", "1994-05-17", "1994-05-18", "1994-12-31", "1995", "9999", "9999-12", "9999-12-31"),
    *("0001-01-01T00:00:00Z", "1994-05-17T00:00:00Z", "1994-05-17T08:30:00.000001Z", "1994-05-17T10:30:00+02:00"),
    *("1994-12-31T23:59:59.999999Z", "1995-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"),
)


def dated(kg: KnowledgeGraph, *periods: tuple[str | None, str | None], type: str = "owned_by") -> list[Relationship]:
    """Relationships of one entity that hold in these periods, each with another entity."""
    house = kg.entities.create(type="house", name="The house")
    owners = [kg.entities.create(type="person", name=f"{number}").id for number, _ in enumerate(periods)]
    return [
        kg.relationships.create(house.id, type, owner, valid_from=begin, valid_to=end)
        for owner, (begin, end) in zip(owners, periods, strict=True)
    ]


def valid(kg: KnowledgeGraph, valid_at: str, **filter: Any) -> list[Relationship]:
    """What a list holds that is valid then; a count says the same."""
    found = kg.relationships.list(valid_at=valid_at, **filter).items
    assert kg.relationships.count(valid_at=valid_at, **filter) == len(found)
    return list(found)


def test_owners_follow_each_other(kg: KnowledgeGraph) -> None:
    """One up to 2019, one in 2020, one from 2021 on: in each year, day and instant there is one."""
    fir, elm, oak = dated(kg, (None, "2019"), ("2020", "2020"), ("2021", None))
    for valid_at, owner in {
        "0001": fir,
        "1999": fir,
        "2019-12-31": fir,
        "2019-12-31T23:59:59.999999Z": fir,
        "2020": elm,
        "2020-01-01T00:00:00Z": elm,
        "2020-12-31": elm,
        "2020-12-31T23:59:59.999999Z": elm,
        "2020-12-31T23:59:59.999999-01:00": oak,
        "2021": oak,
        "2021-01-01": oak,
        "9999-12-31T23:59:59.999999Z": oak,
    }.items():
        assert valid(kg, valid_at) == [owner], valid_at
        assert valid(kg, valid_at, entity_id=owner.target_entity_id) == [owner]
        assert valid(kg, valid_at, relationship_type="rented_by") == []


def test_one_works_at_a_place_twice(kg: KnowledgeGraph) -> None:
    """Two periods of one triple, told apart by their keys."""
    [first] = dated(kg, ("2001", "2004"), type="worked_at")
    source, target = first.ends
    again = kg.relationships.create(source, "worked_at", target, key="since 2010", valid_from="2010")
    assert [valid(kg, year) for year in ("2000", "2002", "2007", "2012")] == [[], [first], [], [again]]
    assert valid(kg, "2002", is_active=None) == [first]
    kg.relationships.delete(again.id)
    assert valid(kg, "2012") == []
    assert ids_of(valid(kg, "2012", is_active=False)) == [again.id]


def test_an_end_is_excluded_if_it_is_an_instant(kg: KnowledgeGraph) -> None:
    """A day at the end belongs to the period; an instant is where it ends."""
    day, instant = dated(kg, (None, "2021-06-15"), (None, "2021-06-15T12:00:00Z"))
    assert valid(kg, "2021-06-15T11:59:59.999999Z") == [day, instant]
    assert valid(kg, "2021-06-15T12:00:00Z") == [day]
    assert valid(kg, "2021-06-15T14:00:00+02:00") == [day]
    assert valid(kg, "2021-06-15") == [day, instant]
    assert valid(kg, "2021-06-16T00:00:00Z") == []


def test_what_has_no_dates_always_holds(kg: KnowledgeGraph) -> None:
    """And without valid_at, all are listed, whenever they hold."""
    always, once = dated(kg, (None, None), ("1994-05-17", "1994-05-17"))
    for valid_at in DATES:
        assert always in valid(kg, valid_at)
    assert list(kg.relationships.list().items) == [always, once]


def test_pages_follow_each_other_at_one_date(kg: KnowledgeGraph) -> None:
    """A cursor goes on where it was, and belongs to its date."""
    made = dated(kg, *((f"{year}", f"{year + 4}") for year in range(1990, 2010)))
    expected = [one for one in made if one.valid_from is not None and "1996" <= one.valid_from <= "2000"]
    found: list[Relationship] = []
    cursor = None
    while True:
        page = kg.relationships.list(valid_at="2000", limit=2, cursor=cursor)
        found += page.items
        if page.next_cursor is None:
            break
        cursor = page.next_cursor
    assert found == expected
    for other in ({"valid_at": "2001"}, {}):
        with pytest.raises(InvalidCursor):
            kg.relationships.list(limit=2, cursor=cursor, **other)  # type: ignore[arg-type]


@given(
    periods=st.lists(st.tuples(*(st.sampled_from([None, *DATES]),) * 2), max_size=12), valid_at=st.sampled_from(DATES)
)
def test_every_store_finds_what_the_periods_say(
    store: Store, periods: list[tuple[str | None, str | None]], valid_at: str
) -> None:
    """At the edges of time as in its midst."""
    a, b = entity("A"), entity("B")
    drafts = [relationship(a, b, key=f"k{n}", valid_from=p[0], valid_to=p[1]) for n, p in enumerate(periods)]
    kept = [draft for draft in drafts if not draft.period.is_empty]
    keep(store, a, b, *kept)
    wanted, period = RelationshipFilter(valid_at=valid_at, entity_id=a.id), period_of(valid_at)
    assert period is not None
    with store.read() as uow:
        found = uow.relationships.list(wanted, "created_at", None, 100)
        assert uow.relationships.count(wanted) == len(found)
    assert set(ids_of(found)) == {each.id for each in kept if each.period.overlaps(period)}


@pytest.mark.parametrize(
    ("before", "change"),
    [
        ({"valid_from": "2000"}, {"valid_to": "1999"}),
        ({"valid_to": "2000"}, {"valid_from": "2001"}),
        ({"valid_from": "2000", "valid_to": "2001"}, {"valid_from": "2003", "valid_to": "2002"}),
        ({"valid_from": "2000", "valid_to": "2001"}, {"valid_to": "2000-01-01T00:00:00Z"}),
    ],
)
def test_an_end_before_its_begin_is_refused_everywhere(
    store: Store, before: dict[str, Any], change: dict[str, Any]
) -> None:
    """On create, update, PATCH, PUT and import, of one end alone as of both; the record stays as it was."""
    kg = graph_on(store)
    house, owner = (kg.entities.create(type="t", name="n", key=key) for key in ("house", "owner"))
    made = kg.relationships.create(house.id, "r", owner.id, **before)
    ends = {"source_entity_id": house.id, "relationship_type": "r", "target_entity_id": owner.id}
    for attempt in (
        lambda: kg.relationships.create(house.id, "s", owner.id, **{**before, **change}),
        lambda: kg.relationships.update(made.id, **change),
        lambda: kg.relationships.patch(made.id, change),
        lambda: kg.relationships.replace(made.id, {**ends, **before, **change}),
    ):
        with pytest.raises(InvalidInput) as caught:
            attempt()
        assert [(f.pointer, f.code) for f in caught.value.faults] == [("/valid_to", "ends_before_it_begins")]
    named = {name: str(value) for name, value in ends.items()} | {"kind": "relationship"}
    for existing, fields in (("merge", change), ("replace", {**before, **change})):
        for line in (named, {**named, "id": str(made.id)}):
            summary = kg.load([{**line, **fields}], existing=existing)
            assert (counts(summary), refused(summary)) == ((0, 0, 0, 1), [(1, "ends_before_it_begins")])
    assert kg.relationships.get(made.id) == made
    assert kg.relationships.count() == 1


def test_dates_are_kept_as_they_are_written(kg: KnowledgeGraph) -> None:
    """Another spelling of the same is a change; taken away, it holds for ever."""
    [made] = dated(kg, ("1994-05-17t10:30:00.50+02:00", "1994"))
    assert (made.valid_from, made.valid_to) == ("1994-05-17t10:30:00.50+02:00", "1994")
    assert kg.relationships.get(made.id) == made
    assert [*kg.dump()][-1]["valid_from"] == made.valid_from
    other = kg.relationships.patch(made.id, {"valid_from": "1994-05-17T08:30:00.5Z"})
    assert (other.version, other.valid_from, other.period) == (2, "1994-05-17T08:30:00.5Z", made.period)
    assert kg.relationships.update(made.id, valid_to="1994").version == 2
    ever = kg.relationships.patch(made.id, {"valid_from": None, "valid_to": None})
    assert (ever.valid_from, ever.valid_to, valid(kg, "0001")) == (None, None, [ever])
    assert kg.check().is_clean
