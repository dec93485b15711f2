"""The entities that answer a question: in which order they come, and what is told of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final, Generic
from uuid import UUID

import attrs

from kgl_core.exploration.search.highlights import highlights
from kgl_core.exploration.search.questions import Question
from kgl_core.exploration.search.ranking import (
    DEGREE_MAX,
    RANKED_MAX,
    SCORES,
    BestName,
    Fit,
    Hit,
    Matched,
    after_degree,
    before_degree,
    best_name,
)
from kgl_core.exploration.walked_records import Compared, E
from kgl_core.exploration.walks import WalkFilter
from kgl_core.graph.naming.names import named
from kgl_core.kernel.units_of_work import UnitOfWork

_COMPARED: Final = ("id", "created_at", "name", "aliases", "key")


@attrs.frozen(kw_only=True)
class Found(Generic[E]):
    """An entity that answers a question, and by which of its names.

    ``score`` says how well the name fits: 1 for the whole name, 0.8 for the whole of an alias or a key, 0.6 for the
    beginning of one of them, 0.4 for all words. The order says more; see `kgl_core.exploration.search.ranking`.
    """

    entity: E
    score: float
    matched: Matched


@attrs.frozen
class _Known(Generic[E]):
    entity: E
    created_at: datetime
    best: BestName


class Answers(Generic[E]):
    """The entities that answer a question, each of which is read once: as E, with these fields or all."""

    def __init__(self, uow: UnitOfWork, fields: frozenset[str] | None, question: Question) -> None:
        self._uow, self._question = uow, question
        self._compared = Compared[E](fields, _COMPARED)
        self._known: dict[UUID, _Known[E]] = {}

    def ranked(self, hits: Sequence[Hit]) -> list[UUID]:
        """The ids of these hits, the best first: spelling and degree decide among the best of them."""
        head, rest = hits[:RANKED_MAX], hits[RANKED_MAX:]
        if len(head) > 1:
            self._read([hit.entity_id for hit in head if hit.fit < Fit.BEGINNING])
            distances = {id: known.best[1] for id, known in self._known.items()}
            first = {hit.entity_id: before_degree(hit, distances.get(hit.entity_id, 0)) for hit in head}
            often = Counter(first.values())
            tied = [id for id, key in first.items() if often[key] > 1]
            degrees = self._uow.walks.counts(tied, WalkFilter(), DEGREE_MAX)
            head = sorted(
                head, key=lambda hit: (first[hit.entity_id], -degrees.get(hit.entity_id, 0), *after_degree(hit))
            )
        return [hit.entity_id for hit in (*head, *rest)]

    def found(self, ids: Sequence[UUID]) -> tuple[Found[E], ...]:
        """What is told of the entities with these ids, in their order."""
        self._read(ids)
        return tuple(self._found(self._known[id]) for id in ids if id in self._known)

    def created_at(self, id: UUID) -> datetime:
        """When an entity was created that `found` has told of."""
        return self._known[id].created_at

    def _read(self, ids: Sequence[UUID]) -> None:
        unknown = [id for id in ids if id not in self._known]
        for found in self._compared.find(self._uow, unknown) if unknown else ():
            id, created_at, *names = self._compared.values(found)
            best = best_name(self._question, named(*names))
            if best is not None:
                self._known[id] = _Known(self._compared.shown(found), created_at, best)

    def _found(self, known: _Known[E]) -> Found[E]:
        fit, _, _, field, text = known.best
        matched = Matched(field, text, highlights(self._question, text))
        return Found(entity=known.entity, score=SCORES[fit], matched=matched)
