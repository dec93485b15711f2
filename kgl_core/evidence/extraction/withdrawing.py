"""Withdrawing: taking back all that an extractor said of a document, and putting it in force again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any
from uuid import UUID

from kgl_core.evidence.assertions import Assertion, Stance
from kgl_core.evidence.extraction.extractions import ExtractionAddress, Moved, Supported, WithdrawalResult
from kgl_core.evidence.extraction.kept_extractions import (
    EXTRACTION,
    WITHDRAWN,
    KeptExtraction,
    extraction_id,
    keep_extraction,
)
from kgl_core.evidence.ledger import Ledger
from kgl_core.evidence.origins.sources import SOURCE, source_id
from kgl_core.evidence.outcomes import FactOutcome
from kgl_core.evidence.recording import Work, recorded
from kgl_core.evidence.stored_evidence import facts_of, sources_of
from kgl_core.evidence.succeeding import succeeded
from kgl_core.graph.facts import Fact
from kgl_core.graph.journal.runs import RunKind
from kgl_core.graph.nouns import noun_of
from kgl_core.kernel.checked_records import build
from kgl_core.kernel.errors import AlreadyExists, Conflict, NotFound
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context


class NotWithdrawn(Conflict):
    """An extraction is in force, so it can't be put in force again."""

    code = "not_withdrawn"

    def __init__(self, source: str, extractor: str) -> None:
        super().__init__(
            f"what {extractor} found in {source} is in force, and only a withdrawal can be taken back; "
            "to say again what was said before, extract the whole document"
        )


class AlreadyWithdrawn(Conflict):
    """An extraction was withdrawn, and nothing has been said in its place."""

    code = "already_withdrawn"

    def __init__(self, source: str, extractor: str) -> None:
        super().__init__(f"what {extractor} found in {source} is withdrawn already; reinstate it to take that back")


def withdraw_extraction(context: Context, source: str, extractor: str) -> WithdrawalResult:
    """Withdraw all that the actor's extractor says of a source, even if that is nothing.

    Raises NotFound when there is no such extraction, AlreadyWithdrawn, InvalidInput, and PermissionDenied when the
    actor may not create.
    """
    require(context.actor, Action.CREATE)
    address = build(ExtractionAddress, {"source": source, "extractor": extractor})

    def run() -> WithdrawalResult:
        with recorded(context, RunKind.WITHDRAWAL, address.source) as work:
            of_source = _locked_source(work, address)
            said = work.uow.assertions.extracted(of_source, address.extractor, context.actor)
            kept = _kept_extraction(work, address)
            if not said and kept is None:
                raise _nothing(address)
            if not said and kept is not None and kept.is_withdrawn:
                raise AlreadyWithdrawn(address.source, address.extractor)
            ledger = Ledger(work)
            keep_extraction(work, address, WITHDRAWN, ledger.now)
            return withdraw_all(work, ledger, said)

    return context.retry(run, AlreadyExists)


def reinstate_extraction(context: Context, source: str, extractor: str) -> WithdrawalResult:
    """Take back the withdrawal of what the actor's extractor said of a source.

    That can be done until something else is said in its place, be it an incomplete extraction, or one of nothing.
    Raises NotFound when there is no such extraction, NotWithdrawn, InvalidInput, and PermissionDenied.
    """
    require(context.actor, Action.CREATE)
    address = build(ExtractionAddress, {"source": source, "extractor": extractor})

    def run() -> WithdrawalResult:
        with recorded(context, RunKind.REINSTATEMENT, address.source) as work:
            of_source = _locked_source(work, address)
            said, kept = work.uow.assertions, _kept_extraction(work, address)
            if kept is None and not said.extracted(of_source, address.extractor, context.actor):
                raise _nothing(address)
            if kept is None or not kept.is_withdrawn:
                raise NotWithdrawn(address.source, address.extractor)
            ledger = Ledger(work)
            keep_extraction(work, address, None, ledger.now)
            withdrawn = said.withdrawn(of_source, address.extractor, context.actor, kept.extracted_at, kept.run)
            return _reinstate_all(work, ledger, _newest(withdrawn))

    return context.retry(run, AlreadyExists)


def _locked_source(work: Work, address: ExtractionAddress) -> UUID:
    found = work.uow.of(SOURCE).get(source_id(address.source), lock="update")
    if found is None:
        raise _nothing(address)
    return found.id


def _kept_extraction(work: Work, address: ExtractionAddress) -> KeptExtraction | None:
    return work.uow.of(EXTRACTION).get(extraction_id(address.source, address.extractor, work.context.actor))


def _nothing(address: ExtractionAddress) -> NotFound:
    name = f"by {address.extractor} of {address.source}"
    return NotFound("extraction of yours", name, "check the spelling of both, and who extracted it")


def _newest(said: Sequence[Assertion]) -> Sequence[Assertion]:
    """The newest assertion of each fact or value: one that replaced another may have gone at the same moment as it."""
    ordered = sorted(said, key=attrgetter("age"))
    return [*{(each.fact_id, each.about): each for each in ordered}.values()]


def withdraw_all(work: Work, ledger: Ledger, said: Sequence[Assertion]) -> WithdrawalResult:
    """Withdraw assertions, and say what became of their facts."""
    facts: Mapping[UUID, Any] = facts_of(work.uow, said)
    for each in said:
        ledger.withdraw(facts[each.fact_id], each)
    ledger.settle()
    gone = ledger.with_outcome(FactOutcome.RETIRED)
    untouched = {id for id, fact in facts.items() if not fact.is_active}
    others = facts.keys() - {*gone} - untouched
    return WithdrawalResult(
        run=work.context.run,
        withdrawn=len(said),
        retired=gone,
        kept=_kept(work, [facts[id] for id in sorted(others)], ledger),
        untouched=tuple(sorted(untouched)),
    )


def _reinstate_all(work: Work, ledger: Ledger, said: Sequence[Assertion]) -> WithdrawalResult:
    """Put assertions in force again, of their facts or of those that have succeeded them."""
    facts: dict[UUID, Any] = facts_of(work.uow, said)
    successors = succeeded(work, ledger, [facts[each.fact_id] for each in said if each.stance is Stance.FOR])
    own = {id for id in facts if id not in successors}
    for each in said:
        fact = facts[each.fact_id]
        if fact.id in own:
            ledger.reinstate(fact, each)
        elif (successor := successors[fact.id]).id not in own:  # else it is said of that one already
            ledger.move(successor, each)
            own.add(successor.id)
    ledger.settle()
    back = ledger.with_outcome(FactOutcome.RESTORED)
    concerned = {fact.id: fact for fact in (successors.get(id, fact) for id, fact in facts.items())}
    untouched = {id for id, fact in concerned.items() if not fact.is_active}.difference(back)
    return WithdrawalResult(
        run=work.context.run,
        reinstated=len(own),
        restored=back,
        moved=tuple(
            Moved(kind=noun_of(successor).name, id=id, to=successor.id) for id, successor in sorted(successors.items())
        ),
        untouched=tuple(sorted(untouched)),
    )


def _kept(work: Work, facts: Sequence[Fact], ledger: Ledger) -> tuple[Supported, ...]:
    """The facts that stay, each with the sources that support it."""
    support = {fact.id: [each for each in ledger.support[fact.id] if each.is_support] for fact in facts}
    sources = sources_of(work.uow, [each for said in support.values() for each in said])
    uris: dict[UUID | None, str | None] = {None: None, **{id: source.uri for id, source in sources.items()}}
    return tuple(
        Supported(
            kind=noun_of(fact).name,
            id=fact.id,
            sources=tuple(sorted({uris[each.source_id] for each in support[fact.id]}, key=lambda uri: uri or "")),
        )
        for fact in facts
    )
