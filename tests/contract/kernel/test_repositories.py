"""What every `Repository` promises, whatever its noun; `tests/contract/nouns.py` has the nouns.

What one noun promises besides, such as what its own filters mean, is in the file of that noun.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from kgl_core import SYSTEM, AlreadyExists, NotFound, StaleVersion
from kgl_core.kernel.nouns.json_records import json_line
from kgl_core.kernel.nouns.pages import Position
from kgl_core.kernel.units_of_work import Store, UnitOfWork
from tests.contract.nouns import EXAMPLES, Example
from tests.contract.samples import NOON, NOUNS, SECOND, ids_of, keep, new_id

GONE = {"deleted_at": NOON, "deleted_by": SYSTEM}
BACK = {"deleted_at": None, "deleted_by": None}

Mark = pytest.MarkDecorator


@pytest.fixture
def of(request: pytest.FixtureRequest, store: Store) -> Example:
    """The noun that the test is about; what its records refer to is in the store."""
    example: Example = request.param
    keep(store, *example.needed)
    return example


def each(applies: Callable[[Example], bool] = lambda of: True) -> Mark:
    """Run a test for every noun that it applies to."""
    return pytest.mark.parametrize("of", [found for found in EXAMPLES if applies(found)], indirect=True, ids=str)


def each_sort(applies: Callable[[Example], bool] = lambda of: True) -> Mark:
    """Run a test for every noun that it applies to, in each of its sorts."""
    pairs = [(of, sort) for of in EXAMPLES if applies(of) for sort in of.noun.sort_rule.values]
    return pytest.mark.parametrize(("of", "sort"), pairs, indirect=["of"], ids=str)


def is_unique(of: Example) -> bool:
    """Whether its records have a unique value."""
    return of.is_unique


def is_deletable(of: Example) -> bool:
    """Whether its records stay when they are deleted."""
    return of.noun.is_deletable


def is_unique_and_deletable(of: Example) -> bool:
    """Whether deleting a record frees its unique value."""
    return of.is_unique and of.noun.is_deletable


def add(store: Store, of: Example, records: Sequence[Any]) -> None:
    """Put records into a store, all at once."""
    with store.begin() as uow:
        uow.of(of.noun).add(records)
        uow.commit()


def replace(store: Store, of: Example, *records: Any) -> None:
    """Put next versions into a store, all at once."""
    with store.begin() as uow:
        uow.of(of.noun).replace(records)
        uow.commit()


def found(store: Store, of: Example, *records: Any) -> list[Any]:
    """What a store has now in the place of these records."""
    with store.read() as uow:
        return [uow.of(of.noun).get(record.id) for record in records]


def everything(store: Store, of: Example) -> list[Any]:
    """All records of the noun, by id."""
    with store.read() as uow:
        return list(uow.of(of.noun).scan(None, 10_000))


def holder(uow: UnitOfWork, of: Example, record: Any) -> Any:
    """The active record with the unique value of this one."""
    return uow.of(of.noun).get_by(of.noun.unique_value(record))


def by_id(records: Sequence[Any]) -> list[Any]:
    """Records in the order of their ids."""
    return sorted(records, key=lambda record: record.id)


def without(of: Example, *names: str) -> dict[str, Any]:
    """The example's changes, except of these fields."""
    return {name: value for name, value in of.changes.items() if name not in names}


def test_there_is_an_example_of_every_noun() -> None:
    """Complete ones: with a value in every field, and a change of every field that can change."""
    assert [example.noun.name for example in EXAMPLES] == [noun.name for noun in NOUNS]
    for example in EXAMPLES:
        names = {*example.noun.field_names}
        assert [name for name in names if all(getattr(full, name) is None for full in example.fulls)] == []
        assert names - example.noun.kept - {"version", *GONE} <= example.changes.keys()
        assert bool(example.taken) is example.is_unique


@each()
def test_a_record_comes_back_as_it_was_kept(store: Store, of: Example) -> None:
    """Every field survives with its type, times to the microsecond and in UTC."""
    fulls = of.fulls
    keep(store, *fulls)
    assert found(store, of, *fulls) == [*fulls]
    both = zip(found(store, of, *fulls), fulls, strict=True)
    for kept, full, name in ((kept, full, name) for kept, full in both for name in of.noun.field_names):
        value, given = getattr(kept, name), getattr(full, name)
        assert type(value) is type(given)
        if isinstance(value, tuple):
            assert [type(item) for item in value] == [type(item) for item in given]
        if isinstance(value, datetime):
            assert value.utcoffset() == timedelta(0)


@each()
def test_what_is_left_empty_comes_back_empty(store: Store, of: Example) -> None:
    """None stays None, and nothing becomes something."""
    plain = of.make()
    keep(store, plain)
    assert found(store, of, plain) == [plain]


@each()
def test_absence_is_no_error(store: Store, of: Example) -> None:
    """What is not there is None, or no rows, by whatever way it is asked for."""
    values = [of.noun.unique_value(of.make())] if of.is_unique else []
    with store.begin() as uow:
        records = uow.of(of.noun)
        assert records.get(new_id()) is None
        assert records.get(new_id(), lock="update") is None
        assert [records.get_by(value) for value in values] == [None] * len(values)
        assert list(records.find([new_id()], values)) == []
        assert list(records.find([], [])) == []
        assert list(records.list(of.noun.filter(), of.noun.sort_rule.values[0], None, 5)) == []
        assert list(records.scan(None, 10)) == []
        if of.noun.type_field is not None:
            assert records.count_by_type() == {}
        if of.noun.is_deletable:
            assert records.count_deleted() == 0


@each(is_unique)
def test_get_by_finds_the_active_holder(store: Store, of: Example) -> None:
    """By its unique value, and nobody else's."""
    one, other = of.make(), of.make()
    keep(store, one, other)
    with store.read() as uow:
        assert [holder(uow, of, record) for record in (one, other)] == [one, other]


@each(is_unique_and_deletable)
def test_get_finds_the_deleted_and_get_by_only_the_active(store: Store, of: Example) -> None:
    """A deleted record keeps its id; its unique value is free for others."""
    gone, here = of.make(**of.taken, **GONE), of.make(**of.taken)
    keep(store, gone)
    with store.read() as uow:
        assert uow.of(of.noun).get(gone.id) == gone
        assert holder(uow, of, gone) is None
    keep(store, here)
    with store.read() as uow:
        assert holder(uow, of, gone) == here


@each(lambda of: len(of.taken) == 1)
def test_unique_texts_are_compared_exactly(store: Store, of: Example) -> None:
    """Case, accents and normalization forms tell them apart; callers normalize them first, where they do."""
    [field] = of.taken
    spellings = ["key", "KEY", "Key ", "kéy", "ke\u0301y"]
    keep(store, *(of.make(**{field: spelling}) for spelling in spellings))
    with store.read() as uow:
        holders = [uow.of(of.noun).get_by(spelling) for spelling in spellings]
        assert uow.of(of.noun).get_by("kEy") is None
    assert [getattr(each, field) for each in holders] == spellings


@each(is_unique)
@pytest.mark.parametrize("lock", [None, "share", "update"])
def test_find_gives_each_once_however_it_is_named(store: Store, of: Example, lock: Any) -> None:
    """Ids and unique values together, active and deleted, without repeats; what does not exist is absent."""
    one, two, other, absent = of.make(), of.make(**of.taken), of.make(), of.make()
    ghosts = [of.make(**of.taken, **GONE) for _ in range(3)] if of.noun.is_deletable else []
    keep(store, one, *ghosts, two, other)
    values = [of.noun.unique_value(record) for record in (one, two, absent)]
    with store.begin() as uow:
        kept = uow.of(of.noun).find([one.id, *ids_of(ghosts[:1]), new_id()], values, lock=lock)
        by_value = uow.of(of.noun).find([], [of.noun.unique_value(other)], lock=lock)
    assert by_id(kept) == by_id([one, two, *ghosts])
    assert list(by_value) == [other]


@each()
def test_find_takes_many_values(store: Store, of: Example) -> None:
    """More ids and unique values than one statement would list."""
    many = [of.make() for _ in range(1201)]
    add(store, of, many)
    values = [of.noun.unique_value(record) for record in many] if of.is_unique else []
    with store.read() as uow:
        assert by_id(uow.of(of.noun).find(ids_of(many), values)) == by_id(many)
        assert len(uow.of(of.noun).find([], values)) == len(values)


@each()
def test_a_unit_of_work_sees_what_it_wrote(store: Store, of: Example) -> None:
    """Adding and replacing show at once, to every method of the same unit of work."""
    one, everyone, sort = of.make(), of.all, of.noun.sort_rule.values[0]
    with store.begin() as uow:
        records = uow.of(of.noun)
        records.add([one])
        assert records.get(one.id) == records.get(one.id, lock="update") == one
        new = of.later(one, **without(of, "deleted_at", "deleted_by"))
        records.replace([new])
        assert records.get(one.id) == new
        assert list(records.find([one.id], lock="update")) == [new]
        assert list(records.list(everyone, sort, None, 5)) == [new]
        assert list(records.scan(None, 5)) == [new]
        assert records.count(everyone) == 1
        if of.is_unique:
            assert holder(uow, of, new) == new
            assert (holder(uow, of, one) is None) is of.is_rekeyed
        if of.noun.type_field is not None:
            assert records.count_by_type() == {getattr(new, of.noun.type_field): 1}
        if of.noun.is_deletable:
            gone = of.later(new, **GONE)
            records.replace([gone])
            assert (records.count(everyone), records.count_deleted()) == (0, 1)
            assert list(records.list(everyone, sort, None, 5)) == []
            assert not of.is_unique or holder(uow, of, new) is None
            values = [of.noun.unique_value(gone)] if of.is_unique else []
            assert list(records.find([gone.id], values, lock="update")) == [gone]


@each()
def test_add_refuses_a_taken_id(store: Store, of: Example) -> None:
    """An id belongs to one record for good, also when that was deleted."""
    taken = [of.make(), *([of.make(**GONE)] if of.noun.is_deletable else [])]
    keep(store, *taken)
    for record in taken:
        with store.begin() as uow, pytest.raises(AlreadyExists) as refused:
            uow.of(of.noun).add([of.make(id=record.id)])
        assert (refused.value.kind, refused.value.field) == (of.noun.name, "id")
    assert everything(store, of) == by_id(taken)


@each(is_unique)
def test_add_refuses_a_taken_value(store: Store, of: Example) -> None:
    """One active record holds it; the deleted may share it, and whoever has none may be many."""
    one = of.make(**of.taken)
    keep(store, one)
    with store.begin() as uow, pytest.raises(AlreadyExists) as refused:
        uow.of(of.noun).add([of.make(**of.taken)])
    assert (refused.value.kind, refused.value.field) == (of.noun.name, of.noun.unique.name)  # type: ignore[union-attr]
    assert everything(store, of) == [one]
    if of.noun.is_deletable:
        keep(store, of.make(**of.taken, **GONE), of.make(**of.taken, **GONE))
    optional = [field.name for field in of.noun.fields if field.is_optional and field.name in of.taken]
    for name in optional:
        keep(store, of.make(**{name: None}), of.make(**{name: None}))


@each()
@pytest.mark.parametrize("same", ["id", "value"])
def test_add_finds_repeats_among_the_new(store: Store, of: Example, same: str) -> None:
    """Two new records with one id or one unique value are refused as one with a kept one would be."""
    one = of.make(**of.taken)
    repeat = of.make(id=one.id) if same == "id" or of.noun.unique is None else of.make(**of.taken)
    with store.begin() as uow, pytest.raises(AlreadyExists) as refused:
        uow.of(of.noun).add([one, repeat])
    assert refused.value.field == ("id" if repeat.id == one.id else of.noun.unique.name)  # type: ignore[union-attr]
    assert everything(store, of) == []


@each()
@pytest.mark.parametrize("same", ["id", "value"])
def test_add_keeps_all_or_none(store: Store, of: Example, same: str) -> None:
    """Where one of several is refused, none is kept, even by a unit of work that commits after that."""
    here = of.make(**of.taken)
    keep(store, here)
    refused = of.make(id=here.id) if same == "id" or of.noun.unique is None else of.make(**of.taken)
    with store.begin() as uow:
        with pytest.raises(AlreadyExists):
            uow.of(of.noun).add([of.make(), refused, of.make()])
        uow.commit()
    assert everything(store, of) == [here]


@each()
def test_adding_none_is_nothing(store: Store, of: Example) -> None:
    """Empty lists pass through every writing method."""
    with store.begin() as uow:
        uow.of(of.noun).add([])
        uow.of(of.noun).replace([])
        uow.commit()
    assert everything(store, of) == []


@each()
def test_replace_keeps_the_new_version(store: Store, of: Example) -> None:
    """All may change but what identifies a record and its creation; others are untouched."""
    one, other = of.make(), of.make()
    keep(store, one, other)
    new = of.later(one, **of.changes)
    replace(store, of, new)
    assert found(store, of, one, other) == [new, other]
    if of.is_rekeyed:
        with store.read() as uow:
            assert (holder(uow, of, one), holder(uow, of, new)) == (None, new)
    if of.noun.is_deletable:
        gone = of.later(new, **GONE)
        replace(store, of, gone)
        assert found(store, of, one, other) == [gone, other]


@each(lambda of: of.noun.is_versioned)
def test_replace_refuses_a_version_that_is_not_later(store: Store, of: Example) -> None:
    """The stored version must be lower; the error says which record, what was expected and what there is."""
    fresh, stale = of.make(), of.make(version=3)
    keep(store, fresh, stale)
    for version in (2, 3):
        late = of.make(id=stale.id, version=version)
        with store.begin() as uow, pytest.raises(StaleVersion) as refused:
            uow.of(of.noun).replace([of.later(fresh), late])
        error = refused.value
        assert (error.kind, error.id, error.expected, error.current) == (of.noun.name, stale.id, version - 1, 3)
    assert found(store, of, fresh, stale) == [fresh, stale]


@each(lambda of: of.is_unique)
def test_replace_refuses_a_taken_value(store: Store, of: Example) -> None:
    """It can be taken neither by an update nor by a restoration while another active record holds it."""
    one, here = of.make(), of.make(**of.taken)
    gone = [of.make(**of.taken, **GONE)] if of.noun.is_deletable else []
    keep(store, one, here, *gone)
    late = [of.later(one, **of.taken)] if of.is_rekeyed else []
    late += [of.later(record, **BACK) for record in gone]
    assert late
    for record in late:
        with store.begin() as uow, pytest.raises(AlreadyExists) as refused:
            uow.of(of.noun).replace([record])
        error = refused.value
        assert (error.kind, error.field) == (of.noun.name, of.noun.unique.name)  # type: ignore[union-attr]
    assert found(store, of, one, here, *gone) == [one, here, *gone]


@each()
def test_replace_keeps_all_or_none(store: Store, of: Example) -> None:
    """Where one is stale, takes a unique value or is not there, none is kept, even if the unit of work commits."""
    fresh, other, here = of.make(), of.make(), of.make(**of.taken)
    gone = [of.make(**of.taken, **GONE)] if is_unique_and_deletable(of) else []
    stale = [of.make(version=3)] if of.noun.is_versioned else []
    kept = [fresh, other, here, *gone, *stale]
    keep(store, *kept)
    bad = [of.later(of.make()), *(of.later(record, **BACK) for record in gone)]
    bad += [of.make(id=record.id, version=version) for record in stale for version in (1, 2, 3)]
    bad += [of.later(other, **of.taken)] if of.is_rekeyed else []
    name, value = next(change for change in of.changes.items() if change[0] not in (*of.taken, *GONE))
    for record in bad:
        with store.begin() as uow:
            with pytest.raises((StaleVersion, AlreadyExists, NotFound)):
                uow.of(of.noun).replace([of.later(fresh, **{name: value}), record])
            uow.commit()
        assert found(store, of, *kept) == kept


@each()
def test_replace_of_an_unknown_record_is_not_found(store: Store, of: Example) -> None:
    """What was never kept has no next version."""
    stranger = of.later(of.make())
    with store.begin() as uow, pytest.raises(NotFound) as refused:
        uow.of(of.noun).replace([stranger])
    assert (refused.value.kind, refused.value.name) == (of.noun.name, stranger.id)


@each(is_unique_and_deletable)
def test_a_freed_value_can_be_taken_in_the_same_unit_of_work(store: Store, of: Example) -> None:
    """Deleting frees it at once, and so does another value in its place."""
    one, two = of.make(**of.taken), of.make()
    keep(store, one, two)
    freeing = [of.later(one, **GONE)]
    late = [of.make(**of.taken)]
    if of.is_rekeyed:
        freeing.append(of.later(two, **of.changes))
        late.append(of.make(**{name: getattr(two, name) for name in of.taken}))
    with store.begin() as uow:
        uow.of(of.noun).replace(freeing)
        uow.of(of.noun).add(late)
        uow.commit()
    with store.read() as uow:
        assert [holder(uow, of, record) for record in late] == late


@each(lambda of: of.noun.is_removable)
def test_a_removed_record_is_gone(store: Store, of: Example) -> None:
    """It alone, from listings too; a second time there is nothing to remove, and its id is free."""
    one, other = of.make(), of.make()
    keep(store, one, other)
    with store.begin() as uow:
        records = uow.of(of.noun)
        records.delete(one.id)
        assert records.get(one.id, lock="update") is None
        with pytest.raises(NotFound) as refused:
            records.delete(one.id)
        assert (refused.value.kind, refused.value.name) == (of.noun.name, one.id)
        with pytest.raises(NotFound):
            records.replace([of.later(one)])
        uow.commit()
    assert found(store, of, one, other) == [None, other]
    with store.read() as uow:
        assert list(uow.of(of.noun).list(of.noun.filter(), of.noun.sort_rule.values[0], None, 5)) == [other]
    keep(store, one)
    assert found(store, of, one) == [one]


@each()
def test_what_is_not_committed_leaves_no_trace(store: Store, of: Example) -> None:
    """Neither adding, nor changing, nor removing; and nobody sees it meanwhile."""
    one, other, new = of.make(), of.make(), of.make()
    keep(store, one, other)
    with store.begin() as uow:
        records = uow.of(of.noun)
        records.add([new])
        records.replace([of.later(one, **of.changes)])
        if of.noun.is_removable:
            records.delete(other.id)
        with store.snapshot() as beside:
            assert [beside.of(of.noun).get(record.id) for record in (one, other, new)] == [one, other, None]
    assert found(store, of, one, other, new) == [one, other, None]


def listed(store: Store, of: Example, **fields: Any) -> list[Any]:
    """The records that a filter admits, in the order of their creation, checked against their count."""
    wanted = of.noun.filter(**fields)
    with store.read() as uow:
        rows = list(uow.of(of.noun).list(wanted, "created_at", None, 100))
        assert uow.of(of.noun).count(wanted) == len(rows)
    return rows


@each(lambda of: of.is_record)
def test_filters_by_time_and_activity_admit_what_they_say(store: Store, of: Example) -> None:
    """Each alone and together; bounds of time are exclusive."""
    a = of.make()
    b = of.make(created_at=NOON + SECOND)
    c = of.make(created_at=NOON + 2 * SECOND, updated_at=NOON + SECOND)
    d = of.make(created_at=NOON + 3 * SECOND, **GONE)
    keep(store, a, b, c, d)
    assert listed(store, of) == [a, b, c]
    assert listed(store, of, is_active=False) == [d]
    assert listed(store, of, is_active=None) == [a, b, c, d]
    assert listed(store, of, created_after=NOON) == [b, c]
    assert listed(store, of, created_before=NOON + 2 * SECOND) == [a, b]
    assert listed(store, of, created_after=NOON, created_before=NOON + 2 * SECOND) == [b]
    assert listed(store, of, updated_after=NOON) == [c]
    assert listed(store, of, updated_before=NOON + SECOND) == [a, b]
    assert listed(store, of, updated_before=NOON + SECOND, is_active=None) == [a, b, d]
    assert listed(store, of, created_after=datetime.min.replace(tzinfo=UTC)) == [a, b, c]
    assert listed(store, of, created_before=datetime.max.replace(tzinfo=UTC)) == [a, b, c]


def some(of: Example, count: int) -> list[Any]:
    """Records with many ties in all that listings sort by; where they can be deleted, every fifth is."""
    return [
        of.make(
            **of.vary(number),
            **{of.created: NOON + (number % 3) * SECOND},
            **({"updated_at": NOON + (number % 5) * SECOND} if "updated_at" in of.noun.field_names else {}),
            **(GONE if of.noun.is_deletable and number % 5 == 0 else {}),
        )
        for number in range(count)
    ]


def place_of(of: Example, record: Any, sort: str) -> Position:
    """Where a record is in a listing."""
    return (getattr(record, of.noun.sort_field(sort)), record.id)


def walk(store: Store, of: Example, filter: Any, sort: str, limit: int) -> list[Any]:
    """All pages, one after the other."""
    rows: list[Any] = []
    after: Position | None = None
    while True:
        with store.read() as uow:
            page = list(uow.of(of.noun).list(filter, sort, after, limit))
        assert len(page) <= limit
        rows += page
        assert len(rows) < 100, "the pages do not end"
        if len(page) < limit:
            return rows
        after = place_of(of, page[-1], sort)


@each_sort()
def test_pages_follow_each_other_without_gap_or_repeat(store: Store, of: Example, sort: str) -> None:
    """In every sort and both directions, under any filter; ties are broken by id, in the direction of the sort."""
    rows = some(of, 23)
    add(store, of, rows)
    filters: list[Any] = [(of.everyone, lambda row: True), *of.filters]
    if of.noun.is_deletable:
        filters.append(({"is_active": None}, lambda row: True))
    for fields, admits in filters:
        is_active_only = of.noun.is_deletable and "is_active" not in fields
        admitted = [row for row in rows if admits(row) and not (is_active_only and row.deleted_at is not None)]
        expected = sorted(admitted, key=lambda row: place_of(of, row, sort), reverse=sort.startswith("-"))
        wanted = of.noun.filter(**fields)
        for limit in (1, 4, 100):
            assert walk(store, of, wanted, sort, limit) == expected
        with store.read() as uow:
            assert uow.of(of.noun).count(wanted) == len(expected)


@each_sort(is_deletable)
def test_pages_stay_right_while_rows_come_and_go(store: Store, of: Example, sort: str) -> None:
    """What stays is seen once, though others come on both sides and the last item of a page itself is deleted."""
    rows = some(of, 12)
    add(store, of, rows)
    wanted = of.noun.filter(is_active=None)

    def sorted_rows(rows: Sequence[Any]) -> list[Any]:
        return sorted(rows, key=lambda row: place_of(of, row, sort), reverse=sort.startswith("-"))

    with store.read() as uow:
        page = list(uow.of(of.noun).list(wanted, sort, None, 5))
    place = place_of(of, page[-1], sort)
    moments = (NOON - SECOND, NOON + 9 * SECOND)
    others = [
        of.make(**of.vary(12 + number), created_at=moments[number % 2], updated_at=moments[number % 2])
        for number in range(8)
    ]
    add(store, of, others)
    whole = sorted_rows([*rows, *others])
    ahead = whole[whole.index(page[-1]) + 1 :]
    assert 0 < len([row for row in others if row in ahead]) < len(others)
    with store.read() as uow:
        rest = list(uow.of(of.noun).list(wanted, sort, place, 100))
    assert rest == ahead
    assert sorted_rows([*page, *(row for row in rest if row not in others)]) == sorted_rows(rows)
    replace(store, of, of.later(page[-1], **{**of.changes, **GONE}))
    with store.read() as uow:
        again = uow.of(of.noun).list(of.noun.filter(), sort, place, 100)
    assert list(again) == [row for row in rest if row.is_active]


@each(lambda of: of.noun.type_field is not None)
def test_counts_tell_the_active_by_type_and_the_deleted(store: Store, of: Example) -> None:
    """Types come in order, the capital letters first; types that only deleted records have do not come."""
    field = of.noun.type_field or ""
    keep(store, *(of.make(**{field: type}) for type in ("b", "a", "B", "b")), of.make(**{field: "c"}, **GONE))
    with store.read() as uow:
        assert list(uow.of(of.noun).count_by_type().items()) == [("B", 1), ("a", 1), ("b", 2)]
        assert uow.of(of.noun).count_deleted() == 1
        assert uow.of(of.noun).count(of.noun.filter(is_active=None)) == 5


@each()
def test_scan_goes_by_id_through_all(store: Store, of: Example) -> None:
    """Active and deleted, in the order of ids, each once."""
    rows = some(of, 17)
    add(store, of, rows)
    scanned: list[Any] = []
    with store.snapshot() as uow:
        while page := uow.of(of.noun).scan(scanned[-1].id if scanned else None, 4):
            scanned += page
    assert scanned == by_id(rows)


@each(is_deletable)
def test_scanned_lines_are_those_of_the_records(store: Store, of: Example) -> None:
    """Of active and deleted ones, whatever of their fields is empty; nobody shares their values with the store."""
    told = {"metadata": {"a": [1, None], "ü": {}}, "aliases": ("Ada", "เอดา")}
    full = {name: value for name, value in told.items() if name in of.noun.said}
    keep(store, *some(of, 7), of.make(**{**of.vary(8), **full}), of.make(**{**of.vary(9), **full, **GONE}))
    expected = [json_line(record, of.noun) for record in everything(store, of)]
    for _ in range(2):
        with store.snapshot() as uow:
            repository = uow.of(of.noun)
            lines = [*repository.scan_lines(None, 4)]
            lines += repository.scan_lines(UUID(lines[-1]["id"]), 100)
        assert lines == expected
        assert [[*line] for line in lines] == [[*line] for line in expected]
        for line in lines:
            line.get("metadata", {}).clear()


@each(lambda of: "metadata" in of.noun.json_fields)
def test_what_a_caller_alters_later_is_not_altered_in_the_store(store: Store, of: Example) -> None:
    """Neither what was handed in nor what was handed out shares its metadata with the store."""
    given: dict[str, Any] = {"list": [1], "object": {"a": 1}}
    one = of.make(metadata=given)
    keep(store, one)
    given["list"].append(2)
    for _ in range(2):
        [kept] = found(store, of, one)
        assert kept.metadata == {"list": [1], "object": {"a": 1}}
        kept.metadata["object"]["a"] = 2
        kept.metadata["list"].append(3)
