"""Assertions about the value under one metadata name: with places of their own, and apart from the fact itself."""

from typing import Any

import pytest

from kgl_core import InvalidInput, KnowledgeGraph
from kgl_core.evidence.origins.sources import source_id
from kgl_core.graph.entities import ENTITY
from kgl_core.graph.relationships import RELATIONSHIP
from tests.contract.evidence.documents import ANN, active, document, facts, joins, keyed, said_of

BORN = "/metadata/born"


def test_a_value_is_asserted_by_itself(kg: KnowledgeGraph) -> None:
    """It takes part in the contest of values, with its own places, and counts as no support of the fact."""
    kg.extract("d", "x", document(keyed("ada", confidence=0.5, metadata={"born": 1816, "died": 1852})))
    ada = active(kg)["ada"]
    said = kg.assertions.add(
        ENTITY, ada.id, source="e", extractor="x", confidence=0.9, about=BORN, value=1815, locations=[{"page": 7}]
    )
    assert (said.about, said.values, said.entity_id) == (BORN, {"metadata": {"born": 1815}}, ada.id)
    found = kg.entities.get(ada.id)
    assert (found.confidence, found.sources_for, found.source) == (0.5, 1, "d")
    assert found.metadata == {"born": 1815, "died": 1852}
    told = [value for value in kg.assertions.values(ENTITY, ada.id) if value.pointer == BORN]
    assert [(value.value, value.is_shown, value.source) for value in told] == [(1815, True, "e"), (1816, False, "d")]
    assert [value.locations for value in told] == [said.locations, ()]
    assert kg.entities.list(source="e").items == ()
    assert kg.entities.list(source="d").items == (found,)
    assert kg.sources.contribution(source_id("e")).entities_for == 0
    kg.sources.rank(source_id("d"), 1)
    assert kg.entities.get(ada.id).metadata["born"] == 1816
    kg.sources.rank(source_id("d"), 0)
    assert kg.entities.get(ada.id).metadata["born"] == 1815
    kg.assertions.withdraw(said.id)
    assert kg.entities.get(ada.id).metadata["born"] == 1816


def test_what_is_said_of_a_value_stands_beside_what_is_said_of_the_fact(kg: KnowledgeGraph) -> None:
    """By the same author, source and extractor: one of each is in force, and one of each name."""
    ada = kg.entities.create(type="person", name="Ada", metadata={"born": 1})
    kg = kg.acting_as(ANN)
    kg.assertions.add(ENTITY, ada.id, source="s", confidence=0.5)
    for value in (1815, 1815, 1816):
        last = kg.assertions.add(ENTITY, ada.id, source="s", about=BORN, value=value)
    assert kg.assertions.add(ENTITY, ada.id, source="s", about=BORN, value=1816) == last
    kg.assertions.add(ENTITY, ada.id, source="s", about=BORN, value=1816.0)
    kg.assertions.add(ENTITY, ada.id, source="s", about="/metadata/of~1~0", value=[False])
    assert [said.about for said in said_of(kg, ada)] == [None, None, BORN, "/metadata/of~1~0"]
    assert kg.entities.get(ada.id).metadata == {"born": 1816.0, "of/~": [False]}
    kg.assertions.add(ENTITY, ada.id, source="s", about=BORN, value=1816, stance="against")
    found = kg.entities.get(ada.id)
    assert (found.metadata["born"], found.sources_for, found.sources_against) == (1, 2, 0)


def test_a_value_does_not_keep_a_fact(kg: KnowledgeGraph) -> None:
    """It waits with the retired fact, and is shown when that comes back. What a person set stays."""
    kg.extract("d", "x", document(keyed("ada"), keyed("bo"), joins("ada", "knows", "bo")))
    knows = active(kg)["knows"]
    said = kg.acting_as(ANN).assertions.add(RELATIONSHIP, knows.id, source="e", about="/metadata/since", value=1833)
    kg.withdraw("d", "x")
    assert active(kg) == {}
    kg.acting_as(ANN).assertions.add(RELATIONSHIP, knows.id, source="f", about="/metadata/until", value=1852)
    assert active(kg) == {}
    kg.extract("d", "x", document(keyed("ada"), keyed("bo"), joins("ada", "knows", "bo", metadata={"since": 1})))
    assert active(kg)["knows"].metadata == {"since": 1833, "until": 1852}
    kg.relationships.patch(knows.id, {"metadata": {"since": 1834}})
    kg.acting_as(ANN).assertions.withdraw(said.id)
    assert active(kg)["knows"].metadata == {"since": 1834, "until": 1852}


def test_extractors_leave_their_words_on_single_values_until_they_are_withdrawn(kg: KnowledgeGraph) -> None:
    """An extraction replaces what was found of facts; withdrawing takes back everything, and reinstating brings it."""
    found = document(keyed("ada", metadata={"born": 1816}))
    kg.extract("d", "x", found)
    ada = active(kg)["ada"].id
    kg.assertions.add(ENTITY, ada, source="d", extractor="x", confidence=0.9, about=BORN, value=1815)
    for again in (found, found, document(keyed("ada", confidence=0.1, metadata={"born": 1817}))):
        result = kg.extract("d", "x", again)
        assert result.unchanged + result.updated == 1
        assert kg.entities.get(ada).metadata == {"born": 1815}
    kg.withdraw("d", "x")
    assert [fact.is_retired for fact in facts(kg)] == [True]
    assert kg.assertions.of(ENTITY, ada).items == ()
    kg.reinstate("d", "x")
    assert kg.entities.get(ada).metadata == {"born": 1815}
    assert kg.sources.withdraw("d").withdrawn == 2


def test_what_is_pinned_is_shown_before_what_it_keeps_off(kg: KnowledgeGraph) -> None:
    """It is nobody's assertion; what was taken away by hand has no value."""
    found = keyed("ada", aliases=["A"], confidence=0.5, metadata={"born": 1816, "died": 1852})
    id = kg.extract("d", "x", document(found)).labels["ada"]
    kg.entities.update(id, aliases=["B"], confidence=0.25, metadata={"born": 1815})
    told = [(each.pointer, each.value, each.is_shown, each.is_pinned) for each in kg.assertions.values(ENTITY, id)]
    assert told == [
        ("/aliases", ["B"], True, True),
        ("/aliases", ["A"], False, False),
        ("/confidence", 0.25, True, True),
        (BORN, 1815, True, True),
        (BORN, 1816, False, False),
        ("/metadata/died", 1852, False, False),
        ("/name", "ada", True, False),
        ("/type", "person", True, False),
    ]
    assert [each.source for each in kg.assertions.values(ENTITY, id) if each.assertion_id is None] == [None] * 3


FAULTY: list[tuple[dict[str, Any], str, str]] = [
    ({"about": BORN}, "/value", "required"),
    ({"value": 1}, "/about", "required"),
    ({"about": "/name", "value": "x"}, "/about", "pattern"),
    ({"about": "/metadata", "value": {}}, "/about", "pattern"),
    ({"about": "/metadata/a/b", "value": 1}, "/about", "pattern"),
    ({"about": "/metadata/~2", "value": 1}, "/about", "pattern"),
    ({"about": BORN, "value": {"a": [float("nan")]}}, "/value/a/0", "not_finite"),
    ({"about": BORN, "value": "x" * 11_000}, "/value", "too_large"),
]


@pytest.mark.parametrize(("fields", "pointer", "code"), FAULTY, ids=lambda value: str(value)[:40])
def test_a_faulty_value_is_refused(kg: KnowledgeGraph, fields: dict[str, Any], pointer: str, code: str) -> None:
    """With the place in what was sent."""
    ada = kg.entities.create(type="person", name="Ada")
    with pytest.raises(InvalidInput) as refused:
        kg.assertions.add(ENTITY, ada.id, **fields)
    assert [(fault.pointer, fault.code) for fault in refused.value.faults] == [(pointer, code)]
    assert kg.entities.get(ada.id) == ada
