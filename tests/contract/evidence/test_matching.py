"""Which entity an item of an extraction means: by id, by key, by label, and where asked for by name."""

import pytest

from kgl_core import KnowledgeGraph
from kgl_core.graph.entities import ENTITY, NAMED_MAX
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
from tests.contract.evidence.test_extracting import codes


def test_a_label_means_the_same_entity_from_run_to_run(kg: KnowledgeGraph) -> None:
    """Whatever its name and type become, also after a run that did not find it, and by another user."""
    first = kg.extract("d", "x", document(person("T1", "Ada"), person("T2", "Bo"))).labels
    second = kg.extract("d", "x", document({**person("T1", "Ada Lovelace"), "type": "poet"}))
    assert (second.updated, second.retired, second.labels) == (1, 1, {"T1": first["T1"]})
    assert kg.entities.get(first["T1"]).type == "poet"
    third = kg.extract("d", "x", document(person("T1", "Ada"), person("T2", "Bo")))
    assert (third.updated, third.restored, third.labels) == (1, 1, first)
    assert kg.acting_as(ANN).extract("d", "x", document(person("T1", "Ada"))).labels["T1"] == first["T1"]
    assert active(kg).keys() == {"Ada", "Bo"}


def test_a_label_is_the_extractors_own_in_its_document(kg: KnowledgeGraph) -> None:
    """Another document's, or another extractor's, means another entity."""
    labels = [
        kg.extract(source, extractor, document(person("T1", "Ada"))).labels["T1"]
        for source, extractor in (("d1", "x"), ("d2", "x"), ("d1", "y"), ("D1", "x"), ("d1", "X"))
    ]
    assert len({*labels}) == 5
    assert kg.extract("d1", "x", document(person("t1", "Ada"))).labels["t1"] not in labels


def test_an_id_comes_before_a_key_and_a_key_before_a_label(kg: KnowledgeGraph) -> None:
    """And what contradicts itself is refused."""
    one = kg.entities.create(type="person", name="One", key="k1")
    two = kg.entities.create(type="person", name="Two")
    labels = kg.extract("d", "x", document(person("T1", "Three"))).labels
    result = kg.extract(
        "d",
        "x",
        document(
            person("T1", "One", key="k1"),
            person("T2", "Two", id=str(two.id)),
            person("T3", "One", id=str(one.id), key="k1"),
            person("T4", "One", id=str(one.id), key="k2"),
        ),
    )
    assert codes(result.items) == [("/entities/3", "key_differs")]
    assert result.labels == {"T1": one.id, "T2": two.id, "T3": one.id}
    assert kg.entities.get(labels["T1"]).sources_for == 1  # refused items keep what is missing
    result = kg.extract("d", "x", document(person("T1", "One", key="k1")))
    assert result.retired == 1
    assert active(kg).keys() == {"One", "Two"}


def test_a_key_that_another_entity_has_spoils_only_its_item(kg: KnowledgeGraph) -> None:
    """Whether that has it already, is given it by another item, or is new."""
    holder = kg.entities.create(type="person", name="Holder", key="k1").id
    one, two = (str(kg.entities.create(type="person", name=name).id) for name in ("One", "Two"))
    result = kg.extract(
        "d",
        "x",
        document(
            person("T1", "One", id=one, key="k1"),
            person("T2", "One", id=one, key="k2"),
            person("T3", "Two", id=two, key="k2"),
            person("T4", "Four", key="k4"),
            person("T5", "Two", id=two, key="k4"),
            person("T6", "Six"),
        ),
    )
    assert codes(result.items) == [(f"/entities/{number}", "key_taken") for number in (0, 2, 4)]
    assert [str(holder) in note.detail for note in result.items] == [True, False, False]
    assert result.labels.keys() == {"T2", "T4", "T6"}
    assert kg.entities.get(one).key == "k2"
    assert kg.check().is_clean


def test_the_key_of_a_retired_entity_is_its_own(kg: KnowledgeGraph) -> None:
    """One document would give the key away, and supports the entity that had it again."""
    label = kg.extract("d", "x", document(person("T1", "Ada", key="k1"))).labels["T1"]
    kg.extract("d", "x", document())
    other = kg.entities.create(type="person", name="Bo").id
    result = kg.extract("d", "x", document(person("T2", "Bo", id=str(other), key="k1"), person("T1", "Ada")))
    assert codes(result.items) == [("/entities/0", "key_taken")]
    assert kg.entities.get_by_key("k1").id == label
    kg.entities.delete(label)
    kg.extract("d", "x", document(person("T2", "Bo", id=str(other), key="k1"), person("T1", "Ada")))
    assert kg.entities.get_by_key("k1").id == other


def test_of_two_labels_that_is_kept_which_is_needed(kg: KnowledgeGraph) -> None:
    """An item with a key means its entity again without its label; the one that was found by its name does not."""
    kg.extract("other", "x", document(person("a", "Zoe Jones", key="k1")))
    sent = {
        **document(person("A", "Z. Jones", confidence=0.9, key="k1"), person("B", "Zoe Jones")),
        "match_names": True,
    }
    labels = kg.extract("d", "x", sent).labels
    assert labels["A"] == labels["B"]
    for _ in range(2):
        again = kg.extract("d", "x", sent)
        assert (again.created, again.updated, again.unchanged) == (0, 0, 1)
        assert again.labels == labels
    assert kg.entities.count() == 1


def test_nobody_keys_what_they_may_not_change(kg: KnowledgeGraph) -> None:
    """The key counts within the document, which says that the entity does not get it; a moderator can give it."""
    ada = kg.acting_as(ANN).entities.create(type="person", name="Ada").id
    items = (keyed("k1", "Ada", id=str(ada)), person("T2", "Bo"))
    joined = {"source_entity_key": "k1", "relationship_type": "knows", "target_entity_label": "T2"}
    sent = document(*items, joined)
    result = kg.acting_as(BEN).extract("d", "x", sent)
    assert (codes(result.items), result.refused, result.created) == ([("/entities/0/key", "key_not_given")], 0, 2)
    assert kg.entities.get(ada).key is None
    kg.acting_as(MODERATOR).extract("d", "x", sent)
    assert kg.entities.get(ada).key == "k1"
    assert not kg.acting_as(BEN).extract("d", "x", sent).items


def test_new_facts_show_what_is_known_of_their_source(kg: KnowledgeGraph) -> None:
    """Its type, which an extraction may leave out, or state otherwise."""
    kg.sources.create(uri="d", type="web")
    for label, type_ in (("T1", None), ("T2", "web"), ("T3", "book")):
        made = kg.extract("d", "x", {**document(person(label, label)), "complete": False, "type": type_})
        assert kg.entities.get(made.labels[label]).source_type == "web"
    assert kg.check().is_clean


def test_an_entity_gets_the_key_that_is_found_later(kg: KnowledgeGraph) -> None:
    """Once; then that identifies it in other documents too."""
    first = kg.extract("d1", "x", document(person("T1", "Ada"))).labels["T1"]
    given = document(person("T1", "Ada", key="Q7259"))
    assert kg.extract("d1", "x", given).labels["T1"] == first
    assert kg.entities.get_by_key("Q7259").id == first
    assert kg.extract("d1", "x", given).unchanged == 1
    assert kg.extract("d2", "y", document(person("T9", "Ada", key="Q7259"))).labels["T9"] == first


@pytest.mark.parametrize("known", [("T1",), ("T1", "T2"), ("T2",), ()], ids="-".join)
def test_items_of_one_key_are_one_entity(kg: KnowledgeGraph, known: tuple[str, ...]) -> None:
    """Also where an extraction before took them for two without a key."""
    kg.extract("d", "x", document(*(person(label, "Ada") for label in known)))
    given = document(person("T1", "Ada", key="k"), person("T2", "Ada", key="k"))
    result = kg.extract("d", "x", given)
    assert (len({*result.labels.values()}), result.refused) == (1, 0)
    assert active(kg)["Ada"].key == "k"
    assert len(said_of(kg, active(kg)["Ada"])) == 1
    again = kg.extract("d", "x", given)
    assert (again.unchanged, again.labels) == (1, result.labels)


def test_a_key_that_a_person_took_away_or_changed_stays_so(kg: KnowledgeGraph) -> None:
    """The label still means the entity: no second one is made beside it."""
    labels = kg.extract("d", "x", document(person("T1", "Ada", key="k1"), person("T2", "Bo", key="k2"))).labels
    kg.entities.update(labels["T1"], key=None)
    kg.entities.update(labels["T2"], key="by hand")
    for _ in range(2):
        result = kg.extract("d", "x", document(person("T1", "Ada", key="k1"), person("T2", "Bo", key="k2")))
        assert (result.labels, result.unchanged, result.retired) == (labels, 2, 0)
    assert [active(kg)[name].key for name in ("Ada", "Bo")] == [None, "by hand"]


def test_an_ambiguous_name_is_an_error_and_never_a_guess(kg: KnowledgeGraph) -> None:
    """One of the type and name is taken, apart from case and accents; of two, none; of another type, none."""
    zoë = kg.entities.create(type="person", name="Zoë Áder")
    kg.entities.create(type="place", name="Zoë Áder")
    given = document(person("T1", "ZOE ADER"), match_names=True)
    assert kg.extract("d1", "x", given).labels["T1"] == zoë.id
    assert kg.extract("d2", "x", document(person("T1", "ZOE ADER"))).labels["T1"] != zoë.id
    result = kg.extract("d3", "x", given)
    assert (codes(result.items), result.labels, result.retires) == ([("/entities/0", "ambiguous")], {}, False)
    assert kg.extract("d1", "x", given).labels["T1"] == zoë.id  # known by its label
    kg.withdraw("d2", "x")
    assert kg.extract("d3", "x", given).labels["T1"] == zoë.id
    kg.entities.create(type="person", name="zoe ader", key="k")
    given = document(person("T1", "zoe ader", key="k"), match_names=True)
    assert kg.extract("d4", "x", given).labels["T1"] == kg.entities.get_by_key("k").id


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("!!!", "???"),
        ("!!!", "!!"),
        ("🙂", "🙃"),
        ("🙂", "🙂🙂"),
        ("김민준", "김민재"),
        ("강", "갱"),
        ("สมชาย", "สมหญิง"),
        ("กา", "กำ"),
        ("か", "が"),
        ("ハ", "パ"),
        ("कि", "की"),
        ("Ян", "Ян2"),
    ],
)
def test_names_that_differ_are_different_entities(kg: KnowledgeGraph, one: str, other: str) -> None:
    """No name folds to nothing, and no script loses what tells its words apart."""
    first = kg.extract("d1", "x", document(person("T1", one), match_names=True)).labels["T1"]
    second = kg.extract("d2", "x", document(person("T1", other), match_names=True)).labels["T1"]
    both = kg.extract("d3", "x", document(person("T1", one), person("T2", other), match_names=True)).labels
    assert both == {"T1": first, "T2": second}
    assert first != second
    assert kg.entities.get(first).sources_for == kg.entities.get(second).sources_for == 2


def test_one_name_twice_in_a_document_is_one_entity_where_names_match(kg: KnowledgeGraph) -> None:
    """And two where they do not."""
    twice = document(person("T1", "Ada"), person("T2", "ada"), joins("T1", "is", "T2"))
    labels = kg.extract("d1", "x", twice | {"match_names": True}).labels
    assert labels["T1"] == labels["T2"]
    labels = kg.extract("d2", "x", twice).labels
    assert labels["T1"] != labels["T2"]


def test_too_many_of_a_name_are_ambiguous(kg: KnowledgeGraph) -> None:
    """Past a bound, nobody looks whether one of them is of the right type."""
    kg.load(
        {"kind": "entity", "type": "place", "name": "Springfield", "key": str(number)}
        for number in range(NAMED_MAX + 1)
    )
    result = kg.extract("d", "x", document(person("T1", "Springfield"), match_names=True))
    assert codes(result.items) == [("/entities/0", "ambiguous")]


def test_an_item_can_name_an_end_by_id_key_or_label(kg: KnowledgeGraph) -> None:
    """New and known ones, itself included."""
    here = kg.entities.create(type="place", name="Here")
    result = kg.extract(
        "d",
        "x",
        document(
            keyed("ada"),
            person("bo"),
            {"source_entity_key": "ada", "relationship_type": "in", "target_entity_id": str(here.id)},
            {"source_entity_label": "bo", "relationship_type": "knows", "target_entity_key": "ada"},
            joins("ada", "is", "ada"),
        ),
    )
    assert (result.created, result.refused) == (5, 0)
    found = active(kg)
    assert found["in"].ends == (found["ada"].id, here.id)
    assert found["knows"].ends == (found["bo"].id, found["ada"].id)
    assert found["is"].ends == (found["ada"].id, found["ada"].id)


def test_two_users_share_what_a_label_means(kg: KnowledgeGraph) -> None:
    """So that one extractor that runs for both makes one entity; each still has their own assertion."""
    given = document(person("T1", "Ada", confidence=0.5))
    one = kg.acting_as(ANN).extract("d", "x", given).labels
    assert kg.acting_as(BEN).extract("d", "x", given).labels == one
    [ada] = facts(kg)
    assert (ada.sources_for, len(said_of(kg, ada))) == (1, 2)
    assert [value.asserted_by for value in kg.assertions.values(ENTITY, ada.id) if value.pointer == "/name"] == [
        BEN,
        ANN,
    ]


def test_a_new_namesake_of_what_somebody_deleted_is_told(kg: KnowledgeGraph) -> None:
    """Where names identify: otherwise nobody would look for one. It is told once, of the new entity."""
    gone = kg.entities.create(type="person", name="Zoë Ader")
    kg.entities.delete(gone.id)
    given = document(person("T1", "zoe ader"), match_names=True)
    [note] = kg.extract("d", "x", given).items
    assert (note.pointer, note.code, note.is_refused, note.id) == ("/entities/0", "deleted_namesake", False, gone.id)
    assert kg.extract("d", "x", given).items == ()
    assert kg.extract("e", "x", {**given, "match_names": False}).items == ()


def test_an_entity_that_is_spelled_in_two_ways_is_told(kg: KnowledgeGraph) -> None:
    """The first way counts; so it is of relationships whose values differ, and not of confidences and places."""
    items = [keyed("ada", "Ada", confidence=0.5), keyed("ada", "Ada L.", label="T2", confidence=0.9)]
    knows = [
        joins("ada", "knows", "ada", valid_from=year, locations=[{"page": 1}]) for year in ("1833", "1833", "1834")
    ]
    done = kg.extract("d", "x", document(*items, *knows))
    assert [(note.pointer, note.code, note.is_refused) for note in done.items] == [
        ("/entities/1", "repeated", False),
        ("/relationships/2", "repeated", False),
    ]
    assert "another name" in done.items[0].detail
    assert {fact.valid_from for fact in kg.relationships.list().items} == {"1833"}
    assert [(fact.name, fact.confidence) for fact in kg.entities.list().items] == [("Ada", 0.9)]
