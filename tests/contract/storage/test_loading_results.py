"""What a load tells of every record, on every store; and dry runs, which tell the same and keep nothing."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgl_adapters import connect
from kgl_core import Actor, ActorKind, KnowledgeGraph, LoadSummary, PermissionDenied, Refusal
from kgl_core.storage.loading import load
from kgl_core.storage.loading.load import REFUSALS_KEPT_MAX, LoadResult
from tests.contract.storage.test_loading import (
    BATCH_SIZES,
    EXISTING,
    GIVEN_IDS,
    RECORDS,
    USER,
    A,
    B,
    C,
    EmptyUrl,
    Fields,
    R,
    a_relationship,
    an_entity,
    counts,
    log,
    refused,
)

MODES = pytest.mark.parametrize(
    "mode",
    [{}, {"atomic": True}, {"dry_run": True}, {"atomic": True, "dry_run": True}],
    ids=["normal", "atomic", "dry", "atomic-dry"],
)
MIXED: list[Any] = [
    an_entity("a", id=A),
    b"\n",
    an_entity("b"),
    a_relationship("a", "b", id=R),
    "?",
    an_entity("b"),
    a_relationship("a", "c"),
    an_entity("c", id=C),
    "",
    a_relationship("a", "b", confidence=0.5),
    an_entity("a", id=B),
    an_entity("a", confidence=0.5),
    a_relationship("a", "nobody"),
    a_relationship("a", "a", key="k", valid_from="1994", valid_to="1994"),
]
BECAME = [
    (1, "created", 1, None),
    (3, "created", 1, None),
    (4, "created", 1, None),
    (5, "refused", None, "malformed_json"),
    (6, "unchanged", 1, None),
    (7, "refused", None, "end_not_found"),
    (8, "created", 1, None),
    (10, "updated", 2, None),
    (11, "refused", None, "key_taken"),
    (12, "updated", 2, None),
    (13, "refused", None, "end_not_found"),
    (14, "created", 1, None),
]


def told_by(kg: KnowledgeGraph, records: Sequence[Any], **mode: Any) -> tuple[LoadSummary, list[LoadResult]]:
    """A load's summary, and all results that it told."""
    told: list[LoadResult] = []
    return kg.load(records, on_result=told.append, **mode), told


# A result for every record


@MODES
@pytest.mark.parametrize("batch", BATCH_SIZES)
def test_every_record_has_a_result(
    kg: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch, batch: int, mode: dict[str, bool]
) -> None:
    """In the order of the records, whatever their kinds and the batches; blank lines have none."""
    monkeypatch.setattr(load, "BATCH_RECORDS_MAX", batch)
    refusals: list[Refusal] = []
    told: list[LoadResult] = []
    summary = kg.load(MIXED, on_refusal=refusals.append, on_result=told.append, **mode)
    assert [(result.number, result.outcome, result.version, result.code) for result in told] == BECAME
    assert counts(summary) == (5, 2, 1, 4)
    assert [(result.number, result.code, result.detail) for result in told if result.code] == [
        (refusal.number, refusal.code, refusal.detail) for refusal in refusals
    ]
    assert {result.number: result.id for result in told if result.number in (1, 4, 8, 10, 12)} == {
        1: A,
        4: R,
        8: C,
        10: R,
        12: A,
    }
    assert all((result.id is None) == (result.outcome == "refused") for result in told)


def test_results_have_the_ids_that_are_kept(kg: KnowledgeGraph) -> None:
    """Also where the load made them, or found the record by its key or its ends."""
    records = [an_entity("a"), an_entity("b"), a_relationship("a", "b")]
    for outcome in ("created", "unchanged"):
        _, told = told_by(kg, records)
        assert [result.outcome for result in told] == [outcome] * 3
        (knows,) = kg.relationships.list().items
        assert [result.id for result in told] == [*(kg.entities.get_by_key(key).id for key in "ab"), knows.id]


@MODES
def test_a_result_is_told_once_its_batch_is_kept_or_applied(
    kg: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch, mode: dict[str, bool]
) -> None:
    """Whoever is told of a record can read it, unless all are kept at the end or never; before the next is read."""
    monkeypatch.setattr(load, "BATCH_RECORDS_MAX", 2)
    seen: list[Any] = []

    def records() -> Iterator[Fields]:
        for key in "abcd":
            seen.append(key)
            yield an_entity(key)

    kg.load(records(), on_result=lambda result: seen.append(len(kg.entities.get_many(ids=[result.id or A]))), **mode)
    found = 0 if mode else 1
    assert seen == ["a", "b", found, found, "c", "d", found, found]


@pytest.mark.parametrize("batch", [5, 5000])
def test_results_are_in_order_where_the_store_has_the_last_word(
    kg: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    """Two entities swap their keys, which no store takes in one step, among lines that are refused anyway."""
    monkeypatch.setattr(load, "BATCH_RECORDS_MAX", batch)
    kg.load([an_entity("one", id=A), an_entity("other", id=B)])
    swap = [an_entity("spare", id=A), an_entity("one", id=B), an_entity("other", id=A)]
    records = ["?", swap[0], "?", "", swap[1], "?", a_relationship("other", "one"), a_relationship("x", "one"), swap[2]]
    refusals: list[Refusal] = []
    told: list[LoadResult] = []
    summary = kg.load(records, on_refusal=refusals.append, on_result=told.append)
    assert [(result.number, result.outcome) for result in told] == [
        (1, "refused"),
        (2, "updated"),
        (3, "refused"),
        (5, "updated"),
        (6, "refused"),
        (7, "refused"),
        (8, "refused"),
        (9, "updated"),
    ]
    assert [refusal.number for refusal in refusals] == [1, 3, 6, 7, 8]
    assert counts(summary) == (0, 3, 0, 5)


def test_all_results_are_told(kg: KnowledgeGraph) -> None:
    """Also of more refused lines than a summary keeps."""
    summary, told = told_by(kg, ["x"] * (REFUSALS_KEPT_MAX + 5))
    assert summary.refused == len(told) == REFUSALS_KEPT_MAX + 5


@pytest.mark.parametrize("atomic", [False, True])
def test_who_is_told_can_end_the_load(kg: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch, atomic: bool) -> None:
    """What it raises comes through; what was kept by then stays, and it was told of no other."""
    monkeypatch.setattr(load, "BATCH_RECORDS_MAX", 2)
    told: list[int] = []

    def listen(result: LoadResult) -> None:
        told.append(result.number)
        if result.number == 3:
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        kg.load([an_entity(key) for key in "abcdef"], atomic=atomic, on_result=listen)
    assert told == [1, 2, 3]
    assert [entity.key for entity in kg.entities.list().items] == ([] if atomic else ["a", "b", "c", "d"])


# Dry runs


@pytest.mark.parametrize("batch", [2, 5000])
def test_a_dry_run_keeps_nothing(kg: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    """It counts and refuses what the load would, goes on after refusals, and may be repeated."""
    monkeypatch.setattr(load, "BATCH_RECORDS_MAX", batch)
    kg.load([an_entity("a", confidence=0.5), an_entity("z"), a_relationship("a", "z")])
    before, dumped, stats = log(kg), list(kg.dump()), kg.stats()
    records = [an_entity("a", confidence=0.7), "?", an_entity("b"), a_relationship("a", "b"), a_relationship("a", "z")]
    for atomic in (False, True, False):
        summary = kg.load([record for record in records if record != "?"], atomic=atomic, dry_run=True)
        assert (counts(summary), summary.is_kept) == ((2, 1, 1, 0), False)
        summary = kg.load(records, atomic=atomic, dry_run=True)
        assert (counts(summary), summary.is_kept) == ((2, 1, 1, 1), False)
        assert (log(kg), list(kg.dump()), kg.stats()) == (before, dumped, stats)
    assert counts(kg.load(records)) == (2, 1, 1, 1)


def test_a_dry_run_sees_the_records_before(kg: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that stands twice, an end that comes earlier, a key that moved: in another batch as in the same."""
    monkeypatch.setattr(load, "BATCH_RECORDS_MAX", 1)
    kg.load([an_entity("old", id=A)])
    records = [
        an_entity("k", id=B),
        an_entity("k", id=C),
        a_relationship("old", "k"),
        an_entity("new", id=A),
        a_relationship("old", "k"),
        an_entity("old", id=C),
        a_relationship("new", "old"),
    ]
    summary, told = told_by(kg, records, dry_run=True)
    assert [result.code or result.outcome for result in told] == [
        "created",
        "key_taken",
        "created",
        "updated",
        "end_not_found",
        "created",
        "created",
    ]
    assert counts(summary) == counts(kg.load(records))


def test_a_dry_run_is_made_with_the_permissions_of_the_load(kg: KnowledgeGraph) -> None:
    """What the actor may not change is refused; who may not create may not try."""
    kg.load([an_entity("a")])
    summary, told = told_by(kg.acting_as(USER), [an_entity("a", confidence=0.5), an_entity("mine")], dry_run=True)
    assert [result.code for result in told] == ["permission_denied", None]
    assert counts(summary) == (1, 0, 0, 1)
    with pytest.raises(PermissionDenied):
        kg.acting_as(Actor(ActorKind.SERVICE, "ai")).load([], dry_run=True)


def test_a_dry_run_that_ends_in_an_error_keeps_nothing_either(
    kg: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller's error comes through, and writers need not wait any longer."""
    monkeypatch.setattr(load, "BATCH_RECORDS_MAX", 1)

    def records() -> Iterator[Fields]:
        yield an_entity("a")
        raise OSError("the file is gone")

    with pytest.raises(OSError, match="gone"):
        kg.load(records(), dry_run=True)
    assert kg.stats().changes == 0
    assert counts(kg.load([an_entity("a")])) == (1, 0, 0, 0)


def test_a_dry_run_holds_up_no_reader_of_changes(
    concurrent_kg: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it runs, others write other records, and what they did shows up at once."""
    monkeypatch.setattr(load, "BATCH_RECORDS_MAX", 1)
    kg = concurrent_kg

    def records() -> Iterator[Fields]:
        for number in range(3):
            yield an_entity(f"mine {number}")
            made = kg.entities.create(type="person", name="Grace", key=f"theirs {number}")
            assert log(kg)[-1].record == made

    assert counts(kg.load(records(), dry_run=True)) == (3, 0, 0, 0)
    assert kg.entities.count() == kg.stats().changes == 3


# Whatever the records


def anonymous(results: Sequence[LoadResult], known: set[UUID]) -> list[Any]:
    """Results, without the ids that the load made."""
    return [
        (result.number, result.outcome, result.id if result.id in known else None, result.version, result.code)
        for result in results
    ]


@pytest.mark.parametrize(("store_name", "examples"), [("memory", 200), ("sqlite", 40), ("postgres", 30)])
def test_a_dry_run_tells_what_the_load_will_do(empty_url: EmptyUrl, store_name: str, examples: int) -> None:
    """Record by record, in its counts and its refusals; it changes nothing; and the load's results are what it kept."""

    @settings(max_examples=examples)
    @given(
        before=RECORDS,
        records=RECORDS,
        batch=st.sampled_from(BATCH_SIZES),
        atomic=st.booleans(),
        both=st.booleans(),
        existing=EXISTING,
    )
    def check(before: list[Fields], records: list[Fields], batch: int, atomic: bool, both: bool, existing: str) -> None:
        with connect(empty_url(store_name)) as kg, pytest.MonkeyPatch.context() as patch:
            kg.load(before)
            dumped, changes = list(kg.dump()), log(kg)
            known = {UUID(record["id"]) for record in dumped} | set(map(UUID, GIVEN_IDS))
            patch.setattr(load, "BATCH_RECORDS_MAX", batch)
            tried, expected = told_by(kg, records, dry_run=True, atomic=both, existing=existing)
            assert (tried.is_kept, list(kg.dump()), log(kg)) == (False, dumped, changes)
            summary, told = told_by(kg, records, atomic=atomic, existing=existing)
            assert anonymous(told, known) == anonymous(expected, known)
            assert (counts(tried), refused(tried)) == (counts(summary), refused(summary))
            # Each once; in order, but for those that waited for a key.
            assert sorted(result.number for result in told) == list(range(1, len(records) + 1))
            tally = Counter(result.outcome for result in told)
            assert tuple(tally[name] for name in ("created", "updated", "unchanged", "refused")) == counts(summary)
            assert (tally["kept"], sum(summary.refused_by_code.values())) == (summary.kept, summary.refused)
            if summary.is_kept:
                assert_kept(kg, told)
            else:
                assert (list(kg.dump()), log(kg)) == (dumped, changes)

    check()


def assert_kept(kg: KnowledgeGraph, told: Sequence[LoadResult]) -> None:
    """The last result of each record has the version that the graph holds."""
    versions = {change.record.id: change.record.version for change in log(kg)}
    last = {result.id: result.version for result in told if result.id is not None}
    assert last == {id: versions[id] for id in last}
