"""Ranking: how far a source or an extractor is trusted before others."""

from __future__ import annotations

from typing import Any, Final, TypeVar
from uuid import UUID

import attrs

from kgl_core.evidence.origins.extractors import Extractor
from kgl_core.evidence.origins.sources import Source
from kgl_core.kernel.checked_records import build, check, ruled
from kgl_core.kernel.field_rules import Integer
from kgl_core.kernel.ids import require_id
from kgl_core.kernel.nouns.noun import Noun
from kgl_core.kernel.nouns.records import found
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context

RANK_MAX: Final = 1_000

R = TypeVar("R", Source, Extractor)


@attrs.frozen(kw_only=True)
class Rank:
    """How far a source or an extractor is trusted, checked as a whole: raises InvalidInput. The default is 0."""

    rank: int = ruled(Integer(-RANK_MAX, RANK_MAX))

    def __attrs_post_init__(self) -> None:
        check(self)


def set_rank(context: Context, noun: Noun[R, Any, Any, Any], id: UUID | str, rank: int) -> R:
    """Set the rank of a source or an extractor, and return it. The facts have to follow: see `settling`.

    Raises NotFound, InvalidInput, and PermissionDenied when the actor is no moderator.
    """
    require(context.actor, Action.RANK)
    wanted, given = require_id(id), build(Rank, {"rank": rank})

    def run() -> R:
        with context.store.begin() as uow:
            before = found(uow.of(noun).get(wanted, lock="update"), noun.name, wanted)
            if before.rank == given.rank:
                return before
            ranked = attrs.evolve(before, rank=given.rank, version=before.version + 1)
            uow.of(noun).replace([ranked])
            uow.commit()
        return ranked

    return context.retry(run)
