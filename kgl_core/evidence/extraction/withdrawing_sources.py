"""Withdrawing sources: taking back all that anybody says because of one source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import chain
from typing import Any, Final
from uuid import UUID

import attrs

from kgl_core.evidence.assertions import Assertion
from kgl_core.evidence.extraction.extractions import WithdrawalResult
from kgl_core.evidence.extraction.kept_extractions import (
    EXTRACTION,
    KeptExtraction,
    KeptExtractionFilter,
    end_extraction,
)
from kgl_core.evidence.extraction.withdrawing import withdraw_all
from kgl_core.evidence.ledger import Ledger
from kgl_core.evidence.origins.sources import SOURCE, URI, source_id
from kgl_core.evidence.recording import Work, recorded
from kgl_core.evidence.stored_evidence import first_assertion
from kgl_core.graph.journal.runs import RunKind
from kgl_core.graph.nouns import GRAPH_NOUNS
from kgl_core.kernel.checked_records import build, check, ruled
from kgl_core.kernel.errors import AlreadyExists, Conflict, NotFound
from kgl_core.kernel.field_rules import Flag
from kgl_core.kernel.ids import RunId
from kgl_core.kernel.nouns.listings import page_by_page
from kgl_core.kernel.nouns.pages import LIMIT_MAX
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context

WITHDRAWN_MAX: Final = 50_000
"""How many facts one withdrawal of a source concerns, at most: others wait meanwhile."""


@attrs.frozen(kw_only=True)
class SourceWithdrawal:
    """Which source is to be withdrawn, checked as a whole: raises InvalidInput with every fault.

    With ``dry_run``, nothing is kept: the answer tells what would become of the facts.
    """

    uri: str = ruled(URI)
    dry_run: bool = ruled(Flag(), default=False)

    def __attrs_post_init__(self) -> None:
        check(self)


class TooManyFacts(Conflict):
    """A source supports more facts than can be withdrawn at once."""

    code = "too_many_facts"

    def __init__(self, uri: str, most: int) -> None:
        super().__init__(
            f"{uri} supports more than {most} facts, and no more are withdrawn at once; withdraw its extractions first"
        )


def withdraw_source(context: Context, uri: str, *, dry_run: bool = False) -> WithdrawalResult:
    """Withdraw all assertions of a source, by whomever: what only it supports is retired.

    With ``dry_run``, nothing is kept. Raises NotFound when nothing in force names the source, TooManyFacts,
    InvalidInput, and PermissionDenied when the actor is no moderator.
    """
    require(context.actor, Action.RANK)
    wanted = build(SourceWithdrawal, {"uri": uri, "dry_run": dry_run})

    def run() -> WithdrawalResult:
        begin = _rehearsed if wanted.dry_run else recorded
        work_in: AbstractContextManager[Work] = begin(context, RunKind.WITHDRAWAL, wanted.uri)
        with work_in as work:
            work.uow.of(SOURCE).get(source_id(wanted.uri), lock="update")
            said = [*_said(work, wanted.uri)]
            if not said:
                raise NotFound("source that supports anything", wanted.uri)
            ledger = Ledger(work)
            for kept in _extractions(work, source_id(wanted.uri)):
                end_extraction(work, kept, ledger.now)
            result = withdraw_all(work, ledger, said)
            return attrs.evolve(result, run=None) if wanted.dry_run else result

    return context.retry(run, AlreadyExists)


def _said(work: Work, uri: str) -> Iterator[Assertion]:
    """The assertions in force of a source, the first ones of facts among them."""
    id, repository, number = source_id(uri), work.uow.assertions, 0
    for noun in GRAPH_NOUNS:
        filter = build(noun.filter, {"source": uri, "is_active": None})
        for page in _pages(work.uow.of(noun), filter):
            number += len(page)
            if number > WITHDRAWN_MAX:
                raise TooManyFacts(uri, WITHDRAWN_MAX)
            ids = [fact.id for fact in page if fact.has_assertions]
            kept = chain(repository.of_entities(ids), repository.of_relationships(ids)) if ids else ()
            first = (first_assertion(fact) for fact in page if not fact.has_assertions)
            yield from (each for each in chain(kept, first) if each.source_id == id)


def _extractions(work: Work, of_source: UUID) -> Iterator[KeptExtraction]:
    """The extractions of a source."""
    filter = build(KeptExtractionFilter, {"source_id": of_source})
    for page in _pages(work.uow.of(EXTRACTION), filter):
        yield from page


def _pages(repository: Any, filter: object) -> Iterator[Sequence[Any]]:
    return page_by_page(lambda after: repository.list(filter, "created_at", after, LIMIT_MAX))


@contextmanager
def _rehearsed(context: Context, kind: RunKind, title: str) -> Iterator[Work]:
    """A unit of work of which nothing is kept."""
    with context.store.begin() as uow:
        yield Work(attrs.evolve(context, run=context.run or RunId(context.new_id())), uow)
