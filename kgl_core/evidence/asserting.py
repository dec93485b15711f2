"""Asserting: saying that a source supports a fact or speaks against it, taking that back, and reading who says what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Unpack
from uuid import UUID

from kgl_core.evidence.assertions import (
    ASSERTION,
    Assertion,
    AssertionDraft,
    AssertionFields,
    AssertionFilter,
    AssertionFilterFields,
    SourcedAssertion,
    Stance,
)
from kgl_core.evidence.extraction.kept_extractions import extraction_id, forget_digest
from kgl_core.evidence.ledger import Ledger
from kgl_core.evidence.origins.sources import SOURCE, Source, source_id
from kgl_core.evidence.recording import Work
from kgl_core.evidence.stored_evidence import (
    ensure_sources,
    facts_of,
    first_assertion,
    lock_facts,
    origins_of,
    sources_of,
)
from kgl_core.evidence.succeeding import succeeded
from kgl_core.evidence.supporting import Value, values_of
from kgl_core.graph.entities import ENTITY
from kgl_core.graph.facts import PINNED_ACTIVE, Fact, is_deleted, last_name, pointer
from kgl_core.graph.nouns import GraphNoun, noun_of
from kgl_core.kernel.checked_records import build, same_json
from kgl_core.kernel.errors import AlreadyExists, Deleted, Fault, InvalidInput, NotFound
from kgl_core.kernel.ids import require_id
from kgl_core.kernel.nouns.listings import read_page
from kgl_core.kernel.nouns.pages import LIMIT_DEFAULT, Page
from kgl_core.kernel.nouns.records import found
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context, UnitOfWork

PINNED_MAX: Final = 100


class Assertions:
    """The use cases of assertions, on behalf of one actor.

    Every method raises PermissionDenied when the actor may not call it, InvalidInput for malformed arguments, and
    StoreError when the store is in trouble. An id is a UUID or its canonical text. A fact is named by the noun of its
    kind, ENTITY or RELATIONSHIP, and its id.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def list(
        self,
        *,
        sort: str = "asserted_at",
        limit: int = LIMIT_DEFAULT,
        cursor: str | None = None,
        **filter: Unpack[AssertionFilterFields],
    ) -> Page[SourcedAssertion]:
        """A page of assertions; ``limit`` is 1..200. Raises InvalidCursor, HistoryLost.

        A fact of which nobody but its creator has said anything has no assertion here: see `of`.
        """
        require(self._context.actor, Action.READ)
        wanted = build(AssertionFilter, filter)
        with self._context.store.snapshot() as uow:
            page = read_page(ASSERTION, uow.of(ASSERTION), wanted, sort, limit, cursor)
            items = with_sources(page.items, sources_of(uow, page.items))
            return Page(tuple(items), page.limit, page.next_cursor)

    def of(
        self,
        noun: GraphNoun,
        id: UUID | str,
        *,
        sort: str = "asserted_at",
        limit: int = LIMIT_DEFAULT,
        cursor: str | None = None,
        **filter: Unpack[AssertionFilterFields],
    ) -> Page[SourcedAssertion]:
        """A page of the assertions about one fact, as `list` has them. Raises NotFound besides.

        The first one is what its creator said, with the fact's own id.
        """
        require(self._context.actor, Action.READ)
        wanted = require_id(id)
        with self._context.store.read() as uow:
            fact = found(uow.of(noun).get(wanted), noun.name, wanted)
        filter["entity_id" if noun is ENTITY else "relationship_id"] = wanted
        page = self.list(sort=sort, limit=limit, cursor=cursor, **filter)
        if fact.has_assertions:
            return page
        first = _first(fact)
        return Page((first,) if cursor is None and _passes(build(AssertionFilter, filter), first) else (), limit)

    def get(self, id: UUID | str) -> SourcedAssertion:
        """The assertion with this id, which may be the first one of a fact. Raises NotFound."""
        require(self._context.actor, Action.READ)
        wanted = require_id(id)
        with self._context.store.snapshot() as uow:
            return _assertion(uow, wanted)

    def values(self, noun: GraphNoun, id: UUID | str) -> Sequence[Value]:
        """What is pinned in a fact, and what assertions say of each field, what wins first. Raises NotFound."""
        require(self._context.actor, Action.READ)
        wanted = require_id(id)
        with self._context.store.snapshot() as uow:
            fact = found(uow.of(noun).get(wanted), noun.name, wanted)
            said = _in_force(uow, fact)
            origins = origins_of(uow, said)
        told = with_sources(said, origins.sources) if fact.has_assertions else [_first(fact)]
        return values_of(fact, told, origins)

    def add(self, noun: GraphNoun, id: UUID | str, /, **fields: Unpack[AssertionFields]) -> SourcedAssertion:
        """Assert a fact, or speak against it; what the actor said of it before with the same source and extractor goes.

        What is only about a value in its metadata neither supports the fact nor speaks against it. New support brings a
        retired fact back. Where another fact has its key now, or its place between its ends, that one is asserted
        instead: see the answer. Raises NotFound, and Deleted where somebody deleted the fact.
        """
        require(self._context.actor, Action.CREATE)
        wanted, draft = require_id(id), build(AssertionDraft, fields)

        def run() -> SourcedAssertion:
            with self._context.store.begin() as uow:
                if draft.source is not None:
                    ensure_sources(self._context, uow, [draft.source], locked=True)
                    if draft.extractor is not None:
                        forget_digest(uow, extraction_id(draft.source, draft.extractor, self._context.actor))
                work = Work(self._context, uow)
                ledger = Ledger(work)
                fact = found(_locked(uow, noun, wanted), noun.name, wanted)
                if draft.stance == Stance.FOR:
                    fact = succeeded(work, ledger, [fact]).get(wanted, fact)
                if is_deleted(fact):
                    raise Deleted(noun.name, fact.id, to_change=True)
                said = _say(work, ledger, fact, draft)
                uow.commit()
            return SourcedAssertion(**vars(said), source=draft.source)

        return self._context.retry(run, AlreadyExists)

    def withdraw(self, id: UUID | str) -> SourcedAssertion:
        """Withdraw an assertion; a fact that loses its last support is retired. One that is withdrawn is left as it is.

        Raises NotFound, and PermissionDenied when somebody else asserted it and the actor is no moderator.
        """
        require(self._context.actor, Action.CHANGE, self._context.actor)
        wanted = require_id(id)

        def run() -> SourcedAssertion:
            with self._context.store.begin() as uow:
                seen = _assertion(uow, wanted)
                require(self._context.actor, Action.CHANGE, seen.asserted_by)
                if seen.source is not None and seen.extractor is not None:  # wait for the extraction that it is from
                    uow.of(SOURCE).get(source_id(seen.source), lock="update")
                fact = facts_of(uow, [seen])[seen.fact_id]
                if _assertion(uow, wanted).withdrawn_at is None:
                    _forget_extraction(uow, seen)
                    ledger = Ledger(Work(self._context, uow))
                    ledger.withdraw(fact, seen)
                    ledger.settle()
                withdrawn = _assertion(uow, wanted)
                uow.commit()
            return withdrawn

        return self._context.retry(run, AlreadyExists)

    def pin(self, noun: GraphNoun, id: UUID | str, pinned: Iterable[str]) -> Any:
        """Set which parts of a fact its assertions do not change: JSON Pointers such as /confidence or /metadata/born.

        With /is_active, it stays when nothing supports it any more. What is no longer pinned follows from the
        assertions again. Returns the fact. Raises NotFound, Deleted, and PermissionDenied as an update does.
        """
        require(self._context.actor, Action.CHANGE, self._context.actor)
        wanted, given = require_id(id), [*pinned]
        _require_pointers(noun, given)
        pointers = sorted({*given})

        def run() -> Any:
            with self._context.store.begin() as uow:
                fact = found(_locked(uow, noun, wanted), noun.name, wanted)
                require(self._context.actor, Action.CHANGE, fact.created_by)
                if fact.deleted_at is not None:
                    raise Deleted(noun.name, wanted, to_change=True)
                ledger = Ledger(Work(self._context, uow))
                ledger.touch(fact, pointers)
                ledger.settle()
                after = found(uow.of(noun).get(wanted), noun.name, wanted)
                uow.commit()
            return after

        return self._context.retry(run, AlreadyExists)


def _forget_extraction(uow: UnitOfWork, said: SourcedAssertion) -> None:
    """Note that the extraction that an assertion is from, if any, is not in force any more as it was sent."""
    if said.source is not None and said.extractor is not None:
        forget_digest(uow, extraction_id(said.source, said.extractor, said.asserted_by))


def _say(work: Work, ledger: Ledger, fact: Fact, draft: AssertionDraft) -> Assertion:
    of_source = None if draft.source is None else source_id(draft.source)
    mine = (of_source, draft.extractor, work.context.actor, draft.about)
    before = next((each for each in _in_force(work.uow, fact) if each.by == mine), None)
    told = {
        "extractor_version": draft.extractor_version,
        "stance": Stance(draft.stance),
        "confidence": draft.confidence,
        "locations": draft.locations,
    }
    if (
        before is not None
        and not fact.is_retired
        and all(getattr(before, name) == value for name, value in told.items())
        and (draft.about is None or same_json(before.values, draft.values))
    ):
        return before
    kept: dict[str, Any] = {"values": draft.values, "about": draft.about}
    if before is not None:
        ledger.withdraw(fact, before)
        if draft.about is None:
            kept = {"values": before.values, "label": before.label}
    said = ledger.say(fact, source_id=of_source, extractor=draft.extractor, **told, **kept)
    ledger.settle()
    return said


def with_sources(assertions: Sequence[Assertion], sources: Mapping[UUID, Source]) -> list[SourcedAssertion]:
    """The assertions with the URIs of their sources."""
    uris: dict[UUID | None, str] = {id: source.uri for id, source in sources.items()}
    return [SourcedAssertion(**vars(each), source=uris.get(each.source_id)) for each in assertions]


def _locked(uow: UnitOfWork, noun: GraphNoun, id: UUID) -> Any:
    """The fact with this id, locked together with its ends; None if there is none."""
    return (lock_facts(uow, {id}, ()) if noun is ENTITY else lock_facts(uow, (), {id})).get(id)


def _in_force(uow: UnitOfWork, fact: Fact) -> Sequence[Assertion]:
    """The assertions in force about a fact."""
    if not fact.has_assertions:
        return [first_assertion(fact)]
    said = uow.assertions
    return said.of_entities([fact.id]) if noun_of(fact) is ENTITY else said.of_relationships([fact.id])


def _assertion(uow: UnitOfWork, id: UUID) -> SourcedAssertion:
    """The assertion with this id, which may be the first one of a fact. Raises NotFound."""
    kept = uow.of(ASSERTION).get(id)
    if kept is not None:
        return with_sources([kept], sources_of(uow, [kept]))[0]
    fact: Any = uow.entities.get(id) or uow.relationships.get(id)
    if fact is None or fact.has_assertions:
        raise NotFound("assertion", id)
    return _first(fact)


def _first(fact: Any) -> SourcedAssertion:
    """What a fact states of itself."""
    return SourcedAssertion(**vars(first_assertion(fact)), source=fact.source)


def _passes(filter: AssertionFilter, assertion: Assertion) -> bool:
    if filter.is_withdrawn:
        return False
    names = ("source_id", "extractor", "stance")
    return all(getattr(filter, name) in (None, getattr(assertion, name)) for name in names)


def _require_pointers(noun: GraphNoun, pointers: Sequence[str]) -> None:
    """Raise InvalidInput unless all of these point to what evidence can change."""
    known = {pointer(name) for name in noun.changeable if name != "metadata"} | {PINNED_ACTIVE}
    inner = pointer("metadata", "")
    faults = [
        Fault(f"/pinned/{number}", "not_a_choice", f"give one of {', '.join(sorted(known))}, or {inner}… with a name")
        for number, each in enumerate(pointers)
        if not (type(each) is str and (each in known or each == pointer("metadata", last_name(each))))
    ]
    if len(pointers) > PINNED_MAX:
        faults.append(Fault("/pinned", "too_many", f"at most {PINNED_MAX}, not {len(pointers)}"))
    if faults:
        raise InvalidInput(faults)
