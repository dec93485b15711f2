"""Extractors: they are named by what they say, and what those of a higher rank found wins."""

from datetime import timedelta
from typing import Any

import pytest

from kgl_core import AlreadyExists, InvalidInput, KnowledgeGraph, NotFound, PermissionDenied
from kgl_core.evidence import settling
from kgl_core.evidence.origins.extractors import extractor_id
from kgl_core.evidence.origins.sources import source_id
from kgl_core.graph.entities import ENTITY
from kgl_core.graph.facts import PINNED_ACTIVE
from tests.contract.evidence.documents import ANN, MODERATOR, document, joins, keyed, require_sound


def name_of(kg: KnowledgeGraph, key: str = "ada") -> str:
    """What the entity with this key is called."""
    return kg.entities.get_by_key(key).name


def ranks(kg: KnowledgeGraph) -> dict[str, int]:
    """The ranks of all extractors, by name."""
    return {each.name: each.rank for each in kg.extractors.list().items}


def test_extractors_are_named_by_what_they_say(kg: KnowledgeGraph) -> None:
    """Once each, whoever runs them, by whichever way it is said; a person is none."""
    assert ranks(kg) == {}
    kg.acting_as(ANN).extract("d", "x", document(keyed("ada"), keyed("bo"), joins("ada", "knows", "bo")))
    kg.extract("d", "x", document(keyed("ada")))
    ada = kg.entities.get_by_key("ada")
    kg.assertions.add(ENTITY, ada.id, source="e")
    kg.assertions.add(ENTITY, ada.id, extractor="y 源", about="/metadata/born", value=1815)
    kg.extractors.create(name="later")
    assert ranks(kg) == {"x": 0, "y 源": 0, "later": 0}
    named = kg.extractors.get_by_name("x")
    assert (named.id, named.created_by, named.version) == (extractor_id("x"), ANN, 1)
    assert kg.extractors.get(named.id) == named
    after = kg.extractors.list(created_after=named.created_at - timedelta(days=1), limit=1)
    assert after.items == (named,)
    with pytest.raises(AlreadyExists, match="x is taken by extractor"):
        kg.extractors.create(name="x")
    for unknown in (lambda: kg.extractors.get_by_name("z"), lambda: kg.extractors.rank(extractor_id("z"), 1)):
        with pytest.raises(NotFound):
            unknown()


def test_what_an_extractor_of_higher_rank_found_wins(kg: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, for all facts, of one source and of several, and back; a person's own word wins over every rank."""
    monkeypatch.setattr(settling, "PART", 2)
    keys = [f"k{number}" for number in range(5)]
    kg.extract("d1", "sure", document(*(keyed(key, "Sure", confidence=0.9) for key in keys)))
    kg.extract("d1", "better", document(*(keyed(key, "Better", confidence=0.1) for key in keys[:4])))
    kg.extract("d2", "better", document(keyed(keys[4], "Better", confidence=0.1)))
    with kg.run("ranks") as run:
        ranked = run.extractors.rank(extractor_id("better"), 1)
    assert (ranked.rank, ranked.version, ranks(kg)) == (1, 2, {"sure": 0, "better": 1})
    assert {name_of(kg, key) for key in keys} == {"Better"}
    assert run.run_id is not None
    assert {change.action.value for change in kg.runs.changes(run.run_id).items} == {"updated"}
    changes = kg.stats().changes
    assert kg.extractors.rank(extractor_id("better"), 1) == ranked
    assert kg.stats().changes == changes
    kg.extract("d3", "sure", document(keyed("k0", "Surest", confidence=1.0)))
    assert name_of(kg, "k0") == "Better"
    kg.withdraw("d1", "better")
    assert name_of(kg, "k0") == "Surest"
    kg.extractors.rank(extractor_id("better"), -1)
    kg.reinstate("d1", "better")
    assert {name_of(kg, key) for key in keys[1:]} == {"Sure"}
    ada = kg.entities.get_by_key("k1")
    kg.assertions.add(ENTITY, ada.id, about="/metadata/by", value="hand")
    kg.assertions.add(ENTITY, ada.id, extractor="sure", about="/metadata/by", value="program")
    kg.extractors.rank(extractor_id("sure"), 1000)
    assert kg.entities.get(ada.id).metadata["by"] == "hand"
    require_sound(kg)


def test_the_ranks_of_the_source_and_the_extractor_add_up(kg: KnowledgeGraph) -> None:
    """So a good source may make up for a poor extractor, and either may be doubted."""
    kg.extract("good", "poor", document(keyed("ada", "Good, poor", confidence=0.1)))
    kg.extract("other", "other", document(keyed("ada", "Other", confidence=0.9)))
    seen = []
    for source, extractor in ((0, 0), (2, 0), (2, -1), (2, -2), (2, -3), (-1, 1), (-1, 2)):
        kg.sources.rank(source_id("good"), source)
        kg.extractors.rank(extractor_id("poor"), extractor)
        seen.append(name_of(kg))
    assert seen == ["Other", "Good, poor", "Good, poor", "Other", "Other", "Other", "Good, poor"]
    told = kg.assertions.values(ENTITY, kg.entities.get_by_key("ada").id)
    assert [(value.extractor, value.rank) for value in told if value.pointer == "/name"] == [("poor", 1), ("other", 0)]
    [found] = kg.sources.contribution(source_id("good")).extractors
    assert (found.extractor, found.rank) == ("poor", 2)


def test_a_check_knows_ranks(kg: KnowledgeGraph) -> None:
    """What they make shows as it should, and a repair leaves it."""
    kg.extract("d", "x", document(keyed("ada", "X", confidence=0.9)))
    kg.extract("e", "y", document(keyed("ada", "Y", confidence=0.1)))
    kg.extractors.rank(extractor_id("y"), 5)
    report = kg.check(repair=True)
    assert (report.faults, name_of(kg), ranks(kg)) == ((), "Y", {"x": 0, "y": 5})


def test_a_load_that_brings_a_fact_back_knows_ranks(kg: KnowledgeGraph) -> None:
    """Also of what was said of single values meanwhile."""
    id = kg.extract("d", "x", document(keyed("ada", "Ada", metadata={"a": 0}))).labels["ada"]
    for source, value in (("low", 1), ("high", 2), ("low again", 3)):
        kg.assertions.add(ENTITY, id, source=source, extractor="x", about="/metadata/a", value=value)
        kg.assertions.add(ENTITY, id, source=source, about="/metadata/b", value=value)
    kg.sources.rank(source_id("high"), 1)
    kg.withdraw("d", "x")
    assert kg.entities.get(id, include_deleted=True).is_retired
    kg.load([{"kind": "entity", "key": "ada", "type": "person", "name": "Ada"}])
    assert kg.entities.get(id).metadata == {"a": 2, "b": 2}
    assert PINNED_ACTIVE not in kg.entities.get(id).pinned
    require_sound(kg)


def test_who_ranks_extractors(kg: KnowledgeGraph) -> None:
    """Moderators, from -1000 to 1000."""
    id = kg.extractors.create(name="x").id
    assert kg.acting_as(MODERATOR).extractors.rank(id, 1000).rank == 1000
    with pytest.raises(PermissionDenied):
        kg.acting_as(ANN).extractors.rank(id, 1)
    wrong: list[Any] = [1001, -1001, 1.5, "1", None, True]
    for rank in wrong:
        with pytest.raises(InvalidInput):
            kg.extractors.rank(id, rank)
    with pytest.raises(InvalidInput):
        kg.extractors.create(name="")
