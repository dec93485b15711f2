"""Naming sources: describing them before, or without, anything being extracted from them, and ranking them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final, Unpack
from uuid import UUID

import attrs

from kgl_core.evidence.assertions import ASSERTION, Assertion, AssertionFilter
from kgl_core.evidence.extraction.extractions import WithdrawalResult
from kgl_core.evidence.extraction.withdrawing_sources import withdraw_source
from kgl_core.evidence.ledger import settle_facts
from kgl_core.evidence.recording import Work
from kgl_core.evidence.sources import (
    SOURCE,
    Source,
    SourceDraft,
    SourceFields,
    SourceFilter,
    SourceFilterFields,
    SourceRank,
    source_id,
)
from kgl_core.evidence.stored_evidence import facts_of
from kgl_core.kernel.checked_records import build
from kgl_core.kernel.errors import AlreadyExists
from kgl_core.kernel.ids import require_id
from kgl_core.kernel.nouns.listings import read_page
from kgl_core.kernel.nouns.pages import LIMIT_DEFAULT, Page, Position
from kgl_core.kernel.nouns.records import found
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context, transaction

_PART: Final = 500
"""How many assertions of a source are settled at a time."""


class Sources:
    """The use cases of sources, on behalf of one actor.

    Every method raises PermissionDenied when the actor may not call it, InvalidInput for malformed arguments, and
    StoreError when the store is in trouble. An id is a UUID or its canonical text.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    @transaction
    def create(self, /, **fields: Unpack[SourceFields]) -> Source:
        """Describe a source. Raises InvalidInput with every fault, and AlreadyExists when the URI is known."""
        require(self._context.actor, Action.CREATE)
        draft = build(SourceDraft, fields)
        said = {name: getattr(draft, name) for name in SOURCE.said}
        actor, now = self._context.actor, self._context.now()
        source = Source(id=source_id(draft.uri), created_by=actor, created_at=now, **said)
        try:
            with self._context.store.begin() as uow:
                uow.of(SOURCE).add([source])
                uow.commit()
        except AlreadyExists as error:
            raise AlreadyExists("source", "uri", source.uri, source.id) from error
        return source

    def get(self, id: UUID | str) -> Source:
        """The source with this id. Raises NotFound."""
        require(self._context.actor, Action.READ)
        wanted = require_id(id)
        with self._context.store.read() as uow:
            return found(uow.of(SOURCE).get(wanted), "source", wanted)

    def get_by_uri(self, uri: str) -> Source:
        """The source with this URI. Raises NotFound."""
        require(self._context.actor, Action.READ)
        wanted = build(SourceDraft, {"uri": uri}).uri
        with self._context.store.read() as uow:
            return found(uow.of(SOURCE).get(source_id(wanted)), "source", wanted)

    def rank(self, id: UUID | str, rank: int) -> Source:
        """Set how far a source is trusted before others, and let all facts that it supports show what wins then.

        The facts follow in parts, each a transaction of its own; ranking it so again finishes what was interrupted.
        Raises NotFound.
        """
        require(self._context.actor, Action.RANK)
        wanted, given = require_id(id), build(SourceRank, {"rank": rank})

        def set_rank() -> Source:
            with self._context.store.begin() as uow:
                source = found(uow.of(SOURCE).get(wanted, lock="update"), "source", wanted)
                ranked = attrs.evolve(source, rank=given.rank)
                uow.of(SOURCE).replace([ranked])
                uow.commit()
            return ranked

        ranked = self._context.retry(set_rank)
        after: Position | None = None
        while True:
            with self._context.store.read() as uow:
                said = uow.of(ASSERTION).list(
                    build(AssertionFilter, {"source_id": wanted}), "asserted_at", after, _PART
                )
            if not said:
                return ranked
            self._context.retry(partial(self._settle, said), AlreadyExists)
            after = (said[-1].asserted_at, said[-1].id)

    def withdraw(self, uri: str, *, dry_run: bool = False) -> WithdrawalResult:
        """Withdraw all that anybody says because of a source. See `withdraw_source`."""
        return withdraw_source(self._context, uri, dry_run=dry_run)

    def _settle(self, said: Sequence[Assertion]) -> None:
        """Let the facts that these assertions are about show what is asserted of them."""
        with self._context.store.begin() as uow:
            settle_facts(Work(self._context, uow), facts_of(uow, said).values())
            uow.commit()

    def list(
        self,
        *,
        sort: str = "created_at",
        limit: int = LIMIT_DEFAULT,
        cursor: str | None = None,
        **filter: Unpack[SourceFilterFields],
    ) -> Page[Source]:
        """A page of sources; ``limit`` is 1..200. Raises InvalidCursor, HistoryLost."""
        require(self._context.actor, Action.READ)
        wanted = build(SourceFilter, filter)
        with self._context.store.read() as uow:
            return read_page(SOURCE, uow.of(SOURCE), wanted, sort, limit, cursor)
