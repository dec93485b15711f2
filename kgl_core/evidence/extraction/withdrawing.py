"""Withdrawing: taking back all that an extractor said of a document, and putting it in force again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any
from uuid import UUID

from kgl_core.evidence.assertions import Assertion
from kgl_core.evidence.extraction.extractions import ExtractionAddress, Supported, WithdrawalResult
from kgl_core.evidence.extraction.kept_extractions import extraction_id, forget_digest
from kgl_core.evidence.ledger import FactOutcome, Ledger
from kgl_core.evidence.recording import Work, recorded
from kgl_core.evidence.sources import SOURCE, source_id
from kgl_core.evidence.stored_evidence import assertions_of, facts_of, is_deleted, sources_of
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
            f"what {extractor} found in {source} is in force; withdraw it first, or extract again to change it"
        )


def withdraw_extraction(context: Context, source: str, extractor: str) -> WithdrawalResult:
    """Withdraw all that the actor's extractor says of a source.

    Raises NotFound when there is nothing in force, InvalidInput, and PermissionDenied when the actor may not create.
    """
    require(context.actor, Action.CREATE)
    address = build(ExtractionAddress, {"source": source, "extractor": extractor})

    def run() -> WithdrawalResult:
        with recorded(context, RunKind.WITHDRAWAL, address.source) as work:
            of_source = _locked_source(work, address)
            said = assertions_of(work.uow).extracted(of_source, address.extractor, context.actor)
            if not said:
                raise _nothing(address)
            forget_digest(work.uow, extraction_id(address.source, address.extractor, context.actor))
            return settle_all(work, said, is_withdrawal=True)

    return context.retry(run, AlreadyExists)


def reinstate_extraction(context: Context, source: str, extractor: str) -> WithdrawalResult:
    """Put in force again what the actor's extractor said of a source when that was withdrawn last.

    Raises NotFound when nothing was, NotWithdrawn when something is in force, InvalidInput, and PermissionDenied.
    """
    require(context.actor, Action.CREATE)
    address = build(ExtractionAddress, {"source": source, "extractor": extractor})

    def run() -> WithdrawalResult:
        with recorded(context, RunKind.REINSTATEMENT, address.source) as work:
            of_source = _locked_source(work, address)
            repository = assertions_of(work.uow)
            if repository.extracted(of_source, address.extractor, context.actor):
                raise NotWithdrawn(address.source, address.extractor)
            said = repository.withdrawn_last(of_source, address.extractor, context.actor)
            if not said:
                raise _nothing(address)
            return settle_all(work, _newest(said), is_withdrawal=False)

    return context.retry(run, AlreadyExists)


def _locked_source(work: Work, address: ExtractionAddress) -> UUID:
    found = work.uow.of(SOURCE).get(source_id(address.source), lock="update")
    if found is None:
        raise _nothing(address)
    return found.id


def _nothing(address: ExtractionAddress) -> NotFound:
    name = f"by {address.extractor} of {address.source}"
    return NotFound("extraction of yours", name, "check the spelling of both, and who extracted it")


def _newest(said: Sequence[Assertion]) -> Sequence[Assertion]:
    """The newest assertion of each fact or value: one that replaced another may have gone at the same moment as it."""
    ordered = sorted(said, key=attrgetter("age"))
    return [*{(each.fact_id, each.about): each for each in ordered}.values()]


def settle_all(work: Work, said: Sequence[Assertion], *, is_withdrawal: bool) -> WithdrawalResult:
    """Withdraw assertions, or put them in force again, and say what became of their facts."""
    facts: Mapping[UUID, Any] = facts_of(work.uow, said)
    ledger = Ledger(work)
    for each in said:
        (ledger.withdraw if is_withdrawal else ledger.reinstate)(facts[each.fact_id], each)
    ledger.settle()
    gone = {id for id, outcome in ledger.outcomes.items() if outcome is FactOutcome.RETIRED}
    back = {id for id, outcome in ledger.outcomes.items() if outcome is FactOutcome.RESTORED}
    untouched = [
        id
        for id, fact in facts.items()
        if is_deleted(fact) or (fact.is_retired and not is_withdrawal and id not in back)
    ]
    others = facts.keys() - gone - back - set(untouched)
    return WithdrawalResult(
        run=work.context.run,
        withdrawn=len(said) if is_withdrawal else 0,
        reinstated=0 if is_withdrawal else len(said),
        retired=tuple(sorted(gone)),
        restored=tuple(sorted(back)),
        kept=_kept(work, [facts[id] for id in sorted(others)], ledger) if is_withdrawal else (),
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
