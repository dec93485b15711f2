"""Loads of lines that name retired facts: what is loaded is new evidence, which brings them back."""

from typing import Any

import pytest

from kgl_core import Change, ChangeAction, KnowledgeGraph
from kgl_core.graph.entities import ENTITY
from kgl_core.storage.loading import load
from tests.contract.evidence.documents import ANN, active, document, joins, keyed, require_sound, said_of
from tests.contract.storage.test_loading import a_relationship, an_entity, counts, log, refused

LETTER = document(
    keyed("ada", "Ada", confidence=0.9, aliases=["A"]),
    keyed("bo", "Bo"),
    joins("ada", "knows", "bo", valid_from="1833"),
)
LINES = [
    an_entity("ada", name="Ada Lovelace", source="book", confidence=0.5, metadata={"born": 1815}),
    an_entity("bo", name="Bo"),
    a_relationship("ada", "bo", source="book", source_type="print", confidence=0.25),
]


@pytest.fixture
def retired(kg: KnowledgeGraph) -> KnowledgeGraph:
    """A graph in which all that a letter says is retired."""
    kg.extract("d", "x", LETTER)
    kg.withdraw("d", "x")
    return kg


def changed(kg: KnowledgeGraph, before: list[Change]) -> list[ChangeAction]:
    """The actions of the changes since then."""
    return [change.action for change in log(kg)[len(before) :]]


@pytest.mark.parametrize("existing", ["merge", "replace", "keep", "refuse"])
@pytest.mark.parametrize("batch", [1, 5000])
def test_a_line_brings_a_retired_fact_back(
    retired: KnowledgeGraph, existing: str, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As itself and as the line says, for whoever may create; the dry run says the same."""
    monkeypatch.setattr(load, "BATCH_RECORDS_MAX", batch)
    before, own = log(retired), {record["id"] for record in retired.dump()}
    ann = retired.acting_as(ANN)
    for dry_run in (True, False):
        assert counts(ann.load(LINES, existing=existing, dry_run=dry_run)) == (0, 3, 0, 0)
    assert changed(retired, before) == [ChangeAction.RESTORED] * 3
    found = active(retired)
    assert {str(fact.id) for fact in found.values()} == own
    ada, knows = found["Ada Lovelace"], found["knows"]
    assert (ada.aliases, ada.metadata, ada.confidence, ada.source, ada.version) == ((), {"born": 1815}, 0.5, "book", 3)
    assert (knows.valid_from, knows.confidence, knows.source_type) == (None, 0.25, "print")
    assert [(each.extractor, each.asserted_by) for each in said_of(retired, ada)] == [(None, ANN)]
    assert counts(ann.load(LINES)) == (0, 0, 3, 0)
    require_sound(retired)
    retired.reinstate("d", "x")
    assert [fact.sources_for for fact in active(retired).values()] == [2, 2, 2]


def test_a_line_names_a_retired_fact_by_its_id(retired: KnowledgeGraph) -> None:
    """With nothing else, or with another key; a relationship comes back once its ends are there."""
    ids = {record.get("key", "knows"): record["id"] for record in retired.dump()}
    knows = {"kind": "relationship", "id": ids["knows"]}
    ada = {"kind": "entity", "id": ids["ada"]}
    summary = retired.load([knows, {**ada, "key": "countess", "source": "book"}, {**knows, "source": "book"}])
    assert refused(summary) == [(1, "ends_deleted"), (3, "ends_deleted")]
    assert retired.entities.get(ids["ada"]).key == "countess"
    assert counts(retired.load([an_entity("bo"), knows, {**ada, "key": "ada"}])) == (0, 3, 0, 0)


def test_what_somebody_deleted_or_made_anew_goes_before(retired: KnowledgeGraph) -> None:
    """A key that an active entity has, or that one had which was deleted since, brings nothing back."""
    ids = {record.get("key", "knows"): record["id"] for record in retired.dump()}
    anew = retired.entities.create(type="person", name="Anew", key="ada")
    old = {"kind": "entity", "id": ids["ada"]}
    assert refused(retired.load([old])) == [(1, "key_taken")]
    assert counts(retired.load([an_entity("ada", name="Anew")])) == (0, 0, 1, 0)
    retired.entities.delete(anew.id)
    assert refused(retired.load([an_entity("ada")])) == [(1, "deleted")]
    assert counts(retired.load([old])) == (0, 1, 0, 0)


def test_a_line_takes_the_place_of_what_its_loader_said(kg: KnowledgeGraph) -> None:
    """Somebody spoke against a fact, and loads it with the same source; what others say against it stays."""
    id = kg.extract("d", "x", document(keyed("ada"))).labels["ada"]
    for speaker in (kg, kg.acting_as(ANN)):
        speaker.assertions.add(ENTITY, id, source="book", stance="against")
    kg.withdraw("d", "x")
    kg.load([an_entity("ada", source="book", confidence=0.5)])
    found = kg.entities.get(id)
    assert (found.sources_for, found.sources_against, found.confidence) == (1, 1, 0.5)


def test_what_is_pinned_follows_the_line_as_in_any_load(kg: KnowledgeGraph) -> None:
    """A name that somebody set by hand is set by hand again; the same file twice changes nothing."""
    id = kg.extract("d", "x", document(keyed("ada"))).labels["ada"]
    kg.entities.update(id, name="Ada by hand")
    kg.withdraw("d", "x")
    line: Any = an_entity("ada", name="Ada")
    assert counts(kg.load([line], existing="keep")) == (0, 1, 0, 0)
    assert kg.entities.get(id).name == "Ada by hand"
    assert counts(kg.load([line])) == (0, 1, 0, 0)
    assert kg.entities.get(id).name == "Ada"
    assert counts(kg.load([line])) == (0, 0, 1, 0)
