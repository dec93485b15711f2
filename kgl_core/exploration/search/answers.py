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

COMPARED: Final = ("created_at", "name", "aliases", "key")
"""What `found` compares of entities."""


@attrs.frozen(kw_only=True)
class Found(Generic[E]):
    """An entity that answers a question, and by which of its names.

    ``score`` says how well the name fits: 1 for the whole name, 0.8 for the whole of an alias or a key, 0.6 for the
    beginning of one of them, 0.4 for all words. The order says more; see `kgl_core.exploration.search.ranking`.
    """

    entity: E
    score: float
    matched: Matched


def ranked(uow: UnitOfWork, hits: Sequence[Hit]) -> list[UUID]:
    """The ids of these hits, the best first: spelling and degree decide among the best of them."""
    head, rest = hits[:RANKED_MAX], hits[RANKED_MAX:]
    if len(head) > 1:
        keys = [before_degree(hit) for hit in head]
        often = Counter(keys)
        tied = [hit.entity_id for hit, key in zip(head, keys, strict=True) if often[key] > 1]
        degrees = uow.walks.counts(tied, WalkFilter(), DEGREE_MAX)
        placed = [
            ((key, -degrees[hit.entity_id] if often[key] > 1 else 0, *after_degree(hit)), hit)
            for hit, key in zip(head, keys, strict=True)
        ]
        head = [hit for _, hit in sorted(placed)]
    return [hit.entity_id for hit in (*head, *rest)]


def found(
    uow: UnitOfWork, question: Question, compared: Compared[E], ids: Sequence[UUID]
) -> tuple[tuple[Found[E], ...], datetime | None]:
    """What is told of the entities with these ids, in their order, and when the last of them was created, if any.

    What is compared of them is in `COMPARED`. Where the index of names is out of date, nothing is told of an entity
    that has no such name any more.
    """
    answers, created_at = [], None
    for entity in compared.find(uow, ids):
        created_at, *names = compared.values(entity)
        if (best := best_name(question, named(*names))) is not None:
            fit, _, _, field, text = best
            matched = Matched(field, text, highlights(question, text))
            answers.append(Found(entity=compared.shown(entity), score=SCORES[fit], matched=matched))
    return tuple(answers), created_at
