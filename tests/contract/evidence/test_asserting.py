"""Single assertions: for a fact and against it, by whom, until when, and what a person's hand is worth."""

from collections.abc import Callable
from typing import Any

import pytest

from kgl_core import Deleted, InvalidInput, KnowledgeGraph, NotFound, PermissionDenied, Stance
from kgl_core.evidence.origins.sources import source_id
from kgl_core.graph.entities import ENTITY
from kgl_core.graph.relationships import RELATIONSHIP
from tests.contract.evidence.documents import (
    ANN,
    BEN,
    MODERATOR,
    active,
    document,
    facts,
    joins,
    keyed,
    person,
    said_of,
)


def test_who_creates_a_fact_says_the_first_thing_about_it(kg: KnowledgeGraph) -> None:
    """It is listed with the fact's id, and costs nothing until somebody else says something."""
    ada = kg.acting_as(ANN).entities.create(
        type="person", name="Ada", confidence=0.5, source="s", metadata={"born": 1815}
    )
    [first] = kg.assertions.of(ENTITY, ada.id).items
    assert (first.id, first.entity_id, first.asserted_by, first.asserted_at) == (ada.id, ada.id, ANN, ada.created_at)
    assert (first.source, first.source_id, first.confidence, first.extractor) == ("s", source_id("s"), 0.5, None)
    assert first.values == {"type": "person", "name": "Ada", "metadata": {"born": 1815}}
    assert kg.assertions.list().items == kg.sources.list().items == ()
    kg.acting_as(BEN).assertions.add(ENTITY, ada.id, confidence=0.5)
    said = said_of(kg, ada)
    assert said[0] == first
    assert (len(said), said[1].asserted_by, said[1].source_id) == (2, BEN, None)
    [found] = facts(kg)
    assert (found.confidence, found.sources_for, found.source, found.version) == (0.75, 2, "s", 2)
    assert [source.uri for source in kg.sources.list().items] == ["s"]


def test_an_assertion_replaces_what_its_author_said_before(kg: KnowledgeGraph) -> None:
    """With the same source and extractor; the one before stays, withdrawn."""
    ada = kg.entities.create(type="person", name="Ada", confidence=0.5)
    kg = kg.acting_as(ANN)
    for confidence in (0.9, 0.2, 0.2):
        kg.assertions.add(ENTITY, ada.id, source="s", extractor="x", confidence=confidence)
    assert [said.confidence for said in said_of(kg, ada)] == [0.5, 0.2]
    assert kg.entities.get(ada.id).confidence == 0.6
    gone = kg.assertions.list(entity_id=ada.id, is_withdrawn=True).items
    assert [(said.confidence, said.withdrawn_by) for said in gone] == [(0.9, ANN)]
    kg.assertions.add(ENTITY, ada.id, source="s", confidence=0.5)
    assert kg.entities.get(ada.id).confidence == 0.75  # within s, the surer of .2 and .5


def test_the_creator_can_take_back_what_creating_said(kg: KnowledgeGraph) -> None:
    """A fact that lives on others' word stays; one that nobody supports is retired."""
    ada = kg.acting_as(ANN).entities.create(type="person", name="Ada", confidence=0.5)
    with pytest.raises(PermissionDenied):
        kg.acting_as(BEN).assertions.withdraw(ada.id)
    other = kg.acting_as(BEN).assertions.add(ENTITY, ada.id, confidence=0.2)
    kg.acting_as(ANN).assertions.withdraw(ada.id)
    assert active(kg)["Ada"].confidence == 0.2
    with pytest.raises(PermissionDenied):
        kg.acting_as(ANN).assertions.withdraw(other.id)
    gone = kg.acting_as(MODERATOR).assertions.withdraw(other.id)
    assert gone.withdrawn_by == MODERATOR
    assert kg.acting_as(MODERATOR).assertions.withdraw(other.id) == gone
    assert active(kg) == {}
    with pytest.raises(Deleted, match="supports"):
        kg.entities.get(ada.id)
    assert kg.acting_as(BEN).assertions.add(ENTITY, ada.id, confidence=0.9).confidence == 0.9
    assert active(kg)["Ada"].confidence == 0.9


def test_what_speaks_against_a_fact_is_counted_and_lowers_nothing(kg: KnowledgeGraph) -> None:
    """Only support enters the confidence; without any, the fact goes, however many speak against it."""
    kg.extract("d", "x", document(keyed("ada", confidence=0.5)))
    ada = active(kg)["ada"]
    for source in ("s1", "s2", "s2", "d"):
        kg.acting_as(ANN).assertions.add(ENTITY, ada.id, source=source, stance="against", confidence=0.9)
    found = kg.entities.get(ada.id)
    assert (found.confidence, found.sources_for, found.sources_against) == (0.5, 1, 3)
    against = kg.assertions.of(ENTITY, ada.id, stance="against").items
    assert [(said.source, said.stance) for said in against] == [
        ("s1", Stance.AGAINST),
        ("s2", Stance.AGAINST),
        ("d", Stance.AGAINST),
    ]
    kg.withdraw("d", "x")
    [gone] = facts(kg)
    assert (gone.is_retired, gone.sources_against) == (True, 3)
    kg.acting_as(ANN).assertions.add(ENTITY, ada.id, source="s1", confidence=0.4)  # s1 changes its mind
    found = kg.entities.get(ada.id)
    assert (found.confidence, found.sources_for, found.sources_against) == (0.4, 1, 2)


def test_who_made_a_fact_can_speak_against_it(kg: KnowledgeGraph) -> None:
    """That withdraws their support."""
    ada = kg.entities.create(type="person", name="Ada")
    kg.assertions.add(ENTITY, ada.id, stance="against")
    [gone] = facts(kg)
    assert (gone.is_retired, gone.sources_for, gone.sources_against) == (True, 0, 1)


def test_relationships_are_asserted_like_entities(kg: KnowledgeGraph) -> None:
    """By the noun of their kind."""
    kg.extract("d", "x", document(keyed("ada"), joins("ada", "knows", "ada", confidence=0.5)))
    knows = active(kg)["knows"]
    said = kg.acting_as(ANN).assertions.add(RELATIONSHIP, knows.id, source="e", confidence=0.5, locations=[{"page": 3}])
    assert (said.relationship_id, said.entity_id, said.source) == (knows.id, None, "e")
    assert kg.relationships.get(knows.id).confidence == 0.75
    with pytest.raises(NotFound):
        kg.assertions.add(ENTITY, knows.id)
    with pytest.raises(NotFound):
        kg.assertions.of(ENTITY, knows.id)
    kg.withdraw("d", "x")
    assert active(kg).keys() == {"ada", "knows"}  # what joins it keeps ada
    kg.acting_as(ANN).assertions.withdraw(said.id)
    assert active(kg) == {}


def test_a_deleted_fact_cannot_be_asserted(kg: KnowledgeGraph) -> None:
    """Only what was retired comes back by evidence."""
    ada = kg.entities.create(type="person", name="Ada")
    kg.entities.delete(ada.id)
    with pytest.raises(Deleted):
        kg.assertions.add(ENTITY, ada.id, source="s")
    with pytest.raises(Deleted):
        kg.assertions.pin(ENTITY, ada.id, ["/name"])
    assert len(kg.assertions.of(ENTITY, ada.id).items) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"confidence": 1.5},
        {"confidence": "1"},
        {"stance": "maybe"},
        {"source": ""},
        {"extractor": " "},
        {"locations": [{"start": 3, "end": 2}]},
        {"locations": [{"end": 2}]},
        {"locations": [{"page": -1}]},
        {"locations": [{"quote": "€" * 683}]},
        {"locations": [{}] * 201},
        {"locations": [{"line": 1}]},
        {"unknown": 1},
    ],
    ids=str,
)
def test_a_faulty_assertion_is_refused(kg: KnowledgeGraph, fields: Any) -> None:
    """And leaves no trace."""
    ada = kg.entities.create(type="person", name="Ada")
    with pytest.raises(InvalidInput):
        kg.assertions.add(ENTITY, ada.id, **fields)
    assert facts_and_changes(kg) == ([ada], 1)


def facts_and_changes(kg: KnowledgeGraph) -> tuple[list[Any], int]:
    """All facts, and the number of changes."""
    return [*facts(kg)], kg.stats().changes


def test_unknown_ids_are_not_found(kg: KnowledgeGraph) -> None:
    """By each method that takes one."""
    stranger = "00000000-0000-7000-8000-000000000000"
    calls: list[Callable[[], object]] = [
        lambda: kg.assertions.of(ENTITY, stranger),
        lambda: kg.assertions.values(RELATIONSHIP, stranger),
        lambda: kg.assertions.add(ENTITY, stranger),
        lambda: kg.assertions.pin(ENTITY, stranger, []),
        lambda: kg.assertions.withdraw(stranger),
    ]
    for call in calls:
        with pytest.raises(NotFound):
            call()


HAND: list[tuple[str, Any, list[str]]] = [
    ("name", "By hand", ["/name"]),
    ("confidence", 0.1, ["/confidence"]),
    ("aliases", ["Hand"], ["/aliases"]),
    ("type", "poet", ["/type"]),
    ("key", "by hand", ["/key"]),
    ("source", "https://example.org/hand", ["/source"]),
    ("metadata", {"born": 1800, "of/~": 2}, ["/metadata/born", "/metadata/died", "/metadata/of~1~0"]),
    ("metadata", {}, ["/metadata/born", "/metadata/died"]),
]


@pytest.mark.parametrize(("field", "value", "pinned"), HAND, ids=lambda value: str(value)[:20])
def test_what_a_person_sets_stays_until_it_is_given_back(
    kg: KnowledgeGraph, field: str, value: Any, pinned: list[str]
) -> None:
    """The machine's is kept beside it, through extractions, withdrawals and ways back; unpinned, it holds again."""
    given = person("T1", "Ada", confidence=0.9, aliases=["A"], metadata={"born": 1815, "died": 1852})
    id = kg.extract("d", "x", document(given)).labels["T1"]
    machine = getattr(kg.entities.get(id), field)
    kg.entities.update(id, **{field: value})

    def shown() -> Any:
        found = kg.entities.get(id)
        assert list(found.pinned) == pinned
        at = getattr(found, field)
        return list(at) if isinstance(at, tuple) else at

    def again() -> None:
        kg.extract("d", "x", document({**given, "confidence": 0.95}))

    for act in (again, lambda: kg.extract("e", "y", document({**given, "id": str(id)})), lambda: kg.withdraw("e", "y")):
        act()
        assert shown() == value
    kg.withdraw("d", "x")
    kg.reinstate("d", "x")
    assert shown() == value
    kg.extract("d", "x", document(given))
    after = kg.assertions.pin(ENTITY, id, [])
    assert after.pinned == ()
    assert field == "key" or getattr(after, field) == machine
    assert kg.assertions.pin(ENTITY, id, []) == after


def test_setting_what_is_there_already_pins_nothing(kg: KnowledgeGraph) -> None:
    """Only what a person changed is theirs."""
    id = kg.extract("d", "x", document(person("T1", "Ada", confidence=0.9, metadata={"a": 1}))).labels["T1"]
    kg.entities.update(id, name="Ada", confidence=0.9, metadata={"a": 1})
    assert kg.entities.get(id).pinned == ()
    kg.entities.update(id, metadata={"a": 1.0})
    assert kg.entities.get(id).pinned == ("/metadata/a",)


def test_a_load_pins_as_a_person_does(kg: KnowledgeGraph) -> None:
    """What it says of a fact that extractors found stays."""
    kg.extract("d", "x", document(keyed("ada", "Ada", confidence=0.9)))
    kg.load([{"kind": "entity", "key": "ada", "type": "person", "name": "Countess"}])
    kg.extract("d", "x", document(keyed("ada", "Ada", confidence=0.8)))
    found = kg.entities.get_by_key("ada")
    assert (found.name, found.confidence, found.pinned) == ("Countess", 0.8, ("/name",))


def test_pins_are_pointers_to_what_evidence_changes(kg: KnowledgeGraph) -> None:
    """Everything else is refused, spelt wrongly included: it would hide a value and show none."""
    id = kg.extract("d", "x", document(person("T1", "Ada", metadata={"a~b": 1, "c/d": 2, "": 3}))).labels["T1"]
    for wrong in (
        "name",
        "/id",
        "/metadata",
        "/metadata/c/d",
        "/metadata/a~b",
        "/metadata/a~2b",
        "/metadata/a~",
        "/version",
    ):
        with pytest.raises(InvalidInput):
            kg.assertions.pin(ENTITY, id, [wrong])
    right = ["/metadata/a~0b", "/metadata/c~1d", "/metadata/absent", "/name", "/is_active", "/metadata/源"]
    found = kg.assertions.pin(ENTITY, id, [*right, "/name"])
    assert list(found.pinned) == sorted(right)
    assert found.metadata["a~b"] == 1
    with pytest.raises(InvalidInput):
        kg.assertions.pin(ENTITY, id, [f"/metadata/{number}" for number in range(101)])
    with pytest.raises(InvalidInput):
        kg.assertions.pin(RELATIONSHIP, id, ["/aliases"])


def test_only_its_creator_and_moderators_pin_a_fact(kg: KnowledgeGraph) -> None:
    """As they alone may update it."""
    id = kg.acting_as(ANN).extract("d", "x", document(person("T1"))).labels["T1"]
    with pytest.raises(PermissionDenied):
        kg.acting_as(BEN).assertions.pin(ENTITY, id, ["/name"])
    for actor in (ANN, MODERATOR):
        assert kg.acting_as(actor).assertions.pin(ENTITY, id, ["/name"]).pinned == ("/name",)


def test_assertions_are_listed_page_by_page_by_what_they_are_about(kg: KnowledgeGraph) -> None:
    """By fact, by source, by extractor, by stance, and those that were withdrawn."""
    for number in range(5):
        kg.extract(f"d{number}", f"x{number % 2}", document(keyed("ada"), keyed(f"k{number}")))
    kg.withdraw("d4", "x0")
    found: list[Any] = []
    cursor = None
    while True:
        page = kg.assertions.list(limit=3, cursor=cursor)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert len({said.id for said in found}) == len(found) == 8
    assert [said.asserted_at for said in found] == sorted(said.asserted_at for said in found)
    assert len(kg.assertions.list(extractor="x0").items) == 4
    assert len(kg.assertions.list(source_id=source_id("d1")).items) == 2
    assert len(kg.assertions.list(is_withdrawn=True).items) == 2
    assert len(kg.assertions.list(is_withdrawn=None).items) == 10
    assert len(kg.assertions.of(ENTITY, active(kg)["ada"].id).items) == 4
    assert {said.source for said in kg.assertions.of(ENTITY, active(kg)["ada"].id).items} == {"d0", "d1", "d2", "d3"}
