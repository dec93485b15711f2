"""Settling: letting all facts that a source or an extractor speaks of show what follows from a change of it.

They follow in parts, each a transaction of its own; doing it again finishes what was interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final
from uuid import UUID

from kgl_core.evidence.assertions import ASSERTION, Assertion, AssertionFilter
from kgl_core.evidence.ledger import settle_facts
from kgl_core.evidence.recording import Work
from kgl_core.evidence.stored_evidence import facts_of
from kgl_core.kernel.checked_records import build
from kgl_core.kernel.errors import AlreadyExists
from kgl_core.kernel.nouns.listings import page_by_page
from kgl_core.kernel.nouns.pages import Position
from kgl_core.kernel.units_of_work import Context

PART: Final = 500
"""How many assertions are settled at a time."""


def settle_source(context: Context, source_id: UUID) -> None:
    """Let all facts that a source speaks of show what is asserted of them."""
    filter = build(AssertionFilter, {"source_id": source_id})

    def read(after: Position | None) -> Sequence[Assertion]:
        with context.store.read() as uow:
            return uow.of(ASSERTION).list(filter, "asserted_at", after, PART)

    for said in page_by_page(read):
        context.retry(partial(_settle, context, said), AlreadyExists)


def settle_extractor(context: Context, name: str) -> None:
    """Let all facts that an extractor speaks of show what is asserted of them."""
    after: UUID | None = None
    while True:
        with context.store.read() as uow:
            said = uow.assertions.found_by(name, after, PART)
        if not said:
            return
        context.retry(partial(_settle, context, said), AlreadyExists)
        after = said[-1].id


def _settle(context: Context, said: Sequence[Assertion]) -> None:
    with context.store.begin() as uow:
        settle_facts(Work(context, uow), facts_of(uow, said).values())
        uow.commit()
