"""What extractors find in documents, in few words, and what must hold of a graph whatever they found."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any
from uuid import UUID

from kgl_core import Actor, ActorKind, Assertion, Entity, KnowledgeGraph, Relationship, Role, Stance
from kgl_core.evidence.stored_evidence import first_assertion
from kgl_core.graph.entities import ENTITY
from kgl_core.graph.facts import PINNED_ACTIVE
from kgl_core.graph.relationships import RELATIONSHIP
from tests.contract.samples import new_id

Fields = dict[str, Any]
Fact = Entity | Relationship

ANN, BEN = (Actor(ActorKind.USER, str(new_id()), Role.USER) for _ in range(2))
MODERATOR = Actor(ActorKind.USER, str(new_id()), Role.MODERATOR)


def person(label: str, name: str | None = None, /, **fields: Any) -> Fields:
    """An entity of an extraction, called as its label unless it has a name."""
    return {"label": label, "type": "person", "name": label if name is None else name, **fields}


def keyed(key: str, name: str | None = None, /, **fields: Any) -> Fields:
    """An entity of an extraction that has a key, and the label of the same spelling."""
    return person(key, name, key=key, **fields)


def joins(source: str, type: str, target: str, /, **fields: Any) -> Fields:
    """A relationship of an extraction between two labels."""
    return {"source_entity_label": source, "relationship_type": type, "target_entity_label": target, **fields}


def document(*items: Fields, **fields: Any) -> Fields:
    """An extraction of these entities and relationships."""
    return {
        "entities": [item for item in items if "relationship_type" not in item],
        "relationships": [item for item in items if "relationship_type" in item],
        **fields,
    }


def facts(kg: KnowledgeGraph) -> Iterator[Fact]:
    """Every entity, then every relationship, active or not."""
    yield from _all_of(kg.entities.list, is_active=None)
    yield from _all_of(kg.relationships.list, is_active=None)


def _all_of(listed: Callable[..., Any], **filter: Any) -> Iterator[Any]:
    cursor: str | None = None
    while True:
        page = listed(limit=200, cursor=cursor, **filter)
        yield from page.items
        cursor = page.next_cursor
        if cursor is None:
            break


def active(kg: KnowledgeGraph) -> dict[str, Any]:
    """The active facts: entities by name, relationships by type."""
    found = [fact for fact in facts(kg) if fact.is_active]
    by_name = {name_of(fact): fact for fact in found}
    assert len(by_name) == len(found), f"some have the same name: {sorted(map(name_of, found))}"
    return by_name


def name_of(fact: Fact) -> str:
    """The name of an entity, the type of a relationship."""
    return fact.name if isinstance(fact, Entity) else fact.relationship_type


def said_of(kg: KnowledgeGraph, fact: Fact) -> Sequence[Assertion]:
    """The assertions in force about a fact."""
    return kg.assertions.of(ENTITY if isinstance(fact, Entity) else RELATIONSHIP, fact.id, limit=200).items


def exactly_combined(said: Sequence[Assertion]) -> float | None:
    """The confidence of a fact of which this is said, by the textbook, in decimals and without rounding in between."""
    by_source: dict[Any, list[Fraction]] = {}
    for each in said:
        if each.is_support and each.confidence is not None:
            by_source.setdefault(each.source_id or each.asserted_by, []).append(Fraction(str(each.confidence)))
    if not by_source:
        return None
    doubt = Fraction(1)
    for confidences in by_source.values():
        doubt *= 1 - max(confidences)
    return float(1 - doubt)


def require_sound(kg: KnowledgeGraph) -> None:
    """Hold a whole graph against what is said of it: nothing is counted, combined, retired or kept without reason."""
    shown = require_shown(kg)
    needed = _ends_of_active(shown)
    for fact in shown:
        if fact.is_active and not fact.sources_for:
            assert fact.id in needed or PINNED_ACTIVE in fact.pinned, f"nothing keeps {name_of(fact)}"
        if fact.is_retired:
            assert not fact.sources_for, f"{name_of(fact)} is retired and supported"
    report = kg.check()
    assert report.faults == report.notes == ()


def require_shown(kg: KnowledgeGraph) -> Sequence[Fact]:
    """Hold what each fact shows against what is said of it, and give all facts."""
    all_facts = [*facts(kg)]
    active_facts = [fact for fact in all_facts if fact.is_active]
    triples = Counter(fact.triple for fact in active_facts if isinstance(fact, Relationship))
    assert _ends_of_active(all_facts) <= {fact.id for fact in active_facts}, (
        "an active relationship has an end that is not"
    )
    assert max(triples.values(), default=1) == 1
    # Listed together: a query for each fact would take most of the time of the tests of evidence.
    by_fact: dict[UUID | None, list[Assertion]] = {}
    for each in _all_of(kg.assertions.list):
        by_fact.setdefault(each.entity_id or each.relationship_id, []).append(each)
    for fact in all_facts:
        assert not (fact.is_retired and fact.is_active)
        _require_counted(fact, by_fact.get(fact.id, []) if fact.has_assertions else [first_assertion(fact)])
    return all_facts


def _ends_of_active(of: Sequence[Fact]) -> set[UUID]:
    return {end for fact in of if isinstance(fact, Relationship) and fact.is_active for end in fact.ends}


def _require_counted(fact: Fact, said: Sequence[Assertion]) -> None:
    authors = Counter(each.by for each in said)
    assert max(authors.values(), default=1) == 1, f"{name_of(fact)} is asserted twice by one extractor of one source"
    whole = [each for each in said if each.about is None]
    by_stance = {
        stance: {each.source_id or each.asserted_by for each in whole if each.stance is stance} for stance in Stance
    }
    assert fact.sources_for == len(by_stance[Stance.FOR]), name_of(fact)
    assert fact.sources_against == len(by_stance[Stance.AGAINST]), name_of(fact)
    if "/confidence" not in fact.pinned:
        assert fact.confidence == exactly_combined(said), name_of(fact)


def state(kg: KnowledgeGraph) -> Mapping[UUID, Any]:
    """What readers see of each fact, but for its version and when it was changed."""
    return {fact.id: {**vars(fact), "version": None, "updated_at": None} for fact in facts(kg)}
