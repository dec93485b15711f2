"""Extractions: what documents say becomes facts, and what no document says any more is retired."""

import unicodedata
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest

from kgl_core import (
    ChangeAction,
    Deleted,
    InvalidInput,
    KnowledgeGraph,
    NotFound,
    PermissionDenied,
    RunEnded,
    RunKind,
    RunState,
)
from kgl_core.evidence.extraction.extractions import ITEMS_MAX
from kgl_core.graph.entities import ENTITY
from kgl_core.graph.relationships import RELATIONSHIP
from tests.contract.evidence.documents import (
    ANN,
    BEN,
    Fields,
    active,
    document,
    facts,
    joins,
    keyed,
    person,
    said_of,
    state,
)

WORKS = document(keyed("ada"), keyed("acme"), joins("ada", "works_at", "acme"))
BOTH_WORK = document(
    keyed("ada"), keyed("bo"), keyed("acme"), joins("ada", "works_at", "acme"), joins("bo", "advises", "acme")
)


def codes(items: Sequence[Any]) -> list[tuple[str, str]]:
    """Where the notes about items point, and their codes."""
    return [(item.pointer, item.code) for item in items]


def test_an_item_with_two_faults_is_refused_once(kg: KnowledgeGraph) -> None:
    """Both ends that are missing are told."""
    ends = {"source_entity_key": "ada", "target_entity_key": "bo"}
    result = kg.extract("d", "x", document(keyed("cy"), {"relationship_type": "knows", **ends}))
    assert [item.pointer for item in result.items] == [f"/relationships/0/{name}" for name in ends]
    assert (result.created, result.refused, result.retires) == (1, 1, False)


@pytest.mark.parametrize("extracted", [("d1", "d2"), ("d2", "d1")], ids="-".join)
@pytest.mark.parametrize("withdrawn", [("d1", "d2"), ("d2", "d1")], ids="-".join)
def test_a_fact_stays_until_its_last_document_is_withdrawn(
    kg: KnowledgeGraph, extracted: Sequence[str], withdrawn: Sequence[str]
) -> None:
    """Whatever the order; what only one of them created goes with it, and no orphan stays."""
    documents = {"d1": WORKS, "d2": BOTH_WORK}
    for name in extracted:
        kg.extract(name, "x", documents[name])
    assert active(kg)["works_at"].sources_for == 2
    first = kg.withdraw(withdrawn[0], "x")
    assert active(kg)["works_at"].sources_for == 1
    assert active(kg).keys() == ({"ada", "acme", "works_at", "bo", "advises"} if withdrawn[0] == "d1" else {*W})
    assert [each.sources for each in first.kept] == [(withdrawn[1],)] * 3
    second = kg.withdraw(withdrawn[1], "x")
    assert active(kg) == {}
    assert (len(first.retired) + len(second.retired), second.kept) == (5, ())


W = ("ada", "acme", "works_at")


def test_two_users_with_two_extractors_do_not_meet(kg: KnowledgeGraph) -> None:
    """One document, four assertions; each user withdraws their own extractor's, and nobody else's."""
    for user, extractor, confidence in ((ANN, "x1", 0.9), (ANN, "x2", 0.5), (BEN, "x1", 0.7), (BEN, "x2", 0.2)):
        kg.acting_as(user).extract("d", extractor, document(keyed("ada", confidence=confidence)))
    [ada] = facts(kg)
    assert (ada.confidence, ada.sources_for, len(said_of(kg, ada))) == (0.9, 1, 4)
    left = [0.7, 0.7, 0.2, None]
    for user, extractor, confidence in zip((ANN, ANN, BEN, BEN), ("x1", "x2", "x1", "x2"), left, strict=True):
        assert kg.acting_as(user).withdraw("d", extractor).withdrawn == 1
        [ada] = facts(kg)
        assert ada.confidence == confidence
    assert ada.is_retired


def test_an_extraction_replaces_what_the_same_extractor_said_before(kg: KnowledgeGraph) -> None:
    """A relationship that it no longer finds goes, another changes; one that finds nothing takes back all."""
    people = (keyed("ada"), keyed("bo"), keyed("acme"))
    kg.extract(
        "d", "x", document(*people, joins("ada", "works_at", "acme"), joins("ada", "knows", "bo", confidence=0.6))
    )
    result = kg.extract("d", "x", document(*people, joins("ada", "knows", "bo", confidence=0.9)))
    assert (result.updated, result.retired, result.unchanged, result.created) == (1, 1, 3, 0)
    knows = active(kg)["knows"]
    assert (knows.confidence, len(said_of(kg, knows))) == (0.9, 1)
    assert active(kg).keys() == {"ada", "bo", "acme", "knows"}
    with pytest.raises(Deleted) as refused:
        kg.relationships.get(next(fact.id for fact in facts(kg) if fact.is_retired))
    assert refused.value.code == "retired"
    result = kg.extract("d", "x", document())
    assert (result.retired, result.refused, result.retires) == (4, 0, True)
    assert active(kg) == {}


def test_another_extraction_brings_back_what_was_retired(kg: KnowledgeGraph) -> None:
    """By the same extractor or another one, of the same document or another; ids stay."""
    kg.extract("d1", "x", WORKS)
    ids = {fact.id for fact in facts(kg)}
    addresses = [("d1", "x"), ("d1", "x"), ("d1", "y"), ("d2", "x")]
    for before, address in pairwise(addresses):
        kg.withdraw(*before)
        assert active(kg) == {}
        result = kg.extract(*address, WORKS)
        assert (result.restored, result.created) == (3, 0)
        assert {fact.id for fact in active(kg).values()} == ids


FAULTY: dict[str, tuple[Fields, list[tuple[str, str]]]] = {
    "no name": (document(person("x", "")), [("/entities/0/name", "blank")]),
    "no type": (document({"label": "x", "name": "n"}), [("/entities/0/type", "required")]),
    "no object": ({"entities": ["x", None]}, [("/entities/0", "not_an_object"), ("/entities/1", "not_an_object")]),
    "nothing to tell it by": (document({"type": "t", "name": "n"}), [("/entities/0/label", "required")]),
    "a label twice": (document(person("ada"), person("ada", "Other")), [("/entities/1", "duplicate_label")]),
    "a label twice, in another form": (
        document(person("Zoe\u0308"), person(" Zo\u00eb ", "Other")),
        [("/entities/1", "duplicate_label")],
    ),
    "too sure": (document(person("x", confidence=1.1)), [("/entities/0/confidence", "out_of_range")]),
    "no such id": (document(person("x", id="00000000-0000-7000-8000-000000000000")), [("/entities/0", "not_found")]),
    "no such label": (
        document(person("ada"), joins("ada", "knows", "nobody")),
        [("/relationships/0/target_entity_label", "end_not_found")],
    ),
    "no such key": (
        document({"source_entity_key": "n", "relationship_type": "r", "target_entity_key": "m"}),
        [
            ("/relationships/0/source_entity_key", "end_not_found"),
            ("/relationships/0/target_entity_key", "end_not_found"),
        ],
    ),
    "an end twice": (
        document(person("ada"), joins("ada", "knows", "ada", target_entity_key="ada")),
        [("/relationships/0/target_entity_label", "end")],
    ),
    "an end before its begin": (
        document(person("ada"), joins("ada", "knows", "ada", valid_from="1994", valid_to="1990")),
        [("/relationships/0/valid_to", "out_of_order")],
    ),
    "no such day": (
        document(person("ada"), joins("ada", "knows", "ada", valid_from="2024-02-30")),
        [("/relationships/0/valid_from", "not_a_date")],
    ),
}


@pytest.mark.parametrize("case", FAULTY)
def test_a_refused_item_keeps_all_that_is_missing_from_being_retired(kg: KnowledgeGraph, case: str) -> None:
    """What is right is asserted, what is faulty is told, and absence was not shown."""
    faulty, notes = FAULTY[case]
    kg.extract("d", "x", WORKS)
    right = {name: [*faulty.get(name, ())] for name in ("entities", "relationships")}
    right["entities"].append(person("new", "new"))
    result = kg.extract("d", "x", right)
    told = [(item.pointer, item.code) for item in result.items]
    assert [pointer for pointer, _ in told] == [pointer for pointer, _ in notes]
    assert [code for _, code in told] == [code for _, code in notes] or case in (
        "an end before its begin",
        "no such day",
    )
    items = {"/".join(pointer.split("/")[:3]) for pointer, _ in notes}
    assert (result.retired, result.refused, result.retires) == (0, len(items), False)
    assert {*W, "new"} <= active(kg).keys()
    again = kg.extract("d", "x", document(person("new")))  # not skipped, though it says nothing new
    assert again.retires
    assert active(kg).keys() == {"new"}


def test_three_refused_items_of_many_are_told_each(kg: KnowledgeGraph) -> None:
    """With where they stand; the rest is asserted."""
    kg.extract("d", "x", WORKS)
    items = document(keyed("ada", type="1"), keyed("bo"), joins("bo", "knows", "zed"), joins("bo", "is", "bo", key=3))
    result = kg.extract("d", "x", items)
    assert [item.pointer for item in result.items] == [
        "/entities/0/type",
        "/relationships/1/key",
        "/relationships/0/target_entity_label",
    ]
    assert (result.created, result.refused, result.retired, result.labels.keys()) == (1, 3, 0, {"bo"})
    assert active(kg).keys() == {*W, "bo"}


def test_an_incomplete_extraction_retires_nothing(kg: KnowledgeGraph) -> None:
    """It only adds and changes, until a complete one follows."""
    kg.extract("d", "x", WORKS)
    result = kg.extract("d", "x", document(keyed("bo"), keyed("ada", confidence=0.5), complete=False))
    assert (result.created, result.updated, result.retired, result.refused, result.retires) == (1, 1, 0, 0, False)
    assert active(kg).keys() == {*W, "bo"}
    assert kg.extract("d", "x", document(keyed("bo"))).retired == 3
    assert active(kg).keys() == {"bo"}


@pytest.mark.parametrize(
    "faulty",
    [
        {"entities": "ada"},
        {"entities": [], "unknown": 1},
        {"complete": 1},
        {"version": ""},
        {"published": "1843-13"},
        {"relationships": [None] * (ITEMS_MAX + 1)},
    ],
    ids=lambda faulty: next(reversed(faulty)),
)
def test_a_faulty_whole_changes_nothing(kg: KnowledgeGraph, faulty: Fields) -> None:
    """Neither a fact, nor a source, nor a run."""
    with pytest.raises(InvalidInput):
        kg.extract("d", "x", faulty)
    assert kg.stats().changes == 0
    assert kg.sources.list().items == kg.runs.list().items == ()


@pytest.mark.parametrize(
    ("source", "extractor"), [("", "x"), (" ", "x"), ("d", ""), ("d" * 3000, "x"), ("d", "x" * 201)]
)
def test_a_faulty_address_is_refused(kg: KnowledgeGraph, source: str, extractor: str) -> None:
    """By each of the three calls that take one."""
    for call in (lambda: kg.extract(source, extractor, {}), lambda: kg.withdraw(source, extractor)):
        with pytest.raises(InvalidInput):
            call()
    with pytest.raises(InvalidInput):
        kg.reinstate(source, extractor)


def test_what_is_said_twice_in_a_document_is_one_assertion(kg: KnowledgeGraph) -> None:
    """The surer one counts, the places of both are kept, and the first one's values."""
    once = {"confidence": 0.6, "locations": [{"sentence": 0}], "metadata": {"as": "colleague"}}
    twice = {"confidence": 0.4, "locations": [{"sentence": 3}, {"sentence": 0}], "metadata": {"as": "friend"}}
    items = [keyed("ada"), keyed("bo"), joins("ada", "knows", "bo", **once), joins("ada", "knows", "bo", **twice)]
    for created in (3, 0):
        result = kg.extract("d", "x", document(*items))
        assert (result.created, result.updated, result.retired) == (created, 0, 0)
        knows = active(kg)["knows"]
        [said] = said_of(kg, knows)
        assert (said.confidence, [place.sentence for place in said.locations]) == (0.6, [0, 3])
        assert knows.metadata == {"as": "colleague"}


@pytest.mark.parametrize(
    "respell",
    [
        lambda text: unicodedata.normalize("NFD", text),
        lambda text: unicodedata.normalize("NFC", text),
        lambda text: f"{text} ",
        lambda text: f" {text}",
    ],
    ids=["nfd", "nfc", "blank after", "blank before"],
)
def test_other_spellings_of_one_text_change_nothing(kg: KnowledgeGraph, respell: Callable[[str], str]) -> None:
    """Of names, labels and aliases."""
    zoë = "Zo\u00eb \uac15"

    def spelt(spell: Callable[[str], str]) -> Fields:
        label = spell(zoë)
        return document(person(label, label, aliases=[spell("Åda")]), joins(label, "knows", label))

    kg.extract("d", "x", spelt(str))
    before = state(kg), kg.stats().changes
    again = kg.extract("d", "x", spelt(respell))
    assert (again.unchanged, again.created, again.updated, again.retired) == (2, 0, 0, 0)
    assert (state(kg), kg.stats().changes) == before


def test_what_is_sent_twice_changes_nothing_and_says_so(kg: KnowledgeGraph) -> None:
    """No version, no change, no assertion; the run that says so is empty."""
    given = document(
        keyed("ada", confidence=0.9, metadata={"born": 1815}, locations=[{"page": 1, "quote": "Ada\nLovelace"}]),
        person("bo", "Bo", aliases=["B."]),
        joins("ada", "knows", "bo", valid_from="1833", confidence=0.8),
        version="2.1",
        title="A letter",
    )
    first = kg.extract("d", "x", given)
    before = list(facts(kg)), kg.stats().changes, kg.assertions.list(is_withdrawn=None).items
    again = kg.extract("d", "x", given)
    assert (again.unchanged, again.labels) == (3, first.labels)
    assert again.created == again.updated == again.restored == again.retired == again.refused == 0
    assert (list(facts(kg)), kg.stats().changes, kg.assertions.list(is_withdrawn=None).items) == before
    assert again.run is None
    assert [run.id for run in kg.runs.list().items] == [first.run]


def test_what_is_sent_twice_is_looked_at_again_where_something_changed(kg: KnowledgeGraph) -> None:
    """A person deleted a fact of it, or it was withdrawn, changed, or said by hand meanwhile."""
    given = document(person("T1", "Ada", confidence=0.5), person("T2", "Bo"))
    first = kg.extract("d", "x", given)
    kg.entities.delete(first.labels["T2"])
    assert codes(kg.extract("d", "x", given).items) == [("/entities/1", "deleted")]
    kg.entities.restore(first.labels["T2"])
    again = kg.extract("d", "x", given)
    assert (again.items, again.unchanged) == ((), 2)
    kg.withdraw("d", "x")
    assert kg.extract("d", "x", given).restored == 2
    said = said_of(kg, kg.entities.get(first.labels["T1"]))
    kg.assertions.withdraw(said[0].id)
    assert active(kg).keys() == {"Bo"}
    assert kg.extract("d", "x", given).restored == 1
    kg.assertions.add(ENTITY, first.labels["T1"], source="d", extractor="x", confidence=0.9)
    assert kg.extract("d", "x", given).updated == 1
    assert active(kg)["Ada"].confidence == 0.5
    kg.extract("d", "x", document(person("T1", "Ada")))
    assert kg.extract("d", "x", given).restored == 1
    assert kg.acting_as(ANN).extract("d", "x", given).updated == 2
    assert kg.extract("d", "x", given).labels == first.labels


def test_labels_are_told_again_as_they_were(kg: KnowledgeGraph) -> None:
    """Several of one entity, and none where the document gives none any more."""
    twice = document(person("T1", key="k"), person("T2", "T1", key="k"))
    for _ in range(3):
        assert kg.extract("d", "x", twice).labels.keys() == {"T1", "T2"}
    for _ in range(3):
        assert kg.extract("d", "x", document({"type": "person", "name": "T1", "key": "k"})).labels == {}


def test_a_newer_version_of_an_extractor_says_it_anew(kg: KnowledgeGraph) -> None:
    """The assertion names it; the fact shows nothing else and gets no version."""
    kg.extract("d", "x", document(keyed("ada"), version="1"))
    result = kg.extract("d", "x", document(keyed("ada"), version="2"))
    assert result.updated == 1
    [ada] = facts(kg)
    assert (ada.version, [said.extractor_version for said in said_of(kg, ada)]) == (1, ["2"])


def test_each_source_has_its_own_last_word(kg: KnowledgeGraph) -> None:
    """Never the greatest so far: .9, then .4 of another, then .2 in place of .9, and what is left of both."""

    def says(source: str, confidence: float) -> float | None:
        kg.extract(source, "x", document(keyed("ada", confidence=confidence)))
        found: float | None = kg.entities.get_by_key("ada").confidence
        return found

    assert [says("s1", 0.9), says("s2", 0.4), says("s1", 0.2)] == [0.9, 0.94, 0.52]
    kg.withdraw("s2", "x")
    assert kg.entities.get_by_key("ada").confidence == 0.2
    kg.withdraw("s1", "x")
    [ada] = facts(kg)
    assert (ada.is_retired, ada.confidence) == (True, None)


def test_periods_with_keys_are_facts_of_their_own(kg: KnowledgeGraph) -> None:
    """Two terms at one place: both stay, and what a third document ends concerns neither."""
    ends = (keyed("ada"), keyed("acme"))
    for source, key, begin, end in (("d1", "first", "2001", "2004"), ("d2", "second", "2010", None)):
        works = joins("ada", "works_at", "acme", key=key, valid_from=begin, valid_to=end)
        kg.extract(source, "x", document(*ends, works))
    kg.extract("d3", "x", document(keyed("bo"), keyed("beta"), joins("bo", "works_at", "beta", valid_to="2012")))
    ada = kg.entities.get_by_key("ada").id
    for year, count in (("2000", 0), ("2002", 1), ("2004", 1), ("2007", 0), ("2012", 1)):
        assert kg.relationships.count(source_entity_id=ada, valid_at=year) == count
    kg.withdraw("d2", "x")
    assert [kg.relationships.count(source_entity_id=ada, valid_at=year) for year in ("2002", "2012")] == [1, 0]


@pytest.mark.parametrize("others", [{"valid_from": "2001", "valid_to": "2004"}, {"valid_to": "2004"}], ids=len)
def test_a_period_comes_from_one_item(kg: KnowledgeGraph, others: Fields) -> None:
    """The begin of one and the end of another, in one document or in two, would be a period that nobody named."""
    since = joins("ada", "works_at", "acme", valid_from="2010")
    until = joins("ada", "works_at", "acme", **others)
    kg.extract("d1", "x", document(keyed("ada"), keyed("acme"), since, until))
    works = active(kg)["works_at"]
    assert (works.valid_from, works.valid_to) == ("2010", None)
    kg.extract("d2", "x", document(keyed("ada"), keyed("acme"), until | {"confidence": 0.5}))
    works = active(kg)["works_at"]
    assert (works.valid_from, works.valid_to) == (others.get("valid_from"), "2004")
    kg.withdraw("d2", "x")
    works = active(kg)["works_at"]
    assert (works.valid_from, works.valid_to) == ("2010", None)


def test_what_is_more_certain_wins_and_gives_way_when_it_is_withdrawn(kg: KnowledgeGraph) -> None:
    """Field by field, and name by name in metadata; losers stay in their assertions."""
    kg.extract("d1", "x", document(keyed("ada", "Ada", confidence=0.9, metadata={"born": 1815, "died": 1852})))
    kg.extract(
        "d2", "x", document(keyed("ada", "A. L.", confidence=0.5, aliases=["A"], metadata={"born": 1816, "of": "UK"}))
    )
    [ada] = facts(kg)
    assert (ada.name, ada.aliases, ada.metadata) == ("Ada", ("A",), {"born": 1815, "died": 1852, "of": "UK"})
    values = [
        (value.pointer, value.value, value.source, value.is_shown) for value in kg.assertions.values(ENTITY, ada.id)
    ]
    assert values == [
        ("/aliases", ["A"], "d2", True),
        ("/metadata/born", 1815, "d1", True),
        ("/metadata/born", 1816, "d2", False),
        ("/metadata/died", 1852, "d1", True),
        ("/metadata/of", "UK", "d2", True),
        ("/name", "Ada", "d1", True),
        ("/name", "A. L.", "d2", False),
        ("/type", "person", "d1", True),
        ("/type", "person", "d2", True),
    ]
    kg.withdraw("d1", "x")
    [ada] = facts(kg)
    assert (ada.name, ada.metadata) == ("A. L.", {"born": 1816, "of": "UK"})
    kg.reinstate("d1", "x")
    [ada] = facts(kg)
    assert (ada.name, ada.metadata) == ("Ada", {"born": 1815, "died": 1852, "of": "UK"})


def test_a_source_of_higher_rank_wins_however_sure_another_is(kg: KnowledgeGraph) -> None:
    """At once, for all that is said of facts already, and back again; a person's own word wins over every rank."""
    kg.extract("d1", "x", document(keyed("ada", "Sure", confidence=0.9), keyed("bo", "Bo", confidence=0.9)))
    kg.extract("d2", "x", document(keyed("ada", "Ranked", confidence=0.1), keyed("cy", "Cy")))
    second = kg.sources.get_by_uri("d2").id
    assert [kg.entities.get_by_key("ada").name, kg.sources.get(second).rank] == ["Sure", 0]
    confidence = kg.entities.get_by_key("ada").confidence
    assert kg.sources.rank(second, 1).rank == 1
    ada = kg.entities.get_by_key("ada")
    assert (ada.name, ada.confidence) == ("Ranked", confidence)
    changes = kg.stats().changes
    kg.sources.rank(second, 1)
    assert kg.stats().changes == changes
    kg.sources.rank(kg.sources.get_by_uri("d1").id, 2)
    assert kg.entities.get_by_key("ada").name == "Sure"
    kg.withdraw("d1", "x")
    assert kg.entities.get_by_key("ada").name == "Ranked"
    kg.entities.update(ada.id, name="By hand")
    kg.reinstate("d1", "x")
    assert kg.entities.get_by_key("ada").name == "By hand"


def test_what_a_person_deleted_stays_deleted(kg: KnowledgeGraph) -> None:
    """It is told for that item, with the id, and fails nothing; what it said of it stays said, until it is restored."""
    given = document(keyed("ada"), person("bo"), joins("ada", "knows", "bo"), joins("bo", "knows", "bo"))
    labels = kg.extract("d", "x", given).labels
    kg.entities.delete(labels["bo"])
    before = state(kg), kg.stats().changes
    for _ in range(2):
        result = kg.extract("d", "x", given)
        assert (result.refused, result.retired, result.updated, result.unchanged, result.retires) == (0, 0, 0, 1, True)
        assert [(item.pointer, item.code, item.id, item.is_refused) for item in result.items] == [
            ("/entities/1", "deleted", labels["bo"], False),
            ("/relationships/0/target_entity_label", "deleted", labels["bo"], False),
            ("/relationships/1/source_entity_label", "deleted", labels["bo"], False),
            ("/relationships/1/target_entity_label", "deleted", labels["bo"], False),
        ]
        assert (state(kg), kg.stats().changes) == before
    assert kg.extract("other", "y", given).labels["bo"] != labels["bo"]  # another document's "bo" is somebody else
    kg.withdraw("other", "y")
    assert len(kg.entities.restore(labels["bo"]).relationships) == 2
    again = kg.extract("d", "x", given)
    assert (again.unchanged, again.updated) == (4, 0)


def test_a_deleted_relationship_stays_deleted_and_does_not_hold_its_ends(kg: KnowledgeGraph) -> None:
    """It is told; the entities live and go with what supports them."""
    kg.extract("d", "x", WORKS)
    works = active(kg)["works_at"]
    kg.relationships.delete(works.id)
    result = kg.extract("d", "x", WORKS)
    assert codes(result.items) == [("/relationships/0", "deleted")]
    assert (result.items[0].id, result.refused, result.unchanged, result.retires) == (works.id, 0, 2, True)
    assert active(kg).keys() == {"ada", "acme"}
    gone = kg.withdraw("d", "x")
    assert (len(gone.retired), gone.untouched) == (2, (works.id,))
    assert kg.relationships.get(works.id, include_deleted=True).is_retired is False


def test_a_retired_fact_can_be_restored_by_hand_and_then_stays(kg: KnowledgeGraph) -> None:
    """It is pinned, visibly; no extraction retires it until that is taken back."""
    kg.extract("d", "x", WORKS)
    kg.withdraw("d", "x")
    ada = next(fact for fact in facts(kg) if getattr(fact, "key", None) == "ada")
    kg.acting_as(ANN)
    with pytest.raises(PermissionDenied):
        kg.acting_as(BEN).entities.restore(ada.id)
    restored = kg.entities.restore(ada.id).entity
    assert (restored.pinned, restored.is_retired, restored.sources_for) == (("/is_active",), False, 0)
    kg.extract("d", "x", document(keyed("ada")))
    kg.withdraw("d", "x")
    assert active(kg).keys() == {"ada"}
    kg.assertions.pin(ENTITY, ada.id, [])
    assert active(kg) == {}


def test_a_relationship_restored_with_its_end_stays_too(kg: KnowledgeGraph) -> None:
    """Where nothing supports it by then, it is pinned as one that is restored by itself."""
    ada, _ = [kg.entities.create(type="person", name=key, key=key) for key in ("ada", "bo")]
    kg.extract("d", "x", document(keyed("ada"), keyed("bo"), joins("ada", "knows", "bo")))
    kg.entities.delete(ada.id)
    kg.withdraw("d", "x")
    [knows] = kg.entities.restore(ada.id).relationships
    assert kg.relationships.get(knows).pinned == ("/is_active",)
    assert kg.check().is_clean


def test_facts_by_hand_or_loaded_outlive_the_extractions_that_name_them(kg: KnowledgeGraph) -> None:
    """Who made them counts as a source; they keep their values too, and the rest goes."""
    ada = kg.entities.create(type="person", name="Ada by hand", key="ada", confidence=0.5)
    records: list[Fields] = [
        {"kind": "entity", "type": "firm", "name": "Acme loaded", "key": "acme", "source": "dump.csv"},
        {
            "kind": "relationship",
            "source_entity_key": "ada",
            "relationship_type": "works_at",
            "target_entity_key": "acme",
        },
    ]
    kg.load(records)
    before = active(kg)
    assert len(before) == 3
    for _ in range(2):
        result = kg.extract("d", "x", document(*WORKS["entities"], keyed("bo"), *WORKS["relationships"]))
        assert result.labels["ada"] == ada.id
        assert kg.entities.get(ada.id).sources_for == 2
        assert {*active(kg)} == {*before, "bo"}
    gone = kg.withdraw("d", "x")
    assert len(gone.retired) == 1
    assert {each.id: each.sources for each in gone.kept} == {
        ada.id: (None,),
        before["Acme loaded"].id: ("dump.csv",),
        before["works_at"].id: (None,),
    }
    for name, fact in active(kg).items():
        shown = ("id", "confidence", "source", "metadata", "created_by", "sources_for", "is_retired")
        assert [getattr(fact, field) for field in shown] == [getattr(before[name], field) for field in shown]


def test_relationships_of_others_keep_an_entity_until_the_last_goes(kg: KnowledgeGraph) -> None:
    """It is listed as kept, through nobody; and is back as soon as one of them is."""
    kg.extract("d1", "x", document(keyed("ada"), keyed("bo")))
    knows = {"source_entity_key": "ada", "relationship_type": "knows", "target_entity_key": "bo"}
    kg.extract("d2", "x", {"relationships": [knows]})
    kg.extract("d3", "x", {"relationships": [knows | {"relationship_type": "likes"}]})
    kept = kg.withdraw("d1", "x").kept
    assert [each.sources for each in kept] == [(), ()]
    assert active(kg).keys() == {"ada", "bo", "knows", "likes"}
    kg.withdraw("d2", "x")
    assert active(kg).keys() == {"ada", "bo", "likes"}
    assert len(kg.withdraw("d3", "x").retired) == 3
    assert active(kg) == {}
    assert len(kg.reinstate("d2", "x").restored) == 3
    assert active(kg).keys() == {"ada", "bo", "knows"}
    kg.reinstate("d1", "x")
    kg.withdraw("d2", "x")
    assert active(kg).keys() == {"ada", "bo"}


def test_an_end_that_is_retired_must_be_named_to_come_back(kg: KnowledgeGraph) -> None:
    """A relationship alone does not say that its ends are still so."""
    kg.extract("d1", "x", document(keyed("ada"), keyed("bo")))
    kg.withdraw("d1", "x")
    knows = {"source_entity_key": "ada", "relationship_type": "knows", "target_entity_key": "bo"}
    result = kg.extract("d2", "x", {"relationships": [knows]})
    assert codes(result.items) == [
        ("/relationships/0/source_entity_key", "end_retired"),
        ("/relationships/0/target_entity_key", "end_retired"),
    ]
    assert result.refused == 1
    result = kg.extract("d2", "x", {"entities": [keyed("ada"), keyed("bo")], "relationships": [knows]})
    assert (result.restored, result.created, result.refused) == (2, 1, 0)


def test_an_extraction_is_a_run_with_its_counts_and_changes(kg: KnowledgeGraph) -> None:
    """So are a withdrawal and its way back; changes tell what was done, and assertions which run said them."""
    done = [
        kg.extract("d", "x", WORKS | {"title": "A letter"}),
        kg.withdraw("d", "x"),
        kg.reinstate("d", "x"),
    ]
    expected = [
        (RunKind.EXTRACTION, "A letter", {"created": 3}),
        (RunKind.WITHDRAWAL, "d", {"retired": 3}),
        (RunKind.REINSTATEMENT, "d", {"restored": 3}),
    ]
    for result, (kind, title, counts) in zip(done, expected, strict=True):
        assert result.run is not None
        run = kg.runs.get(result.run)
        assert (run.kind, run.title, run.counts, run.state) == (kind, title, counts, RunState.COMPLETED)
        changes = kg.runs.changes(result.run).items
        assert [change.action.value for change in changes] == [*counts] * 3
    assert {said.run for said in kg.assertions.list().items} == {done[0].run}
    # Entities come before what joins them, and go after it.
    kinds = [[type(change.record).__name__ for change in kg.runs.changes(run.run).items] for run in done if run.run]
    assert kinds[0][-1] == kinds[2][-1] == kinds[1][0] == "Relationship"


def test_an_extraction_can_be_part_of_an_open_run(kg: KnowledgeGraph) -> None:
    """Then it is no run by itself; once that ends, nothing more can be part of it."""
    with kg.run("nightly") as run:
        assert run.extract("d1", "x", WORKS).run == run.run_id
        run.entities.create(type="person", name="by hand")
        assert run.withdraw("d1", "x").run == run.run_id
    opened = kg.runs.open("another")
    inside = kg.in_run(opened.id)
    assert inside.extract("d1", "x", WORKS).run == opened.id
    kg.runs.end(opened.id)
    with pytest.raises(RunEnded):
        inside.extract("d2", "x", WORKS)
    runs = {found.title: found for found in kg.runs.list().items}
    assert runs["nightly"].counts == {"created": 4, "retired": 3}
    assert runs["another"].counts == {"restored": 3}
    assert len(runs) == 2


def test_only_those_who_may_write_may_extract(kg: KnowledgeGraph) -> None:
    """Anybody who may create; what a user extracted is theirs to withdraw, and nobody else's."""
    kg.acting_as(ANN).extract("d", "x", WORKS)
    for other in (BEN, kg._context.actor):
        with pytest.raises(NotFound):
            kg.acting_as(other).withdraw("d", "x")
        with pytest.raises(NotFound):
            kg.acting_as(other).reinstate("d", "x")
    assert kg.acting_as(BEN).extract("d", "x", document()).retired == 0
    assert active(kg).keys() == {*W}


def test_the_feed_tells_each_retirement_and_return(kg: KnowledgeGraph) -> None:
    """With the record as it was then; whoever follows it has the graph."""
    kg.extract("d", "x", document(keyed("ada", confidence=0.5)))
    kg.withdraw("d", "x")
    kg.reinstate("d", "x")
    told = kg.changes().items
    assert [change.action for change in told] == [ChangeAction.CREATED, ChangeAction.RETIRED, ChangeAction.RESTORED]
    assert [(change.record.is_active, change.record.version) for change in told] == [(True, 1), (False, 2), (True, 3)]
    assert told[-1].record == kg.entities.get_by_key("ada")
    assert [record["name"] for record in kg.dump()] == ["ada"]


def test_a_document_of_many_items(kg: KnowledgeGraph) -> None:
    """More than one statement would take at once."""
    many = [keyed(f"k{number}") for number in range(1300)]
    chain = [joins(f"k{number}", "next", f"k{number + 1}") for number in range(1299)]
    result = kg.extract("d", "x", document(*many, *chain))
    assert (result.created, len(result.labels)) == (2599, 1300)
    assert kg.extract("d", "x", document(*many, *chain)).unchanged == 2599
    result = kg.extract("d", "x", document(*many[::2]))
    assert (result.unchanged, result.retired) == (650, 650 + 1299)
    assert kg.relationships.count() == 0
    assert kg.relationships.count(is_active=None) == 1299
    kg.extract("d", "x", document(*many, *chain))
    assert kg.relationships.count() == 1299
    assert kg.assertions.of(RELATIONSHIP, kg.relationships.list(limit=1).items[0].id).items[0].source == "d"
