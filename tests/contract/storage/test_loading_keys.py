"""Keys that change hands within a load: swaps, circles and chains, on every store and in batches of any size."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgl_core import Actor, ActorKind, KnowledgeGraph, Role
from kgl_core.storage.loading import keys as load_keys
from kgl_core.storage.loading import load
from kgl_core.storage.loading.keys import granted
from tests.contract.storage.test_loading import (
    BATCH_SIZES,
    A,
    B,
    C,
    D,
    Fields,
    a_relationship,
    an_entity,
    counts,
    deleted,
    log,
    refused,
)


@pytest.fixture
def batch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The size of batches."""
    monkeypatch.setattr(load, "BATCH_RECORDS_MAX", request.param)
    size: int = request.param
    return size


def key(id: UUID, key: str | None, **fields: Any) -> Fields:
    """A record that gives an entity a key."""
    return {"kind": "entity", "id": str(id), "key": key, **fields}


def keys(kg: KnowledgeGraph, ids: Sequence[UUID] = (A, B, C)) -> list[str | None]:
    """The keys of entities."""
    return [kg.entities.get(id).key for id in ids]


@pytest.fixture
def three(kg: KnowledgeGraph) -> KnowledgeGraph:
    """A graph of three entities with the keys a, b and c."""
    kg.load([an_entity(name, id=id) for name, id in zip("abc", (A, B, C), strict=True)])
    return kg


@pytest.mark.parametrize("batch", BATCH_SIZES, indirect=True)
@pytest.mark.parametrize("atomic", [False, True])
@pytest.mark.parametrize(
    "wanted", [(A, B, C), (B, A, C), (B, C, A), (C, A, B), (C, B, A)], ids=["none", "swap", "circle", "back", "outer"]
)
def test_entities_hand_their_keys_over(three: KnowledgeGraph, batch: int, atomic: bool, wanted: Sequence[UUID]) -> None:
    """In any order of their lines, in one load; the same load again changes nothing, and each has one change."""
    lines = [key(id, name) for id, name in zip(wanted, "abc", strict=True)]
    moved = sum(before != after for before, after in zip((A, B, C), wanted, strict=True))
    for records, expected in ((lines, (0, moved, 3 - moved, 0)), (lines[::-1], (0, 0, 3, 0))):
        assert counts(three.load(records, atomic=atomic, dry_run=True)) == expected
        assert counts(three.load(records, atomic=atomic)) == expected
    assert keys(three, wanted) == ["a", "b", "c"]
    assert len(log(three)) == 3 + moved


@pytest.mark.parametrize("batch", BATCH_SIZES, indirect=True)
@pytest.mark.parametrize("is_reversed", [False, True])
def test_keys_move_along_a_chain(kg: KnowledgeGraph, batch: int, is_reversed: bool) -> None:
    """Forty entities take each the key of the next, in either order of their lines; a new one takes the first."""
    ids = [UUID(int=number) for number in range(1, 41)]
    kg.load([an_entity(f"k{number}", id=id) for number, id in enumerate(ids)])
    records = [key(id, f"k{number + 1}") for number, id in enumerate(ids)]
    records = [an_entity("k0", id=A), *(records[::-1] if is_reversed else records)]
    assert counts(kg.load(records)) == (1, 40, 0, 0)
    assert keys(kg, [A, *ids]) == [f"k{number}" for number in range(41)]
    assert {kg.entities.get(id).version for id in ids} == {2}


@pytest.mark.parametrize("batch", BATCH_SIZES, indirect=True)
def test_what_follows_sees_the_keys_as_they_will_be(three: KnowledgeGraph, batch: int) -> None:
    """A relationship after a swap joins those who have the keys then; so do lines that name entities by key."""
    records = [
        key(A, "b"),
        key(B, "a"),
        a_relationship("a", "c"),
        {"kind": "entity", "key": "b", "name": "Ada"},
        {"kind": "entity", "id": str(A), "confidence": 0.5},
    ]
    assert counts(three.load(records)) == (1, 4, 0, 0)
    assert three.relationships.list().items[0].triple == (B, "knows", C, None)
    assert (three.entities.get(A).name, three.entities.get(A).confidence, keys(three)) == ("Ada", 0.5, ["b", "a", "c"])


@pytest.mark.parametrize("batch", BATCH_SIZES, indirect=True)
def test_a_key_that_is_never_given_up_is_refused(three: KnowledgeGraph, batch: int) -> None:
    """With its line alone: what waited behind it is loaded, as if that line had not been there."""
    records = [
        key(A, "b"),
        a_relationship("a", "c"),
        {"kind": "entity", "id": str(A), "name": "Ada"},
        {"kind": "entity", "key": "b", "name": "Byron"},
        an_entity("c", id=D),
        a_relationship("c", "b", relationship_type="cites"),
    ]
    summary = three.load(records)
    assert (counts(summary), refused(summary)) == ((2, 2, 0, 2), [(1, "key_taken"), (5, "key_taken")])
    assert [three.entities.get(id).name for id in (A, B)] == ["Ada", "Byron"]
    assert {found.triple for found in three.relationships.list().items} == {
        (A, "knows", C, None),
        (C, "cites", B, None),
    }


@pytest.mark.parametrize("batch", BATCH_SIZES, indirect=True)
def test_keys_are_handed_over_as_far_as_that_is_allowed(three: KnowledgeGraph, batch: int) -> None:
    """Not by those who may not change the holder, not from what is deleted, and not twice."""
    user = three.acting_as(Actor(ActorKind.USER, str(A), Role.USER))
    mine = user.entities.create(type="t", name="mine", key="mine")
    summary = user.load([key(mine.id, "a"), key(A, "mine")])
    assert refused(summary) == [(1, "key_taken"), (2, "key_taken")]
    assert refused(three.load([key(A, "b"), key(C, "b"), key(B, "a")])) == [(2, "key_taken")]
    assert keys(three) == ["b", "a", "c"]
    three.entities.delete(C)
    assert counts(three.load([key(A, "c"), deleted(an_entity("b", id=D)), key(B, "b")])) == (1, 2, 0, 0)
    assert keys(three, [A, B]) == ["c", "b"]


def test_only_so_many_lines_wait(three: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are refused at once, and can be loaded again."""
    monkeypatch.setattr(load_keys, "WAITING_MAX", 2)
    ids = [UUID(int=number) for number in range(1, 5)]
    records = [
        *(key(id, "a", type="t", name="n") for id in ids),
        a_relationship("a", "b"),
        a_relationship("a", "c"),
        a_relationship("c", "a"),
    ]
    for batch in (1, 5000):
        monkeypatch.setattr(load, "BATCH_RECORDS_MAX", batch)
        summary = three.load(records, dry_run=True)
        assert sorted(refused(summary)) == [(n, "key_taken" if n < 3 else "key_moves") for n in (1, 2, 3, 4, 7)]


def test_handing_keys_over_costs_one_more_transaction(kg: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many they are: nothing is tried that the store would refuse."""
    ids = [UUID(int=number) for number in range(1, 201)]
    kg.load([an_entity(f"k{number}", id=id) for number, id in enumerate(ids)])
    begun: list[object] = []
    begin = load.Batch.apply
    monkeypatch.setattr(load.Batch, "apply", lambda batch, records: (begun.append(batch), begin(batch, records)))
    assert counts(kg.load([key(id, f"k{(n + 7) % 200}") for n, id in enumerate(ids)])) == (0, 200, 0, 0)
    assert len(begun) == 2


@given(
    st.dictionaries(st.integers(0, 7), st.integers(0, 9), max_size=8),
    st.sets(st.integers(0, 7)),
)
def test_who_is_granted_a_key_takes_it_from_nobody(wanted: dict[int, int], stuck: set[int]) -> None:
    """Entity n holds key n: whatever is granted, each key has one holder afterwards, and nobody is left out in vain."""
    ids = [UUID(int=number + 1) for number in range(8)]
    asked = {ids[id]: str(name) for id, name in wanted.items() if id != name}
    found = granted(
        asked, lambda name: ids[int(name)] if int(name) < 8 else None, [id for id in asked if id.int - 1 not in stuck]
    )
    after = {id: asked[id] if id in found else str(id.int - 1) for id in ids}
    assert len(set(after.values())) == len(after)
    given_up = {asked[id] for id in found}
    assert not any(str(number) in given_up for number in stuck)
