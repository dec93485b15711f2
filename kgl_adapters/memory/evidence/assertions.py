"""Assertions in a dictionary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from itertools import islice
from operator import attrgetter
from typing import Any, Final, Never
from uuid import UUID

import attrs

from kgl_adapters.memory.kernel.repository import MemoryRepository, Shelves
from kgl_core.evidence.assertions import ASSERTION, Assertion, AssertionFilter, Contributed
from kgl_core.graph.entities import ENTITY
from kgl_core.graph.relationships import RELATIONSHIP
from kgl_core.kernel.ids import RunId
from kgl_core.kernel.nouns.noun import AnyNoun
from kgl_core.kernel.permissions import Actor

_FACT: Final = "fact"
_SOURCE: Final = "source"


class MemoryAssertions(MemoryRepository[Assertion, AssertionFilter, Never]):
    """A `kgl_core.evidence.assertions.AssertionRepository`."""

    def __init__(self, shelves: Shelves) -> None:
        super().__init__(ASSERTION, shelves)

    def add(self, records: Sequence[Assertion]) -> None:
        super().add(records)
        groups = self._shelf.groups
        for record in records:
            for key in ((_FACT, record.fact_id), (_SOURCE, record.source_id)):
                groups[key] = (*(groups.get(key) or ()), record.id)

    def of_entities(self, ids: Collection[UUID]) -> Sequence[Assertion]:
        return [each for each in self._in_force(ids) if each.entity_id is not None]

    def of_relationships(self, ids: Collection[UUID]) -> Sequence[Assertion]:
        return [each for each in self._in_force(ids) if each.relationship_id is not None]

    def extracted(self, source_id: UUID, extractor: str, by: Actor) -> Sequence[Assertion]:
        return [each for each in self._mine(source_id, extractor, by) if each.withdrawn_at is None]

    def found_by(self, extractor: str, after: UUID | None, limit: int) -> Sequence[Assertion]:
        found = (each for each in self._rows() if each.extractor == extractor and each.withdrawn_at is None)
        return self._first_by_id((each for each in found if after is None or each.id > after), limit)

    def labels(self, source_id: UUID, extractor: str, by: Actor) -> Sequence[tuple[str | None, UUID, bool]]:
        found = (each for each in self.extracted(source_id, extractor, by) if each.about is None)
        return [(each.label, each.fact_id, self._is_about_active(each)) for each in found]

    def withdrawn(
        self, source_id: UUID, extractor: str, by: Actor, at: datetime, run: UUID | None
    ) -> Sequence[Assertion]:
        found = self._mine(source_id, extractor, by)
        return [each for each in found if (each.withdrawn_at, each.withdrawn_run) == (at, run)]

    def contributed(self, source_id: UUID, most: int) -> Sequence[Contributed]:
        found = ((each, self._fact(each)) for each in self._first(source_id, most))
        return [
            Contributed(
                each.fact_id, each.entity_id is not None, each.extractor, each.stance, fact.is_active, fact.sources_for
            )
            for each, fact in found
        ]

    def stated_alone(self, uri: str, most: int) -> tuple[int, int]:
        entities, relationships = (
            sum(1 for _ in islice((fact for fact in self._facts(noun) if _states_alone(fact, uri)), most))
            for noun in (ENTITY, RELATIONSHIP)
        )
        return entities, relationships

    def sharing(
        self, source_id: UUID, most: int, most_others: int, limit: int
    ) -> tuple[Sequence[tuple[UUID, int]], int]:
        shared = {
            each.fact_id for each in self._first(source_id, most) if each.is_support and self._fact(each).is_active
        }
        others = (
            each for each in self._in_force(shared) if each.is_support and each.source_id not in (None, source_id)
        )
        counted = [(each.source_id, each.fact_id) for each in islice(others, most_others)]
        numbers = Counter(source for source, _ in {*counted} if source is not None)
        return sorted(numbers.items(), key=lambda item: (-item[1], item[0]))[:limit], len(counted)

    def labelled(self, source_id: UUID, extractor: str, labels: Collection[str]) -> Sequence[Assertion]:
        wanted = frozenset(labels)
        found = self._group(_SOURCE, source_id)
        return [each for each in found if each.extractor == extractor and each.label in wanted]

    def withdraw(self, ids: Collection[UUID], at: datetime, by: Actor, run: UUID | None) -> None:
        part_of = None if run is None else RunId(run)
        self._change(ids, lambda each: attrs.evolve(each, withdrawn_at=at, withdrawn_by=by, withdrawn_run=part_of))

    def reinstate(self, ids: Collection[UUID]) -> None:
        self._change(ids, lambda each: attrs.evolve(each, withdrawn_at=None, withdrawn_by=None, withdrawn_run=None))

    def _is_about_active(self, assertion: Assertion) -> bool:
        fact = self._fact(assertion)
        return fact is not None and fact.deleted_at is None

    def _fact(self, assertion: Assertion) -> Any:
        noun: AnyNoun = ENTITY if assertion.entity_id is not None else RELATIONSHIP
        return self._shelves(noun).rows.get(assertion.fact_id)

    def _facts(self, noun: AnyNoun) -> Iterator[Any]:
        return (fact for fact in self._shelves(noun).rows.values() if fact is not None)

    def _first(self, source_id: UUID, most: int) -> Iterator[Assertion]:
        """The first assertions in force of a source about facts as a whole."""
        whole = (each for each in self._group(_SOURCE, source_id) if each.withdrawn_at is None and each.about is None)
        return islice(sorted(whole, key=attrgetter("age")), most)

    def _in_force(self, ids: Collection[UUID]) -> Iterator[Assertion]:
        return (each for id in ids for each in self._group(_FACT, id) if each.withdrawn_at is None)

    def _mine(self, source_id: UUID, extractor: str, by: Actor) -> Iterator[Assertion]:
        found = self._group(_SOURCE, source_id)
        return (each for each in found if each.extractor == extractor and each.asserted_by == by)

    def _group(self, name: str, id: UUID) -> Iterator[Assertion]:
        for each in self._shelf.groups.get((name, id)) or ():
            found = self.get(each)
            if found is not None:
                yield found

    def _change(self, ids: Collection[UUID], change: Callable[[Assertion], Assertion]) -> None:
        self.replace([change(found) for id in ids if (found := self.get(id)) is not None])


def _states_alone(fact: Any, uri: str) -> bool:
    return fact.source == uri and fact.is_active and not fact.has_assertions
