"""Sources: what each contributes, who else says the same, and how what is said of a source itself is corrected."""

from collections.abc import Callable
from typing import Any

import pytest

from kgl_core import InvalidInput, KnowledgeGraph, NotFound, PermissionDenied, StaleVersion
from kgl_core.evidence.origins import contributions
from kgl_core.evidence.origins.sources import source_id
from kgl_core.graph.entities import ENTITY
from tests.contract.evidence.documents import ANN, BEN, MODERATOR, active, document, facts, joins, keyed

Counts = dict[str, Any]


def contribution(kg: KnowledgeGraph, uri: str) -> contributions.Contribution:
    """What the source with this URI contributes."""
    return kg.sources.contribution(source_id(uri))


def counts(of: contributions.FactCounts) -> tuple[int, int, int, int]:
    """The numbers of facts: entities and relationships that it supports, and those that it speaks against."""
    return (of.entities_for, of.relationships_for, of.entities_against, of.relationships_against)


def test_a_source_tells_what_it_contributes(kg: KnowledgeGraph) -> None:
    """Each fact counts once, whoever found it there; what is gone does not count."""
    kg.extract("d", "x", document(*map(keyed, "abc"), joins("a", "knows", "b")))
    kg.acting_as(ANN).extract("d", "y", document(keyed("a"), keyed("e")))
    kg.extract("e", "x", document(keyed("b")))
    kg.acting_as(BEN).assertions.add(ENTITY, active(kg)["c"].id)
    kg.assertions.add(ENTITY, active(kg)["b"].id, source="d", stance="against")
    told = contribution(kg, "d")
    assert counts(told) == (4, 1, 1, 0)
    assert told.only_here == 3, "a, e and the relationship: others support b and c"
    found = {each.extractor: counts(each) for each in told.extractors}
    assert found == {None: (0, 0, 1, 0), "x": (3, 1, 0, 0), "y": (2, 0, 0, 0)}
    assert [(each.uri, each.shared) for each in told.shared_with] == [("e", 1)]
    assert (told.truncated, told.is_complete) == (False, True)
    assert told.entities_for == len(kg.entities.list(source="d").items)
    kg.entities.delete(active(kg)["a"].id)
    kg.withdraw("e", "x")
    told = contribution(kg, "d")
    assert (counts(told), told.only_here, told.shared_with) == ((3, 0, 1, 0), 2, ())
    with pytest.raises(NotFound):
        contribution(kg, "nobody names it")


def test_what_facts_say_themselves_counts_as_well(kg: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    """For people, by whom it was loaded or made; once, also when somebody else says so, too."""
    long = "https://example.org/" + "é" * 1970
    for uri in ("d", long, f"{long}x"):
        kg.load(
            [{"kind": "entity", "key": f"{key} {uri[-2:]}", "type": "t", "name": key, "source": uri} for key in "abc"]
        )
        kg.sources.create(uri=uri)
    made = {entity.key: entity for entity in kg.entities.list(source="d").items}
    a, b, c = (made[f"{key} d"] for key in "abc")
    kg.relationships.create(a.id, "knows", b.id, source="d")
    kg.relationships.create(b.id, "knows", c.id, source="e")
    told = contribution(kg, "d")
    assert (counts(told), told.only_here, told.is_complete) == ((3, 1, 0, 0), 4, True)
    assert [(each.extractor, each.rank, counts(each)) for each in told.extractors] == [(None, None, (3, 1, 0, 0))]
    assert [counts(contribution(kg, uri)) for uri in (long, f"{long}x")] == [(3, 0, 0, 0)] * 2
    kg.acting_as(ANN).assertions.add(ENTITY, a.id, source="e")
    kg.extract("d", "x", document({"label": "b", "id": str(b.id), "type": "t", "name": "b"}))
    told = contribution(kg, "d")
    assert (counts(told), told.only_here) == ((3, 1, 0, 0), 3)
    assert [(each.extractor, counts(each)) for each in told.extractors] == [(None, (3, 1, 0, 0)), ("x", (1, 0, 0, 0))]
    kg.entities.delete(c.id)
    kg.entities.update(a.id, source="e")
    assert counts(contribution(kg, "d")) == (2, 1, 0, 0)
    monkeypatch.setattr(contributions, "COUNTED_MAX", 2)
    cut = contribution(kg, long)
    assert (counts(cut), cut.only_here, cut.is_complete) == ((2, 0, 0, 0), 2, False)


def test_other_sources_are_named_largest_first(kg: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most twenty of them; and where there is too much to count, the answer says so."""
    kg.extract("d", "x", document(*map(keyed, "abc")))
    for number in range(21):
        kg.extract(f"o{number:02}", "x", document(*map(keyed, "abc"[: 1 + number // 10])))
    told = contribution(kg, "d")
    assert [each.shared for each in told.shared_with] == [3] + [2] * 10 + [1] * 9
    by_size = [(-each.shared, each.id.int) for each in told.shared_with]
    assert (by_size, told.shared_with[0].uri) == (sorted(by_size), "o20")
    assert (told.truncated, told.is_complete, told.only_here) == (True, True, 0)
    for most, most_others, is_complete in ((2, 99, False), (3, 32, False), (3, 33, True)):
        monkeypatch.setattr(contributions, "COUNTED_MAX", most)
        monkeypatch.setattr(contributions, "BESIDE_MAX", most_others)
        cut = contribution(kg, "d")
        assert (cut.entities_for, cut.is_complete) == (most, is_complete)


def test_facts_are_listed_by_the_run_that_found_support_for_them(kg: KnowledgeGraph) -> None:
    """As long as that is in force; what speaks against a fact does not count."""
    with kg.run("night") as night:
        night.extract("d", "x", document(keyed("a"), keyed("b"), joins("a", "knows", "b")))
        night.extract("d2", "x", document(keyed("b"), keyed("c")))
        night.assertions.add(ENTITY, kg.entities.create(type="t", name="other").id, stance="against")
    with kg.run("day") as day:
        day.extract("d2", "x", document(keyed("c"), keyed("e")))
    runs = {run.title: run.id for run in kg.runs.list().items}

    def names(title: str, **filter: Any) -> set[str]:
        found = kg.entities.list(run=runs[title], **filter).items
        assert kg.entities.count(run=runs[title], **filter) == len(found)
        return {entity.name for entity in found}

    assert (names("night"), names("day")) == ({"a", "b", "c"}, {"e"})
    assert names("night", source="d2") == {"c"}
    assert len(kg.relationships.list(run=str(runs["night"])).items) == 1
    kg.withdraw("d", "x")
    assert names("night") == {"c"}
    assert kg.relationships.list(run=runs["night"]).items == ()
    assert names("night", is_active=None) == {"c"}
    assert kg.entities.list(run=source_id("none")).items == ()


CORRECTIONS: dict[str, Callable[[KnowledgeGraph, str], Any]] = {
    "update": lambda kg, id: kg.sources.update(id, title="Note G", published="1843", metadata={"pages": [1]}),
    "patch": lambda kg, id: kg.sources.patch(id, {"title": "Note G", "published": "1843", "metadata": {"pages": [1]}}),
}


@pytest.mark.parametrize("way", CORRECTIONS)
def test_what_is_said_of_a_source_is_corrected(kg: KnowledgeGraph, way: str) -> None:
    """By whoever named it first, and by moderators; later extractions only fill what is empty."""
    kg.acting_as(ANN).extract("d", "x", {**document(keyed("a")), "title": "Nota G"})
    named = kg.sources.get_by_uri("d")
    with pytest.raises(PermissionDenied):
        CORRECTIONS[way](kg.acting_as(BEN), str(named.id))
    for actor in (ANN, MODERATOR):
        changed = CORRECTIONS[way](kg.acting_as(actor), str(named.id))
        assert (changed.title, changed.published, changed.metadata) == ("Note G", "1843", {"pages": [1]})
        assert changed.version == named.version + 1, "what changes nothing makes no version"
    kg.extract("d", "y", {**document(keyed("a")), "title": "G", "type": "paper", "published": "1844"})
    filled = kg.sources.get(named.id)
    assert (filled.title, filled.type, filled.published) == ("Note G", "paper", "1843")
    assert filled.version == changed.version + 1
    emptied = kg.sources.patch(named.id, {"title": None, "metadata": {"pages": None}})
    assert (emptied.title, emptied.metadata, emptied.rank) == (None, {}, 0)
    assert kg.sources.rank(named.id, 3).version == kg.sources.rank(named.id, 3).version == emptied.version + 1


def test_a_faulty_correction_of_a_source_is_refused(kg: KnowledgeGraph) -> None:
    """And changes nothing: its URI identifies it, and its rank has a use case of its own."""
    source = kg.sources.create(uri="d")
    for changes in ({"uri": "e"}, {"title": "x" * 501}, {"rank": 3}, {"titel": "x"}, {"published": "soon"}):
        with pytest.raises(InvalidInput):
            kg.sources.patch(source.id, changes)
        with pytest.raises(InvalidInput):
            kg.sources.update(source.id, **changes)  # type: ignore[arg-type]
    with pytest.raises(StaleVersion):
        kg.sources.update(source.id, title="x", expected_version=2)
    with pytest.raises(NotFound):
        kg.sources.update(source_id("none"), title="x")
    assert kg.sources.patch(source.id, {"uri": "d", "rank": 0, "version": 1}) == kg.sources.get(source.id) == source


def test_facts_show_the_corrected_type_of_their_source(kg: KnowledgeGraph) -> None:
    """Also when a later extraction is the first to tell it."""
    kg.extract("d", "x", document(keyed("a")))
    kg.extract("d", "y", document(keyed("b"), type="paper"))
    assert {fact.source_type for fact in facts(kg)} == {"paper"}
    kg.sources.update(source_id("d"), type="note")
    assert {fact.source_type for fact in facts(kg)} == {"note"}
