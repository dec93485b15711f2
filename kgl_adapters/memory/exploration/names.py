"""Searches for names among what a store in memory holds: every name is looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice

from kgl_adapters.memory.graph.entities import MemoryEntities
from kgl_core.exploration.search.names import FacetField, Hits
from kgl_core.exploration.search.questions import Question
from kgl_core.exploration.search.ranking import Fit, Hit, by_itself, fit_of, whole_distance
from kgl_core.exploration.walked_records import Part, part_of
from kgl_core.graph.entities import Entity, EntityFilter
from kgl_core.graph.naming.names import name_rows


class MemoryNames:
    """A `kgl_core.exploration.search.names.Names`."""

    def __init__(self, entities: MemoryEntities) -> None:
        self._entities = entities

    def find(
        self, question: Question, filter: EntityFilter, *, candidates: int, limit: int, beginning: bool = False
    ) -> Hits:
        last = Fit.BEGINNING if beginning else Fit.WORDS
        hits = sorted((hit for _, hit in self._hits(question, filter) if hit.fit <= last), key=by_itself)
        return Hits(hits[:limit], len(hits), is_cut=False)

    def facets(
        self, question: Question, filter: EntityFilter, fields: Collection[FacetField], *, candidates: int, limit: int
    ) -> Mapping[FacetField, Sequence[tuple[str | None, int]]]:
        entities = [entity for entity, _ in self._hits(question, filter)] if fields else []
        counts = {field: Counter(getattr(entity, field) for entity in entities) for field in fields}
        return {field: sorted(counter.items(), key=_most_first)[:limit] for field, counter in counts.items()}

    def with_words(
        self, asked: Sequence[tuple[str, str | None]], *, each: int, fields: Sequence[str] | None
    ) -> Iterator[tuple[int, Entity | Part]]:
        wanted = {words for words, _ in asked}
        having: dict[str, list[Entity]] = {}
        for entity in self._entities.passing(EntityFilter()):
            for row in name_rows(entity):
                if row.words in wanted:
                    having.setdefault(row.words, []).append(entity)
        for place, (words, type) in enumerate(asked):
            of_type = (entity for entity in having.get(words, ()) if type is None or entity.type == type)
            for entity in islice(of_type, each):
                yield place, entity if fields is None else part_of(entity, fields)

    def existing(self, terms: Collection[str]) -> Collection[str]:
        rows = (row for entity in self._entities.passing(EntityFilter()) for row in name_rows(entity))
        return {term for row in rows for term in row.terms}.intersection(terms)

    def _hits(self, question: Question, filter: EntityFilter) -> Iterator[tuple[Entity, Hit]]:
        for entity in self._entities.passing(filter):
            fits = [
                (fit, len(row.words))
                for row in name_rows(entity)
                if (fit := fit_of(question, row.field, row.words)) is not None
            ]
            if fits:
                fit, length = min(fits)
                named = (entity.name, entity.aliases, entity.key)
                distance = whole_distance(question, fit, *named) if fit < Fit.BEGINNING else 0
                yield entity, Hit(entity.id, fit, entity.sources_for, entity.confidence, length, distance)


def _most_first(counted: tuple[str | None, int]) -> tuple[int, bool, str]:
    value, count = counted
    return (-count, value is None, value or "")
