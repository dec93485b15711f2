"""Facts that can't come back because others have their identity: what is said of them is said of those."""

from typing import Any

import pytest

from kgl_core import Deleted, Entity, KnowledgeGraph, Moved
from kgl_core.graph.entities import ENTITY
from kgl_core.graph.relationships import RELATIONSHIP
from tests.contract.evidence.documents import active, document, joins, keyed, person, require_sound, said_of

LETTER = document(
    keyed("ada", "Ada", confidence=0.9, metadata={"born": 1815}),
    person("T2", "Bo"),
    joins("ada", "knows", "T2", confidence=0.7, valid_from="1833"),
)


def in_force(kg: KnowledgeGraph, fact: Any) -> set[tuple[str | None, float | None]]:
    """The sources in force of a fact, with their confidences."""
    noun = ENTITY if isinstance(fact, Entity) else RELATIONSHIP
    return {(each.source, each.confidence) for each in kg.assertions.of(noun, fact.id).items}


@pytest.mark.parametrize("first", ["by hand", "d"])
def test_evidence_supports_the_entity_that_has_the_key_now(kg: KnowledgeGraph, first: str) -> None:
    """And the relationship between its ends, which is made; withdrawn in any order, both go and come back."""
    labels = kg.extract("d", "x", LETTER).labels
    knows = active(kg)["knows"]
    kg.withdraw("d", "x")
    ada = kg.entities.create(type="person", name="Ada", key="ada", source="by hand", confidence=0.5)
    back = kg.reinstate("d", "x")
    made = active(kg)["knows"]
    assert made.ends == (ada.id, labels["T2"])
    assert (made.confidence, made.valid_from, made.source, made.sources_for) == (0.7, "1833", "d", 1)
    assert set(back.moved) == {
        Moved(kind="entity", id=labels["ada"], to=ada.id),
        Moved(kind="relationship", id=knows.id, to=made.id),
    }
    assert (back.reinstated, back.restored, back.untouched) == (3, (labels["T2"],), ())
    shown = kg.entities.get(ada.id)
    assert (shown.sources_for, shown.confidence, shown.metadata) == (2, 0.95, {"born": 1815})
    require_sound(kg)
    again = kg.extract("d", "x", LETTER)
    assert (again.unchanged, again.labels) == (3, {"ada": ada.id, "T2": labels["T2"]})
    assert in_force(kg, ada) == {("by hand", 0.5), ("d", 0.9)}
    by_hand = next(each for each in said_of(kg, ada) if each.extractor is None)
    for name in (first, "d" if first == "by hand" else "by hand"):
        if name == "d":
            kg.withdraw("d", "x")
        else:
            kg.assertions.withdraw(by_hand.id)
        require_sound(kg)
    assert active(kg) == {}
    assert set(kg.reinstate("d", "x").restored) == {ada.id, labels["T2"], made.id}
    assert in_force(kg, ada) == {("d", 0.9)}


def test_evidence_supports_the_relationship_that_joins_the_ends_now(kg: KnowledgeGraph) -> None:
    """Somebody made it anew while it was retired; a withdrawal leaves it to them."""
    labels = kg.extract("d", "x", LETTER).labels
    kg.extract("e", "x", document(keyed("ada", "Ada"), person("T2", "Bo", id=str(labels["T2"]))))
    kg.withdraw("d", "x")
    by_hand = kg.relationships.create(labels["ada"], "knows", labels["T2"], confidence=0.5)
    moved = kg.reinstate("d", "x").moved
    assert [(each.kind, each.to) for each in moved] == [("relationship", by_hand.id)]
    assert in_force(kg, by_hand) == {("d", 0.7), (None, 0.5)}
    assert kg.extract("d", "x", LETTER).unchanged == 3
    gone = kg.withdraw("d", "x")
    assert (gone.retired, by_hand.id in {each.id for each in gone.kept}) == ((), True)
    kg.extract("d", "x", LETTER)
    assert kg.relationships.get(by_hand.id).confidence == 0.85


def test_an_extraction_names_the_entity_that_has_the_key_now(kg: KnowledgeGraph) -> None:
    """By the label that meant the retired one, or by its id, also as an end; ids that mean another are told."""
    labels = kg.extract("d", "x", document(keyed("ada", "Ada"), person("T2", "Bo"))).labels
    kg.withdraw("d", "x")
    ada = kg.entities.create(type="person", name="Ada", key="ada")
    plain = document(person("ada", "Ada"), person("T2", "Bo"), joins("ada", "knows", "T2"))
    done = kg.extract("d", "x", plain)
    assert (done.labels["ada"], done.items) == (ada.id, ())
    assert kg.extract("d", "x", plain).unchanged == 3
    old = str(labels["ada"])
    knows = {"source_entity_id": old, "relationship_type": "knows", "target_entity_label": "T2"}
    done = kg.extract("d", "y", document(person("A", "Ada", id=old), person("T2", "Bo", id=str(labels["T2"])), knows))
    assert done.labels["A"] == ada.id
    told = [(note.pointer, note.code, note.is_refused, note.id) for note in done.items]
    assert told == [
        ("/entities/0/id", "moved", False, ada.id),
        ("/relationships/0/source_entity_id", "moved", False, ada.id),
    ]
    assert {name: fact.sources_for for name, fact in active(kg).items()} == {"Ada": 2, "Bo": 1, "knows": 1}


def test_an_assertion_of_a_retired_fact_is_one_of_its_successor(kg: KnowledgeGraph) -> None:
    """Of an entity and of a relationship; speaking against it brings nothing into being."""
    labels = kg.extract("d", "x", LETTER).labels
    knows = active(kg)["knows"]
    kg.withdraw("d", "x")
    ada = kg.entities.create(type="person", name="Ada", key="ada")
    assert kg.assertions.add(RELATIONSHIP, knows.id, source="e", stance="against").relationship_id == knows.id
    assert active(kg).keys() == {"Ada"}
    assert kg.assertions.add(ENTITY, labels["ada"], source="e", confidence=0.5).entity_id == ada.id
    said = kg.assertions.add(RELATIONSHIP, knows.id, source="e", confidence=0.5)
    made = active(kg)["knows"]
    assert (said.relationship_id, made.ends, made.confidence) == (made.id, (ada.id, labels["T2"]), 0.5)
    assert kg.assertions.add(RELATIONSHIP, knows.id, source="e", confidence=0.5).id == said.id


def test_no_evidence_goes_round_a_deletion(kg: KnowledgeGraph) -> None:
    """What somebody made anew and deleted stays so, and what joins it; restored, it has its sources."""
    labels = kg.extract("d", "x", LETTER).labels
    kg.withdraw("d", "x")
    ada = kg.entities.create(type="person", name="Ada", key="ada")
    kg.entities.delete(ada.id)
    back = kg.reinstate("d", "x")
    assert (ada.id in back.untouched, active(kg).keys()) == (True, {"Bo"})
    with pytest.raises(Deleted):
        kg.assertions.add(ENTITY, labels["ada"], source="e")
    kg.entities.restore(ada.id)
    assert in_force(kg, ada) == {("d", 0.9), (None, None)}
    assert active(kg)["knows"].ends == (ada.id, labels["T2"])


def test_what_is_supported_again_waits_for_an_end_that_somebody_deleted(kg: KnowledgeGraph) -> None:
    """It was retired before that, so it did not go with the end; it comes back with it all the same."""
    labels = kg.extract("d", "x", LETTER).labels
    kg.extract("e", "x", document(keyed("ada", "Ada")))
    before = active(kg)
    kg.withdraw("d", "x")
    kg.entities.delete(labels["ada"])
    assert kg.reinstate("d", "x").untouched == tuple(sorted([labels["ada"], before["knows"].id]))
    assert active(kg).keys() == {"Bo"}
    assert kg.entities.restore(labels["ada"]).relationships == (before["knows"].id,)
    assert active(kg).keys() == before.keys()
