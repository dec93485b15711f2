"""Loading and dumping, on every store: what becomes of each line, whatever the batches, the order and the company."""

import gc
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import NullPool, create_engine, text

from kgl_adapters import connect
from kgl_adapters.sql.engine.engines import parse_url
from kgl_core import (
    Actor,
    ActorKind,
    AlreadyExists,
    Change,
    KnowledgeGraph,
    LoadSummary,
    PermissionDenied,
    Refusal,
    Role,
)
from kgl_core.storage.loading import load
from kgl_core.storage.loading.load import REFUSALS_KEPT_MAX
from kgl_core.storage.record_lines import LINE_BYTES_MAX
from tests.conftest import STORES
from tests.contract.samples import new_id

A, B, C, D = (UUID(f"01890a5d-ac96-774b-bcce-00000000000{n}") for n in "abcd")
R, S, T = (UUID(f"01890a5d-ac96-774b-bcce-10000000000{n}") for n in "123")
USER = Actor(ActorKind.USER, str(A), Role.USER)
BATCH_SIZES = (1, 2, 7, 5000)

Fields = dict[str, Any]
EmptyUrl = Callable[[str], str]


def an_entity(key: str | None = None, /, **fields: Any) -> Fields:
    """A record of an entity."""
    named = {"name": "Ada"} if key is None else {"name": f"Entity {key}", "key": key}
    return {"kind": "entity", "type": "person", **named, **fields}


def a_relationship(source: str | UUID, target: str | UUID, /, **fields: Any) -> Fields:
    """A record of a relationship, between ends named by key (text) or by id."""
    ends: Fields = {
        f"{end}_entity_{'key' if isinstance(name, str) else 'id'}": name
        for end, name in (("source", source), ("target", target))
    }
    return {"kind": "relationship", "relationship_type": "knows", **ends, **fields}


def deleted(record: Fields, **fields: Any) -> Fields:
    """The record as one of something deleted."""
    return {**record, "is_active": False, **fields}


def counts(summary: LoadSummary) -> tuple[int, int, int, int]:
    """Created, updated, unchanged, refused."""
    return (summary.created, summary.updated, summary.unchanged, summary.refused)


def refused(summary: LoadSummary) -> list[tuple[int, str]]:
    """The numbers of the refused lines, and the codes that say why."""
    return [(refusal.number, refusal.code) for refusal in summary.refusals]


def log(kg: KnowledgeGraph) -> list[Change]:
    """All changes."""
    found: list[Change] = []
    while page := kg.changes(after=found[-1].cursor if found else None, limit=200).items:
        found += page
    return found


def line(record: Fields) -> bytes:
    """The record as a line of a file."""
    return json.dumps(record, default=str, ensure_ascii=False).encode() + b"\n"


@pytest.fixture
def opened(empty_url: EmptyUrl) -> Iterator[Callable[[str], KnowledgeGraph]]:
    """Opens a graph on an empty store, by the store's name; one at a time on each."""
    graphs: list[KnowledgeGraph] = []

    def open_(store_name: str) -> KnowledgeGraph:
        graphs.append(connect(empty_url(store_name)))
        return graphs[-1]

    yield open_
    for graph in graphs:
        graph.close()


# What becomes of a record


def test_a_load_counts_what_became_of_each_record(kg: KnowledgeGraph) -> None:
    """Created, updated, unchanged, refused; and the graph holds what the records say."""
    first = kg.load([an_entity("a"), an_entity("b", confidence=0.5), a_relationship("a", "b", source="book")])
    assert first == LoadSummary(created=3, updated=0, unchanged=0, refused=0, is_kept=True, refusals=(), run=first.run)
    second = kg.load([an_entity("a"), an_entity("b", confidence=0.7), an_entity("c"), a_relationship("a", "z")])
    assert counts(second) == (1, 1, 1, 1)
    a, b, c = (kg.entities.get_by_key(key) for key in "abc")
    assert [(entity.version, entity.confidence) for entity in (a, b, c)] == [(1, None), (2, 0.7), (1, None)]
    (knows,) = kg.relationships.list().items
    assert (knows.triple, knows.source, knows.version) == ((a.id, "knows", b.id, None), "book", 1)


def test_the_same_records_twice_change_nothing(kg: KnowledgeGraph) -> None:
    """Neither the graph nor the log, whichever fields the records have; nor does what `dump` gives."""
    records = [
        an_entity("a", aliases=["Countess", "Ádá"], metadata={"born": 1815, "tags": ["x", {"y": 1.0}], "": None}),
        an_entity("b", confidence=1, source="https://example.org", source_type="web", type="org"),
        an_entity(id=str(C), name="e\u0301", metadata={"n": 2**63 - 1, "f": 1e-7, "z": -0.0, "text": "\x01 \\ \t"}),
        a_relationship("a", "b", confidence=0, metadata={"page": [1, 2]}),
        a_relationship("a", C, id=str(R), source="s", source_type="t"),
    ]
    assert counts(kg.load(records)) == (5, 0, 0, 0)
    before, dumped = log(kg), list(kg.dump())
    for again in (records, map(line, records), dumped, kg.dump()):
        assert counts(kg.load(again)) == (0, 0, 5, 0)
    assert (log(kg), list(kg.dump())) == (before, dumped)


def test_a_record_that_replaces_is_all_there_is_to_say(kg: KnowledgeGraph) -> None:
    """A field that a later record leaves out becomes empty."""
    kg.load([an_entity("a", aliases=["x"], confidence=0.5, source="s", source_type="t", metadata={"m": 1})])
    kg.load([an_entity("b"), a_relationship("a", "b", confidence=0.5, source="s", source_type="t", metadata={"m": 1})])
    again = [an_entity("a"), a_relationship("a", "b")]
    assert counts(kg.load(again, existing="replace")) == (0, 2, 0, 0)
    for record in (kg.entities.get_by_key("a"), *kg.relationships.list().items):
        empty = (record.confidence, record.source, record.source_type, record.metadata)
        assert (*empty, record.version) == (None, None, None, {}, 2)
    assert kg.entities.get_by_key("a").aliases == ()


def test_entities_are_found_by_id_or_key(kg: KnowledgeGraph) -> None:
    """By an id, which may bring a new key, or by the key that an entity holds; a record with neither is refused."""
    assert counts(kg.load([an_entity(id=A), an_entity("b", id=str(B).upper()), an_entity("c")])) == (3, 0, 0, 0)
    summary = kg.load(
        [
            an_entity("a", id=A),
            an_entity("b", type="org"),
            an_entity(id=B, name="Lovelace"),
            an_entity("b"),
            an_entity(name="nobody's"),
            an_entity("a", id=B),
        ],
        existing="replace",
    )
    assert (counts(summary), refused(summary)) == ((1, 3, 0, 2), [(5, "required"), (6, "key_taken")])
    assert kg.entities.get_by_key("a").id == A
    assert (kg.entities.get(B).key, kg.entities.get(B).name, kg.entities.get(B).version) == (None, "Lovelace", 3)
    assert kg.entities.get_by_key("b").id not in (A, B)


def test_relationships_are_found_by_id_or_ends(kg: KnowledgeGraph) -> None:
    """The ends may be named by id or key; an id that stands for other ends is refused, and so is a second id."""
    kg.load([an_entity("a", id=A), an_entity("b", id=B), an_entity("c")])
    summary = kg.load(
        [
            a_relationship("a", "b", id=R),
            a_relationship(A, "b", confidence=0.5),
            a_relationship("a", B, confidence=0.5, id=R),
            a_relationship(B, A, id=R),
            a_relationship(A, B, id=S),
            a_relationship(A, B, relationship_type="cites", id=R),
            a_relationship(A, "c"),
        ]
    )
    assert counts(summary) == (2, 1, 1, 3)
    assert refused(summary) == [(4, "ends_changed"), (5, "triple_taken"), (6, "ends_changed")]
    assert kg.relationships.get(R).triple == (A, "knows", B, None)


def test_a_key_moves_within_a_file(kg: KnowledgeGraph) -> None:
    """One entity gives a key up, another takes it, and a third is created with the key that this one had."""
    kg.load([an_entity("a", id=A), an_entity("b", id=B)])
    moved = [an_entity(id=A), an_entity("a", id=B), an_entity("b", id=C), an_entity("c", id=A)]
    assert counts(kg.load(moved)) == (1, 3, 0, 0)
    assert {key: kg.entities.get_by_key(key).id for key in "abc"} == {"a": B, "b": C, "c": A}


@pytest.mark.parametrize("atomic", [False, True])
@pytest.mark.parametrize(("first", "second"), [(A, B), (B, A)])
def test_two_entities_swap_their_keys(kg: KnowledgeGraph, first: UUID, second: UUID, atomic: bool) -> None:
    """By way of a third key, because no two may hold one at any moment."""
    kg.load([an_entity("one", id=first), an_entity("other", id=second)])
    swap = [an_entity("spare", id=first), an_entity("one", id=second), an_entity("other", id=first)]
    assert counts(kg.load(swap, atomic=atomic)) == (0, 3, 0, 0)
    assert [(kg.entities.get(id).key, kg.entities.get(id).version) for id in (first, second)] == [
        ("other", 3),
        ("one", 2),
    ]


def test_one_file_may_name_a_record_often(kg: KnowledgeGraph) -> None:
    """The later line has the last word, and each change is one of its own in the log."""
    summary = kg.load(
        [
            an_entity("a"),
            an_entity("a"),
            an_entity("b"),
            an_entity("a", confidence=0.5),
            a_relationship("a", "b"),
            a_relationship("a", "b", confidence=0.1),
            a_relationship("a", "b", confidence=0.1),
            an_entity("a", confidence=None),
        ]
    )
    assert counts(summary) == (3, 3, 2, 0)
    a = kg.entities.get_by_key("a")
    assert (a.confidence, a.version) == (None, 3)
    changes = [change.record for change in log(kg)]
    assert [(record.version, record.confidence) for record in changes if record.id == a.id] == [
        (1, None),
        (2, 0.5),
        (3, None),
    ]
    assert [(record.version, record.confidence) for record in changes if record.id not in (a.id,)] == [
        (1, None),
        (1, None),
        (2, 0.1),
    ]


# What is refused


@pytest.mark.parametrize("batch", BATCH_SIZES)
def test_entities_come_before_their_relationships(
    kg: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    """A relationship that names a later entity, or a key that an entity takes later, is refused in every batch size."""
    monkeypatch.setattr(load, "BATCH_RECORDS_MAX", batch)
    kg.load([an_entity("old", id=C)])
    summary = kg.load(
        [
            an_entity("a", id=A),
            a_relationship("a", "b"),
            a_relationship(A, B),
            a_relationship("a", "new"),
            an_entity("b", id=B),
            an_entity("new", id=C),
            a_relationship("old", "a"),
            a_relationship("b", "new"),
        ]
    )
    assert refused(summary) == [(number, "end_not_found") for number in (2, 3, 4, 7)]
    assert counts(summary) == (3, 1, 0, 4)
    assert [found.triple for found in kg.relationships.list().items] == [(B, "knows", C, None)]


def test_what_is_deleted_stays_deleted(kg: KnowledgeGraph) -> None:
    """A load brings nothing back: not by key, not by id, not by ends; one that says the same changes nothing."""
    kg.load([an_entity("a", id=A), an_entity("b", id=B), a_relationship(A, B, id=R), an_entity("c", id=C)])
    assert counts(kg.load([a_relationship(B, C, id=S)])) == (1, 0, 0, 0)
    kg.relationships.delete(S)
    kg.entities.delete(A)
    before, dumped = log(kg), list(kg.dump())
    for record, code in (
        (an_entity("a"), "deleted"),
        (an_entity("a", id=A), "deleted"),
        (an_entity("other", id=A), "deleted"),
        (a_relationship(B, C), "deleted"),
        (a_relationship("b", "c", id=S), "deleted"),
        (a_relationship(A, B, id=R), "deleted"),
        (a_relationship(A, C), "ends_deleted"),
        (a_relationship("a", C), "ends_deleted"),
        (a_relationship(C, "a", id=T), "ends_deleted"),
    ):
        assert refused(kg.load([record])) == [(1, code)]
    assert counts(kg.load(dumped)) == (0, 0, 5, 0)
    assert (log(kg), list(kg.dump())) == (before, dumped)


def test_a_new_id_makes_a_new_record_beside_a_deleted_one(kg: KnowledgeGraph) -> None:
    """With its key, or its ends and type; a dump of a graph in which that happened holds both."""
    kg.load([an_entity("a", id=A), an_entity("b", id=B), a_relationship(A, B, id=R)])
    kg.relationships.delete(R)
    assert counts(kg.load([a_relationship(A, B, id=S)])) == (1, 0, 0, 0)
    kg.entities.delete(A)
    assert counts(kg.load([an_entity("a", id=C), a_relationship("a", "b", id=T)])) == (2, 0, 0, 0)
    assert kg.entities.get_by_key("a").id == C
    assert kg.relationships.get(T).source_entity_id == C
    records = list(kg.dump())
    with connect("memory://") as copy:
        assert counts(copy.load(records)) == (6, 0, 0, 0)
        assert list(copy.dump()) == records


def test_what_is_active_stays_active(kg: KnowledgeGraph) -> None:
    """A record that says that it is deleted deletes nothing."""
    kg.load([an_entity("a", id=A), an_entity("b", id=B), a_relationship(A, B, id=R)])
    before = log(kg)
    gone = [an_entity("a"), an_entity(id=B), a_relationship(A, B), a_relationship(A, B, id=R, deleted_with=A)]
    summary = kg.load(map(deleted, gone))
    assert refused(summary) == [(number, "active") for number in (1, 2, 3, 4)]
    assert log(kg) == before


def test_deleted_records_can_be_new(kg: KnowledgeGraph) -> None:
    """A record of something deleted is created deleted; `deleted_with` must name a deleted end of it."""
    kg.load([an_entity("a", id=A), deleted(an_entity("b", id=B)), deleted(an_entity("c", id=C))])
    summary = kg.load(
        [
            deleted(a_relationship(A, B, id=R), deleted_with=B),
            deleted(a_relationship(B, C), deleted_with=B),
            deleted(a_relationship(B, A)),
            deleted(a_relationship(C, A), deleted_with=B),
            a_relationship(C, B, deleted_with=C),
            a_relationship(A, B),
        ]
    )
    assert counts(summary) == (3, 0, 0, 3)
    assert refused(summary) == [(4, "deleted_with"), (5, "not_deleted"), (6, "ends_deleted")]
    assert kg.entities.restore(B).relationships == (R,)


MALFORMED: list[tuple[Any, str]] = [
    (b'{"kind": "entity"', "malformed_json"),
    (b'{"kind": "entity", "key": "x", "type": "t", "name": "n", "name": "m"}', "malformed_json"),
    (b'{"kind": "entity", "key": "x", "type": "t", "name": "n", "confidence": NaN}', "malformed_json"),
    (b'{"kind": "entity", "name": "\xff"}', "malformed_json"),
    (b"[" * 100_000, "malformed_json"),
    (b'{"kind": "entity"} {"kind": "entity"}', "malformed_json"),
    ("\ufeff\ufeff{}", "malformed_json"),
    (b" " * LINE_BYTES_MAX + b"{}", "too_large"),
    (b"[]", "not_an_object"),
    (b"null", "not_an_object"),
    (7, "not_an_object"),
    (None, "not_an_object"),
    ([["kind", "entity"]], "not_an_object"),
    ({}, "not_a_choice"),
    ({"kind": "person"}, "not_a_choice"),
    ({"kind": ["entity"]}, "not_a_choice"),
    ({"kind": "entity", "key": "x", "type": "t"}, "required"),
    ({"kind": "entity", "key": "x", "type": "t", "nmae": "n"}, "unknown_field"),
    ({"kind": "entity", "key": "x", "type": "t", "name": "n", "version": 1}, "unknown_field"),
    ({"kind": "entity", "key": "x", "type": "t", "name": "n", "confidence": "0.5"}, "not_a_number"),
    ({"kind": "entity", "key": "x", "type": "t", "name": "n", "is_active": 1}, "not_a_flag"),
    ({"kind": "entity", "key": "x", "type": "t", "name": "n", "metadata": {"a": "\x00"}}, "invalid_text"),
    ({"kind": "entity", "key": "x", "type": "t", "name": "\ud800"}, "lone_surrogate"),
    ({"kind": "entity", "id": "7", "type": "t", "name": "n"}, "invalid_id"),
    ({"kind": "relationship", "relationship_type": "knows", "source_entity_key": "good"}, "end"),
    ({**a_relationship("good", "good"), "source_entity_id": A}, "end"),
    (a_relationship("good", "good", valid_from="1994-00"), "not_a_date"),
    (a_relationship("good", "good", valid_from="1995", valid_to="1994"), "ends_before_it_begins"),
    (a_relationship("good", "missing"), "end_not_found"),
]


@pytest.mark.parametrize("batch", [3, 5000])
def test_bad_lines_are_refused_and_the_others_are_kept(
    kg: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    """Each with its number and a code; told to the caller at once, in order."""
    monkeypatch.setattr(load, "BATCH_RECORDS_MAX", batch)
    told: list[Refusal] = []
    bad = [item for item, _ in MALFORMED]
    summary = kg.load([an_entity("good"), *bad, an_entity("last")], on_refusal=told.append)
    assert refused(summary) == [(number, code) for number, (_, code) in enumerate(MALFORMED, 2)]
    assert tuple(told) == summary.refusals
    assert counts(summary) == (2, 0, 0, len(MALFORMED))
    assert [entity.key for entity in kg.entities.list().items] == ["good", "last"]


def test_all_refusals_are_told_and_the_first_are_kept(kg: KnowledgeGraph) -> None:
    """So that a file full of faults fills no memory."""
    told: list[Refusal] = []
    summary = kg.load(["x"] * (REFUSALS_KEPT_MAX + 5), on_refusal=told.append)
    assert summary.refused == len(told) == REFUSALS_KEPT_MAX + 5
    assert summary.refusals == tuple(told[:REFUSALS_KEPT_MAX])
    assert str(told[0]).startswith("line 1: ")


def test_lines_are_bytes_text_or_mappings(kg: KnowledgeGraph) -> None:
    """A byte order mark and blank lines are passed over; blank lines have numbers all the same."""
    summary = kg.load(
        [
            b"\xef\xbb\xbf" + line(an_entity("a")),
            b"\n",
            line(an_entity("b")).decode(),
            "",
            " \t\r\n",
            line(an_entity("c")).replace(b"\n", b"\r\n"),
            json.loads(line(an_entity("d"))),
            "?",
        ]
    )
    assert (counts(summary), refused(summary)) == ((4, 0, 0, 1), [(8, "malformed_json")])
    assert [entity.key for entity in kg.entities.list().items] == ["a", "b", "c", "d"]
    assert counts(kg.load([])) == counts(kg.load([b"", "\n"])) == (0, 0, 0, 0)


def test_records_are_left_as_they_were_given(kg: KnowledgeGraph) -> None:
    """A load neither changes a mapping nor keeps a part of it that its owner may change later."""
    record = an_entity("a", aliases=["x"], metadata={"list": [1]})
    as_given = json.dumps(record)
    kg.load([record])
    assert json.dumps(record) == as_given
    record["metadata"]["list"].append(2)
    assert kg.entities.get_by_key("a").metadata == {"list": [1]}


# All or nothing


@pytest.mark.parametrize("batch", [2, 5000])
def test_an_atomic_load_keeps_all_or_nothing(kg: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    """One refusal takes everything back, and the summary still tells what became of every line."""
    monkeypatch.setattr(load, "BATCH_RECORDS_MAX", batch)
    kg.load([an_entity("a"), an_entity("b")])
    before, dumped = log(kg), list(kg.dump())
    records = [an_entity("a", confidence=0.5), an_entity("c"), a_relationship("a", "c"), an_entity("b")]
    bad = kg.load([records[0], "?", *records[1:], a_relationship("a", "z")], atomic=True)
    assert (counts(bad), refused(bad)) == ((2, 1, 1, 2), [(2, "malformed_json"), (6, "end_not_found")])
    assert not bad.is_kept
    assert (log(kg), list(kg.dump())) == (before, dumped)
    good = kg.load(records, atomic=True)
    assert (counts(good), good.is_kept) == ((2, 1, 1, 0), True)
    assert kg.stats().changes == len(before) + 3
    assert kg.relationships.count() == 1


@pytest.mark.parametrize("atomic", [False, True])
def test_records_that_end_in_an_error_keep_whole_batches(
    kg: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch, atomic: bool
) -> None:
    """The caller's error comes through; the batches before it stay, unless all were to be one."""
    monkeypatch.setattr(load, "BATCH_RECORDS_MAX", 2)

    def records() -> Iterator[Fields]:
        yield from map(an_entity, "abc")
        raise OSError("the file is gone")

    with pytest.raises(OSError, match="gone"):
        kg.load(records(), atomic=atomic)
    assert [entity.key for entity in kg.entities.list().items] == ([] if atomic else ["a", "b"])
    assert counts(kg.load(map(an_entity, "abc"))) == ((3, 0, 0, 0) if atomic else (1, 0, 2, 0))


# Who loads


def test_a_user_changes_only_their_own(kg: KnowledgeGraph) -> None:
    """Another's record is refused when it would change, and unchanged when it would not."""
    kg.load([an_entity("a"), an_entity("b"), a_relationship("a", "b")])
    summary = kg.acting_as(USER).load(
        [
            an_entity("a", confidence=0.5),
            an_entity("b"),
            an_entity("mine"),
            an_entity("mine", confidence=0.5),
            a_relationship("a", "b", confidence=0.5),
            a_relationship("a", "mine"),
        ]
    )
    assert refused(summary) == [(1, "permission_denied"), (5, "permission_denied")]
    assert counts(summary) == (2, 1, 1, 2)
    assert kg.entities.get_by_key("mine").created_by == USER
    moderator = Actor(ActorKind.USER, str(B), Role.MODERATOR)
    assert counts(kg.acting_as(moderator).load([an_entity("a", confidence=0.5)])) == (0, 1, 0, 0)
    assert kg.entities.get_by_key("a").created_by != moderator


def test_who_may_not_create_may_not_load(kg: KnowledgeGraph) -> None:
    """A disabled user is told so before a record is read; so is a service without the scope."""
    asked: list[str] = []
    for actor in (Actor(ActorKind.USER, str(A), None), Actor(ActorKind.SERVICE, "ai")):
        with pytest.raises(PermissionDenied):
            kg.acting_as(actor).load(map(asked.append, "x"))  # type: ignore[func-returns-value]
        with pytest.raises(PermissionDenied):
            kg.acting_as(actor).dump()
    assert asked == []


@pytest.mark.parametrize("batch", BATCH_SIZES)
def test_changes_are_logged_in_order_with_their_actor(
    kg: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    """One for each record that was created or updated; each version after the one before, ends before relationships."""
    monkeypatch.setattr(load, "BATCH_RECORDS_MAX", batch)
    kg.acting_as(USER).load([an_entity(key) for key in "abcd"])
    kg.load(
        [
            an_entity("d", confidence=0.1),
            an_entity("e"),
            a_relationship("a", "e"),
            an_entity("a", confidence=0.1),
            an_entity("f"),
            a_relationship("f", "a"),
            a_relationship("a", "e", confidence=0.3),
            an_entity("a", confidence=0.2),
            an_entity("b"),
        ]
    )
    changes = log(kg)
    assert [change.record.key for change in changes[:4]] == list("abcd")
    assert {(change.action, change.actor, change.record.created_by) for change in changes[:4]} == {
        ("created", USER, USER)
    }
    assert len(changes) == kg.stats().changes == 4 + 8
    assert {str(change.actor) for change in changes[4:]} == {"system"}
    seen: dict[UUID, int] = {}
    for change in changes:
        assert change.record.version == seen.get(change.record.id, 0) + 1
        assert change.action == ("created" if change.record.version == 1 else "updated")
        assert all(end in seen for end in getattr(change.record, "ends", ()))
        seen[change.record.id] = change.record.version
    assert {record["id"] for record in kg.dump()} == {str(id) for id in seen}


# Whatever the batches

_KEYS, _IDS = st.sampled_from("abc"), st.sampled_from([A, B, C, D])
_METADATA = st.sampled_from([None, {}, {"a": 1}, {"b": None}, {"a": None, "c": {"d": 1}}])
_ENTITY_RECORDS = st.builds(
    lambda name, fields, is_whole: {
        "kind": "entity",
        **({"type": "person", "name": "Ada"} if is_whole else {}),
        **name,
        **fields,
    },
    st.one_of(
        st.builds(lambda key: {"key": key}, _KEYS),
        st.builds(lambda id: {"id": id}, _IDS),
        st.builds(lambda id, key: {"id": id, "key": key}, _IDS, _KEYS),
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "confidence": st.sampled_from([None, 0.5]),
            "is_active": st.sampled_from([True, False]),
            "metadata": _METADATA,
        },
    ),
    st.sampled_from([True, True, True, False]),
)
_END = st.sampled_from(["a", "b", "c", A, B, C, D])
_ACTIVITY: st.SearchStrategy[Fields] = st.one_of(
    st.just({}),
    st.just({"is_active": False}),
    st.builds(lambda end: {"is_active": False, "deleted_with": end}, st.sampled_from([A, B, C])),
)
_RELATIONSHIP_RECORDS = st.builds(
    lambda source, target, fields, activity: a_relationship(source, target, **fields, **activity),
    _END,
    _END,
    st.fixed_dictionaries(
        {},
        optional={
            "confidence": st.sampled_from([None, 0.5]),
            "id": st.sampled_from([R, S, T]),
            "relationship_type": st.sampled_from(["knows", "cites"]),
            "metadata": _METADATA,
        },
    ),
    _ACTIVITY,
)
RECORDS = st.lists(st.one_of(_ENTITY_RECORDS, _RELATIONSHIP_RECORDS), max_size=14)
EXISTING = st.sampled_from(["merge", "merge", "replace", "keep", "refuse"])
GIVEN_IDS = {str(id) for id in (A, B, C, D, R, S, T)}


def without_made_ids(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Records of a dump, ordered, and with the same names for the ids that kgl made in whatever order it made them."""
    names = {
        record["id"]: f"made for {record['key']}, {record.get('is_active', True)}"
        for record in records
        if record["kind"] == "entity" and record["id"] not in GIVEN_IDS
    }
    shown = []
    for record in records:
        renamed = {name: names.get(value, value) if isinstance(value, str) else value for name, value in record.items()}
        if renamed["id"] not in GIVEN_IDS and record["kind"] == "relationship":
            renamed["id"] = "made"
        shown.append(json.dumps(renamed, sort_keys=True))
    return sorted(shown)


def outcome(
    kg: KnowledgeGraph,
    before: Sequence[Fields],
    records: Sequence[Fields],
    batch: int,
    atomic: bool = False,
    existing: str = "merge",
) -> tuple[Any, ...]:
    """What a load of ``records`` in batches of a size did, beyond ids."""
    kg.load(before)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load, "BATCH_RECORDS_MAX", batch)
        summary = kg.load(records, atomic=atomic, existing=existing)
    dumped = list(kg.dump())
    assert len(log(kg)) == kg.stats().changes
    told = (*counts(summary), summary.kept), refused(summary)
    return *told, summary.is_kept, without_made_ids(dumped), kg.stats().changes


@pytest.mark.parametrize(("store_name", "examples"), [("memory", 300), ("sqlite", 40), ("postgres", 30)])
def test_the_outcome_does_not_depend_on_the_batches(empty_url: EmptyUrl, store_name: str, examples: int) -> None:
    """It is that of one record at a time in memory; in an atomic load too, as long as no record is refused."""

    @settings(max_examples=examples)
    @given(before=RECORDS, records=RECORDS, batch=st.sampled_from(BATCH_SIZES), atomic=st.booleans(), existing=EXISTING)
    def check(before: list[Fields], records: list[Fields], batch: int, atomic: bool, existing: str) -> None:
        with connect("memory://") as kg:
            expected = outcome(kg, before, records, batch=1, existing=existing)
        with connect(empty_url(store_name)) as kg:
            found = outcome(kg, before, records, batch, atomic, existing)
        if atomic and expected[1]:
            assert found[:2] == expected[:2]
            with connect("memory://") as kg:
                assert found[2:] == (False, *outcome(kg, before, [], batch=1)[3:])
        else:
            assert found == expected

    check()


# Dump and load


def history(kg: KnowledgeGraph) -> None:
    """Make a graph with all that a dump can hold: deleted entities, their relationships, and what was deleted alone."""
    kg.load(
        [
            an_entity(
                "a", id=A, aliases=["x", "ÿ"], confidence=0.25, source="s", source_type="t", metadata={"m": [1.0]}
            ),
            an_entity("b", id=B),
            an_entity("c", id=C),
            an_entity(id=D, name="\U0001f600"),
            a_relationship(A, B, id=R, confidence=1, metadata={"page": {"of": 7}}),
            a_relationship(B, C, id=S),
            a_relationship(C, D, id=T),
            a_relationship(A, C, relationship_type="cites"),
            a_relationship(D, A, relationship_type="cites", source="s", source_type="t"),
        ]
    )
    kg.relationships.delete(T)
    kg.relationships.create(C, "knows", D)
    kg.entities.delete(B)
    kg.entities.delete(A)
    kg.entities.create(type="person", name="another", key="a")
    kg.entities.delete(C)


def restorations(kg: KnowledgeGraph) -> list[Any]:
    """What restoring one deleted record after another does."""
    kg.entities.delete(kg.entities.get_by_key("a").id)
    done: list[Any] = []
    for id in (C, A, B):
        restoration = kg.entities.restore(id)
        done.append((restoration.entity.key, set(restoration.relationships), set(restoration.left_deleted)))
    with pytest.raises(AlreadyExists):
        kg.relationships.restore(T)
    return [*done, list(kg.dump())]


@pytest.mark.parametrize("target", STORES)
@pytest.mark.parametrize("source", STORES)
def test_a_dump_makes_an_equal_graph_in_every_store(
    opened: Callable[[str], KnowledgeGraph], source: str, target: str
) -> None:
    """Deleted records and what they were deleted with included, so that restoring does the same there."""
    with opened(source) as kg:
        history(kg)
        records = list(kg.dump())
        assert len(records) == 11
        expected = restorations(kg)
    with opened(target) as copy:
        assert counts(copy.load(map(line, records), atomic=True)) == (11, 0, 0, 0)
        assert list(copy.dump()) == records
        assert counts(copy.load(records)) == (0, 0, 11, 0)
        assert copy.stats().changes == 11
        assert restorations(copy) == expected


@pytest.mark.parametrize("batch", BATCH_SIZES)
def test_a_dump_loads_in_any_batches(kg: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    """Into an empty store, one record at a time or all at once."""
    history(kg)
    records = list(kg.dump())
    monkeypatch.setattr(load, "BATCH_RECORDS_MAX", batch)
    with connect("memory://") as copy:
        assert counts(copy.load(records)) == (11, 0, 0, 0)
        assert list(copy.dump()) == records


def test_a_dump_is_of_one_moment(kg: KnowledgeGraph) -> None:
    """What is written while it is read is not in it, and writers need not wait for it."""
    history(kg)
    expected = list(kg.dump())
    records = kg.dump()
    first = next(records)
    kg.load([an_entity("later"), an_entity(id=D, name="changed")])
    assert [first, *records] == expected


# Others load beside it

_PEOPLE = [an_entity(f"p{number:03}", confidence=number / 200) for number in range(160)]
_ACQUAINTANCES = [a_relationship(f"p{n:03}", f"p{(n * 7 + 3) % 160:03}", confidence=0.5) for n in range(160)]


def loaded_at_once(kg: KnowledgeGraph, files: Sequence[Sequence[Fields]], *, atomic: bool = False) -> list[LoadSummary]:
    """Load each of the files in a thread of its own, all at once."""
    barrier = Barrier(len(files))

    def load_file(file: Sequence[Fields]) -> LoadSummary:
        barrier.wait()
        return kg.load(file, atomic=atomic)

    with ThreadPoolExecutor(len(files)) as threads:
        summaries = list(threads.map(load_file, files))
    assert gc.isenabled()
    return summaries


def loaded_beside_each_other(
    empty_url: EmptyUrl, store_name: str, files: Sequence[Sequence[Fields]], *, atomic: bool = False
) -> tuple[list[LoadSummary], list[str], int]:
    """Load the files into an empty store, all at once: the summaries, the graph, and how many changes."""
    with connect(empty_url(store_name)) as kg:
        summaries = loaded_at_once(kg, files, atomic=atomic)
        return summaries, without_made_ids(list(kg.dump())), kg.stats().changes


def in_order(order: str, seed: int) -> list[Fields]:
    """The records for a load: entities first, as they are or shuffled, or each one as early as it can come."""
    chance = random.Random(seed)
    people, acquaintances = list(_PEOPLE), list(_ACQUAINTANCES)
    if order == "same":
        return [*people, *acquaintances]
    chance.shuffle(people)
    chance.shuffle(acquaintances)
    if order == "shuffled":
        return [*people, *acquaintances]
    place = {person["key"]: number for number, person in enumerate(people)}
    known_after = {
        id(record): max(place[record["source_entity_key"]], place[record["target_entity_key"]]) + 0.5
        for record in acquaintances
    }
    return sorted([*people, *acquaintances], key=lambda record: known_after.get(id(record)) or place[record["key"]])


@pytest.mark.parametrize("store_name", ["sqlite", "postgres"])
@pytest.mark.parametrize("order", ["same", "shuffled", "mixed"])
@pytest.mark.parametrize("batch", [20, 5000])
def test_loads_beside_each_other_make_one_graph(
    empty_url: EmptyUrl, monkeypatch: pytest.MonkeyPatch, store_name: str, order: str, batch: int
) -> None:
    """The same records in four threads, in the same order or each in its own: no error, and every record once."""
    with connect("memory://") as alone:
        alone.load([*_PEOPLE, *_ACQUAINTANCES])
        expected = without_made_ids(list(alone.dump()))
    monkeypatch.setattr(load, "BATCH_RECORDS_MAX", batch)
    files = [in_order(order, seed) for seed in range(4)]
    summaries, found, changes = loaded_beside_each_other(empty_url, store_name, files)
    assert [(summary.updated, refused(summary)) for summary in summaries] == [(0, [])] * 4
    assert sum(summary.created for summary in summaries) == len(expected) == changes
    assert found == expected


@pytest.mark.parametrize("store_name", ["sqlite", "postgres"])
def test_atomic_loads_beside_each_other_make_one_graph(empty_url: EmptyUrl, store_name: str) -> None:
    """Whoever comes later finds everything there, and refuses nothing."""
    summaries, _, changes = loaded_beside_each_other(empty_url, store_name, [in_order("same", 0)] * 4, atomic=True)
    total = len(_PEOPLE) + len(_ACQUAINTANCES)
    assert sorted(map(counts, summaries)) == [(0, 0, total, 0)] * 3 + [(total, 0, 0, 0)]
    assert changes == total


@pytest.mark.parametrize("store_name", ["sqlite", "postgres"])
def test_overlapping_loads_make_one_graph(
    empty_url: EmptyUrl, monkeypatch: pytest.MonkeyPatch, store_name: str
) -> None:
    """Files that share a part of their records, loaded from either end, make what one load after the other makes."""
    monkeypatch.setattr(load, "BATCH_RECORDS_MAX", 30)
    files: list[list[Fields]] = []
    for thread in range(4):
        people = [entity for number, entity in enumerate(_PEOPLE) if number % 4 != thread]
        keys = {entity["key"] for entity in people}
        theirs = [r for r in _ACQUAINTANCES if {r["source_entity_key"], r["target_entity_key"]} <= keys]
        way = -1 if thread % 2 else 1
        files.append([*people[::way], *theirs[::way]])
    with connect("memory://") as alone:
        for file in files:
            alone.load(file)
        expected = without_made_ids(list(alone.dump()))
    summaries, found, changes = loaded_beside_each_other(empty_url, store_name, files)
    assert [(summary.updated, refused(summary)) for summary in summaries] == [(0, [])] * 4
    assert sum(summary.created for summary in summaries) == len(expected) == changes
    assert found == expected


@pytest.mark.parametrize("store_name", ["sqlite", "postgres"])
def test_loads_beside_each_other_may_name_records_differently(
    empty_url: EmptyUrl, monkeypatch: pytest.MonkeyPatch, store_name: str
) -> None:
    """By id or by key, by id or by ends: they wait for each other, never in a circle, and change each record once."""
    chance = random.Random(0)
    known = [{**record, "id": UUID(int=chance.getrandbits(128))} for record in in_order("same", 0)]
    ids = {record["key"]: record["id"] for record in known if record["kind"] == "entity"}
    monkeypatch.setattr(load, "BATCH_RECORDS_MAX", 20)

    def renamed(record: Fields) -> Fields:
        shown = {name: value for name, value in record.items() if name != "id" or chance.random() < 0.5}
        for end in ("source", "target"):
            if f"{end}_entity_key" in shown and chance.random() < 0.5:
                shown[f"{end}_entity_id"] = ids[shown.pop(f"{end}_entity_key")]
        return {**shown, "source_type": "second"}

    files = [list(map(renamed, chance.sample(known, len(known)))) for _ in range(4)]
    with connect(empty_url(store_name)) as kg:
        kg.load(known)
        summaries = loaded_at_once(kg, files)
        assert [counts(summary)[::3] for summary in summaries] == [(0, 0)] * 4
        assert sum(summary.updated for summary in summaries) == len(known)
        assert kg.stats().changes == 2 * len(known)


def wait_until_it_waits(url: str, task: Future[Any]) -> None:
    """Return once PostgreSQL holds up the task at a lock, or the task has ended without one."""
    unprepared = {"prepare_threshold": None}  # a pooler may be between
    engine = create_engine(parse_url(url), poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=unprepared)
    with engine.connect() as connection:
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')")
        while not (task.done() or connection.execute(waiting).scalar_one()):
            pass


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (an_entity("a", confidence=0.5), "deleted"),
        (an_entity("other", id=A), "deleted"),
        (a_relationship("a", "c"), "ends_deleted"),
        (a_relationship("c", A), "ends_deleted"),
        (a_relationship("a", "b", confidence=0.5), "ends_deleted"),
        (a_relationship(A, B, id=R), "ends_deleted"),
    ],
)
@pytest.mark.parametrize("others", [0, 2])
def test_a_load_that_waited_for_a_deletion_sees_it(empty_url: EmptyUrl, record: Fields, code: str, others: int) -> None:
    """Also where it is the first one of all; neither does it make a second record, nor does it miss the first."""
    url = empty_url("postgres")
    with connect(url) as kg, ThreadPoolExecutor(1) as thread:
        kg.load([an_entity("a", id=A), an_entity("b", id=B), an_entity("c"), a_relationship(A, B)])
        dumped = list(kg.dump())
        with kg.transaction() as tx:
            tx.entities.delete(A)
            loading = thread.submit(kg.load, [record, *(an_entity(f"new{n}") for n in range(others))])
            wait_until_it_waits(url, loading)
        assert refused(loading.result()) == [(1, code)]
        assert len(list(kg.dump())) == len(dumped) + others


@pytest.mark.parametrize("way", ["find", "ends", "load"])
def test_who_waited_for_a_key_that_moves_sees_who_holds_it(empty_url: EmptyUrl, way: str) -> None:
    """The one who had it and has none now is not found by it any more."""
    url = empty_url("postgres")
    with connect(url) as kg, ThreadPoolExecutor(1) as thread:
        kg.load([an_entity("a", id=A), an_entity("b", id=B), an_entity("c")])

        def named() -> list[UUID]:
            if way == "load":
                assert counts(kg.load([an_entity("a", confidence=0.5), a_relationship("a", "c")])) == (1, 1, 0, 0)
                return [kg.relationships.list().items[0].source_entity_id]
            with kg._context.store.begin() as uow:
                found = uow.entities.ends((), ["a"]) if way == "ends" else uow.entities.find((), ["a"], lock="update")
                return [each.id for each in found]

        with kg.transaction() as tx:
            tx.entities.update(A, key=None)
            tx.entities.update(B, key="a")
            waiting = thread.submit(named)
            wait_until_it_waits(url, waiting)
        assert waiting.result() == [B]


@pytest.mark.parametrize("others", [0, 2])
def test_a_load_that_waited_for_a_restoration_sees_it(empty_url: EmptyUrl, others: int) -> None:
    """The entity and its relationship are there again: unchanged or updated, not missing and not doubled."""
    url = empty_url("postgres")
    with connect(url) as kg, ThreadPoolExecutor(1) as thread:
        for record, expected in (
            (a_relationship("a", "c"), (1, 0, 0, 0)),
            (a_relationship("a", "b"), (0, 0, 1, 0)),
            (a_relationship(A, B, confidence=0.5), (0, 1, 0, 0)),
            (an_entity("a"), (0, 0, 1, 0)),
            (an_entity("a", confidence=0.5), (0, 1, 0, 0)),
        ):
            kg.load([an_entity("a", id=A), an_entity("b", id=B), an_entity("c"), a_relationship(A, B)])
            kg.entities.delete(A)
            with kg.transaction() as tx:
                tx.entities.restore(A)
                news = [an_entity(f"{new_id()}") for _ in range(others)]
                loading = thread.submit(kg.load, [record, *news])
                wait_until_it_waits(url, loading)
            assert refused(loading.result()) == []
            assert counts(loading.result()) == (expected[0] + others, *expected[1:])
