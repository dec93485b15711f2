"""Withdrawing extractions, and putting them in force again."""

from datetime import timedelta
from typing import Any

import pytest

from kgl_core import AlreadyWithdrawn, KnowledgeGraph, NotFound, NotWithdrawn
from kgl_core.graph.entities import ENTITY
from kgl_core.kernel.units_of_work import Store
from tests.contract.evidence.documents import (
    active,
    document,
    facts,
    joins,
    keyed,
    person,
    require_sound,
    said_of,
    state,
)
from tests.contract.samples import SECOND, Clock, graph_on

LETTER = document(
    keyed("ada", "Ada", confidence=0.9, aliases=["A"], metadata={"born": 1815}),
    person("T2", "Bo", locations=[{"sentence": 1}]),
    joins("ada", "knows", "T2", confidence=0.7, valid_from="1833", metadata={"as": "friend"}),
)


def test_a_reinstated_extraction_gives_facts_as_before(kg: KnowledgeGraph) -> None:
    """Every field, beside other documents and alone; the assertions are the same ones."""
    kg.extract("other", "y", document(keyed("ada", "A. Lovelace", confidence=0.95, metadata={"born": 1816})))
    kg.extract("d", "x", LETTER)
    before, said = state(kg), kg.assertions.list(limit=200).items
    gone = kg.withdraw("d", "x")
    assert (gone.withdrawn, gone.reinstated, len(gone.retired), gone.restored) == (3, 0, 2, ())
    assert [(each.kind, each.sources) for each in gone.kept] == [("entity", ("other",))]
    assert state(kg) != before
    back = kg.reinstate("d", "x")
    assert (back.withdrawn, back.reinstated, back.retired, back.restored) == (0, 3, (), gone.retired)
    assert state(kg) == before
    assert kg.assertions.list(limit=200).items == said
    kg.withdraw("d", "x")
    kg.withdraw("other", "y")
    kg.reinstate("d", "x")
    kg.reinstate("other", "y")
    assert state(kg) == before
    assert kg.extract("d", "x", LETTER).unchanged == 3


def test_only_what_was_withdrawn_last_comes_back(kg: KnowledgeGraph) -> None:
    """What a later extraction dropped, or said otherwise, stays so."""
    kg.extract("d", "x", document(keyed("ada", confidence=0.5), keyed("bo")))
    kg.extract("d", "x", document(keyed("ada", confidence=0.6)))
    kg.withdraw("d", "x")
    assert kg.reinstate("d", "x").reinstated == 1
    assert [(fact.confidence, len(said_of(kg, fact))) for fact in active(kg).values()] == [(0.6, 1)]
    assert active(kg).keys() == {"ada"}


def test_an_extraction_of_nothing_is_withdrawn_and_reinstated_like_any(kg: KnowledgeGraph) -> None:
    """Even if all is one run at one moment; what it took the place of does not come back."""
    with kg.run() as run:
        run.extract("d", "x", document(keyed("ada")))
        run.extract("d", "x", document())
        assert (run.withdraw("d", "x").withdrawn, run.reinstate("d", "x").reinstated) == (0, 0)
        with pytest.raises(NotWithdrawn):
            run.reinstate("d", "x")
    assert active(kg) == {}


def test_what_is_said_after_a_withdrawal_ends_it(kg: KnowledgeGraph) -> None:
    """Even an incomplete extraction, or one assertion; to take one back that is withdrawn already does not."""
    kg.extract("d", "x", document(keyed("ada"), keyed("bo")))
    said = kg.assertions.list().items[0]
    kg.withdraw("d", "x")
    kg.assertions.withdraw(said.id)
    assert kg.reinstate("d", "x").reinstated == 2
    kg.withdraw("d", "x")
    kg.extract("d", "x", document(keyed("ada"), complete=False))
    with pytest.raises(NotWithdrawn):
        kg.reinstate("d", "x")
    kg.withdraw("d", "x")
    assert kg.reinstate("d", "x").reinstated == 1
    kg.withdraw("d", "x")
    kg.assertions.add(ENTITY, said.fact_id, source="d", extractor="x")
    with pytest.raises(NotWithdrawn):
        kg.reinstate("d", "x")


def test_a_source_that_was_withdrawn_is_reinstated_extraction_by_extraction(kg: KnowledgeGraph) -> None:
    """What had been withdrawn before comes back as it was then."""
    kg.extract("d", "x", document(keyed("ada")))
    kg.extract("d", "y", document(keyed("bo")))
    kg.withdraw("d", "x")
    assert kg.sources.withdraw("d").withdrawn == 1
    with pytest.raises(AlreadyWithdrawn):
        kg.withdraw("d", "y")
    for extractor, name in (("x", "ada"), ("y", "bo")):
        assert kg.reinstate("d", extractor).reinstated == 1
        assert name in active(kg)


def test_what_is_not_there_can_be_neither_withdrawn_nor_reinstated(kg: KnowledgeGraph) -> None:
    """Unknown sources and extractors, what was withdrawn before, and what is in force."""
    for call in (kg.withdraw, kg.reinstate):
        with pytest.raises(NotFound):
            call("d", "x")
    kg.extract("d", "x", LETTER)
    for source, extractor in (("d", "y"), ("D", "x"), ("other", "x")):
        for call in (kg.withdraw, kg.reinstate):
            with pytest.raises(NotFound):
                call(source, extractor)
    with pytest.raises(NotWithdrawn):
        kg.reinstate("d", "x")
    kg.withdraw("d", "x")
    changes = kg.stats().changes
    with pytest.raises(AlreadyWithdrawn):
        kg.withdraw("d", "x")
    assert kg.stats().changes == changes
    kg.extract("d", "x", document(keyed("ada")))
    with pytest.raises(NotWithdrawn):
        kg.reinstate("d", "x")
    assert len(kg.runs.list().items) == 3


@pytest.mark.parametrize("step", [timedelta(0), SECOND, -SECOND], ids=["still", "forward", "backward"])
def test_clocks_that_stand_still_or_go_back_double_nothing(store: Store, step: timedelta) -> None:
    """Each fact has one assertion of one extractor of one source, whatever the moments were."""
    kg = graph_on(store, Clock(step=step))
    for confidence in (0.1, 0.5, 0.3):
        kg.extract("d", "x", document(keyed("ada", confidence=confidence)))
    kg.withdraw("d", "x")
    kg.reinstate("d", "x")
    assert len(kg.assertions.list().items) == 1
    assert active(kg).keys() == {"ada"}
    require_sound(kg)


@pytest.mark.parametrize("first", ["names", "joins"])
@pytest.mark.parametrize("first_back", ["names", "joins"])
def test_the_order_of_withdrawals_and_of_ways_back_does_not_matter(
    kg: KnowledgeGraph, first: str, first_back: str
) -> None:
    """One document names two people, another one joins them: in the end all is as before."""
    knows: Any = {"source_entity_key": "ada", "relationship_type": "knows", "target_entity_key": "bo"}
    kg.extract("names", "x", document(keyed("ada"), keyed("bo")))
    kg.extract("joins", "x", {"relationships": [knows]})
    before = state(kg)
    for name in (first, "joins" if first == "names" else "names"):
        kg.withdraw(name, "x")
        require_sound(kg)
    assert active(kg) == {}
    for name in (first_back, "joins" if first_back == "names" else "names"):
        kg.reinstate(name, "x")
        require_sound(kg)
    assert state(kg) == before


def test_what_somebody_deleted_is_neither_taken_nor_brought_back(kg: KnowledgeGraph) -> None:
    """It is told, both times."""
    labels = kg.extract("d", "x", LETTER).labels
    kg.entities.delete(labels["T2"])
    knows = next(fact.id for fact in facts(kg) if not fact.is_active and fact.id != labels["T2"])
    untouched = tuple(sorted([labels["T2"], knows]))
    gone = kg.withdraw("d", "x")
    assert (gone.retired, gone.untouched) == ((labels["ada"],), untouched)
    back = kg.reinstate("d", "x")
    assert (back.restored, back.untouched) == ((labels["ada"],), untouched)
    assert active(kg).keys() == {"Ada"}
    kg.entities.restore(labels["T2"])
    assert active(kg).keys() == {"Ada", "Bo", "knows"}
