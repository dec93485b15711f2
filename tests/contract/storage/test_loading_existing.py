"""What becomes of records that a load finds in the graph: merged, replaced, kept or refused; on every store."""

from typing import Any

import pytest

from kgl_adapters import connect
from kgl_core import InvalidInput, KnowledgeGraph
from tests.contract.storage.test_loading import (
    A,
    B,
    R,
    a_relationship,
    an_entity,
    counts,
    deleted,
    history,
    line,
    log,
    refused,
)

FULL: dict[str, Any] = {
    "aliases": ["Countess"],
    "confidence": 0.5,
    "source": "book",
    "source_type": "print",
    "metadata": {"born": 1815, "seen": {"by": "a", "on": 7}},
}


def fields_of(kg: KnowledgeGraph, key: str = "a") -> dict[str, Any]:
    """What the entity with this key holds, in the words of a record."""
    found = kg.entities.get_by_key(key)
    return {"name": found.name, "type": found.type, **{name: getattr(found, name) for name in FULL}} | {
        "aliases": list(found.aliases)
    }


@pytest.fixture
def filled(kg: KnowledgeGraph) -> KnowledgeGraph:
    """A graph with an entity and a relationship that have all fields."""
    relationship = {name: value for name, value in FULL.items() if name != "aliases"}
    kg.load([an_entity("a", id=A, **FULL), an_entity("b", id=B), a_relationship("a", "b", id=R, **relationship)])
    return kg


def test_what_a_line_leaves_out_stays(filled: KnowledgeGraph) -> None:
    """Two modules load the same key: one said everything, the other has a new name only."""
    before = fields_of(filled)
    assert counts(filled.load([{"kind": "entity", "key": "a", "name": "เอดา"}])) == (0, 1, 0, 0)
    assert fields_of(filled) == before | {"name": "เอดา"}
    assert counts(filled.load([{"kind": "entity", "id": str(A)}, a_relationship("a", "b")])) == (0, 0, 2, 0)
    assert counts(filled.load([{"kind": "relationship", "id": str(R), "confidence": 1}])) == (0, 1, 0, 0)
    found = filled.relationships.get(R)
    assert (found.confidence, found.source, found.metadata, found.version) == (1, "book", FULL["metadata"], 2)
    assert filled.entities.get(A).key == "a"


@pytest.mark.parametrize("name", [*FULL, "key"])
def test_null_empties_a_field(filled: KnowledgeGraph, name: str) -> None:
    """Each that can be empty, and no other; the same again changes nothing."""
    record = {"kind": "entity", "id": str(A), name: None}
    assert counts(filled.load([record])) == (0, 1, 0, 0)
    assert counts(filled.load([record])) == (0, 0, 1, 0)
    found = filled.entities.get(A)
    assert getattr(found, name) in (None, (), {})
    assert [other for other in (*FULL, "key") if getattr(found, other) in (None, (), {})] == [name]


@pytest.mark.parametrize("name", ["type", "name"])
def test_what_is_never_empty_is_not_emptied(filled: KnowledgeGraph, name: str) -> None:
    """Null is refused; so is a new record without it, and one that replaces."""
    before = list(filled.dump())
    without = {"kind": "entity", "key": "new", "type": "t", "name": "n"}
    del without[name]
    assert refused(filled.load([{"kind": "entity", "key": "a", name: None}, without])) == [
        (1, "required"),
        (2, "required"),
    ]
    assert refused(filled.load([{**without, "key": "a"}], existing="replace")) == [(1, "required")]
    assert list(filled.dump()) == before


def test_metadata_is_merged_by_name(filled: KnowledgeGraph) -> None:
    """As PATCH does (RFC 7396): names are set, those left out stay, null removes, lists are replaced."""
    for patch, merged in (
        ({"died": 1852}, {"born": 1815, "died": 1852, "seen": {"by": "a", "on": 7}}),
        ({"seen": {"on": None, "at": [1]}}, {"born": 1815, "died": 1852, "seen": {"by": "a", "at": [1]}}),
        ({"born": None, "seen": {"at": []}}, {"died": 1852, "seen": {"by": "a", "at": []}}),
        ({}, {"died": 1852, "seen": {"by": "a", "at": []}}),
    ):
        for kind in ({"kind": "entity", "key": "a"}, a_relationship("a", "b")):
            filled.load([{**kind, "metadata": patch}])
            assert counts(filled.load([{**kind, "metadata": patch}])) == (0, 0, 1, 0)
        assert filled.entities.get(A).metadata == filled.relationships.get(R).metadata == merged


def test_metadata_that_is_there_stays_as_it_is(kg: KnowledgeGraph) -> None:
    """Also where it holds nulls: what was exported is loaded again without a change."""
    kg.load([an_entity("a", metadata={"x": None, "y": {"z": None}})])
    dumped = list(kg.dump())
    assert dumped[0]["metadata"] == {"x": None, "y": {"z": None}}
    for existing in ("merge", "replace"):
        assert counts(kg.load(dumped, existing=existing)) == (0, 0, 1, 0)


def test_merged_metadata_has_a_size(kg: KnowledgeGraph) -> None:
    """Two halves that are too much together: the second line is refused, and nothing is changed."""
    kg.load([an_entity("a", metadata={"x": "x" * 6000})])
    assert refused(kg.load([an_entity("a", metadata={"y": "y" * 6000})])) == [(1, "too_large")]
    assert kg.entities.get_by_key("a").version == 1


def test_replace_makes_the_record_what_the_line_says(filled: KnowledgeGraph) -> None:
    """What is left out becomes empty; metadata is replaced as a whole."""
    summary = filled.load([an_entity("a", metadata={"only": None}), a_relationship("a", "b")], existing="replace")
    assert counts(summary) == (0, 2, 0, 0)
    assert fields_of(filled) == {
        "name": "Entity a",
        "type": "person",
        "aliases": [],
        "confidence": None,
        "source": None,
        "source_type": None,
        "metadata": {"only": None},
    }
    assert filled.relationships.get(R).metadata == {}


def test_keep_leaves_what_is_there(filled: KnowledgeGraph) -> None:
    """Found by id, key or ends, active or deleted; what is new is created; two lines are as two loads."""
    filled.load([deleted(an_entity("gone"))])
    before = list(filled.dump())
    records = [
        an_entity("a", name="other"),
        {"kind": "entity", "id": str(A), "key": "b"},
        an_entity("gone"),
        a_relationship("a", "b", confidence=0.1),
        {"kind": "relationship", "id": str(R), "confidence": 0.1},
        an_entity("new", name="first"),
        an_entity("new", name="second"),
    ]
    summary = filled.load(records, existing="keep")
    assert (counts(summary), summary.kept) == ((1, 0, 0, 1), 5)
    assert refused(summary) == [(3, "deleted")]
    assert filled.entities.get_by_key("new").name == "first"
    assert [record for record in filled.dump() if record.get("key") != "new"] == before


def test_refuse_refuses_what_is_there(filled: KnowledgeGraph) -> None:
    """Even where the line says the same; what is new is created."""
    before = log(filled)
    records = [an_entity("a", **FULL), a_relationship("a", "b"), an_entity("new"), an_entity("new")]
    summary = filled.load(records, existing="refuse")
    assert counts(summary) == (1, 0, 0, 3)
    assert refused(summary) == [(number, "already_exists") for number in (1, 2, 4)]
    assert dict(summary.refused_by_code) == {"already_exists": 3}
    assert len(log(filled)) == len(before) + 1


@pytest.mark.parametrize("existing", ["", "MERGE", "update", None, 1])
def test_another_word_is_refused(kg: KnowledgeGraph, existing: Any) -> None:
    """Before anything is read."""
    with pytest.raises(InvalidInput) as error:
        kg.load([an_entity("a")], existing=existing)
    assert error.value.faults[0].pointer == "/existing"
    assert kg.stats().changes == 0


def test_an_export_replaces_another_graph_with_the_same_ids(kg: KnowledgeGraph) -> None:
    """Whatever their fields held before."""
    with connect("memory://") as origin:
        history(origin)
        exported = [*map(line, origin.dump())]
        expected = list(origin.dump())
    changed = [
        {**record, "source": "other", "metadata": {"other": 1}, **({"name": "x"} if record["kind"] == "entity" else {})}
        for record in expected
        if record.get("is_active", True)
    ]
    ids = {record["id"] for record in changed}
    kg.load([record for record in changed if record["kind"] == "entity"])
    kg.load(
        [r for r in changed if r["kind"] == "relationship" and {r["source_entity_id"], r["target_entity_id"]} <= ids]
    )
    assert kg.load(exported, existing="replace").refused == 0
    assert list(kg.dump()) == expected
