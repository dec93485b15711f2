"""Naming extractors: listing those that have said something, naming others before they do, and ranking them."""

from __future__ import annotations

from typing import Unpack
from uuid import UUID

from kgl_core.evidence.origins.extractors import (
    EXTRACTOR,
    Extractor,
    ExtractorDraft,
    ExtractorFields,
    ExtractorFilter,
    ExtractorFilterFields,
    extractor_id,
)
from kgl_core.evidence.origins.naming import Naming
from kgl_core.evidence.origins.ranking import set_rank
from kgl_core.evidence.settling import settle_extractor
from kgl_core.evidence.stored_evidence import new_extractor
from kgl_core.kernel.checked_records import build
from kgl_core.kernel.nouns.pages import LIMIT_DEFAULT, Page
from kgl_core.kernel.nouns.records import found
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import transaction


class Extractors(Naming[Extractor]):
    """The use cases of extractors, on behalf of one actor. `Naming` says what every method raises."""

    _noun = EXTRACTOR

    @transaction
    def create(self, /, **fields: Unpack[ExtractorFields]) -> Extractor:
        """Name an extractor before it says anything, so that it can be ranked. Raises AlreadyExists."""
        require(self._context.actor, Action.CREATE)
        named = new_extractor(self._context, build(ExtractorDraft, fields).name)
        return self._add(named, "name", named.name)

    def get_by_name(self, name: str) -> Extractor:
        """The extractor with this name. Raises NotFound."""
        require(self._context.actor, Action.READ)
        wanted = build(ExtractorDraft, {"name": name}).name
        with self._context.store.read() as uow:
            return found(uow.of(EXTRACTOR).get(extractor_id(wanted)), "extractor", wanted)

    def rank(self, id: UUID | str, rank: int) -> Extractor:
        """Set how far an extractor is trusted before others, and let all facts that it found show what wins then.

        The facts follow as `settle_extractor` says. Raises NotFound.
        """
        ranked = set_rank(self._context, EXTRACTOR, id, rank)
        settle_extractor(self._context, ranked.name)
        return ranked

    def list(
        self,
        *,
        sort: str = "created_at",
        limit: int = LIMIT_DEFAULT,
        cursor: str | None = None,
        **filter: Unpack[ExtractorFilterFields],
    ) -> Page[Extractor]:
        """A page of the extractors that ever said something; ``limit`` is 1..200. Raises InvalidCursor, HistoryLost."""
        require(self._context.actor, Action.READ)
        return self._list(build(ExtractorFilter, filter), sort, limit, cursor)
