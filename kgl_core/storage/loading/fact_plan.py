"""What plans of facts share: a line that names a retired fact brings it back, as new evidence does.

What is retired is not in the graph for those who read it, so there is nothing to keep or to refuse for: it comes back
in every mode, with what the line says as an assertion of whoever loads it. What somebody deleted stays deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar
from uuid import UUID

import attrs

from kgl_core.evidence.assertions import Assertion, Stance
from kgl_core.evidence.origins.sources import SOURCE, Source, source_id
from kgl_core.evidence.stored_evidence import about, ensure_sources, new_source, origins_of
from kgl_core.evidence.supporting import Origins, shown, stated_by
from kgl_core.graph.facts import Fact, active_again, pinned_by_hand, went_last
from kgl_core.graph.journal.changes import ChangeAction
from kgl_core.graph.nouns import GraphNoun
from kgl_core.kernel.ids import AssertionId
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context, UnitOfWork
from kgl_core.storage.loading.existing_records import LEAVING, Existing, Outcome
from kgl_core.storage.loading.plans import Plan
from kgl_core.storage.record_lines import GraphLine

L = TypeVar("L", bound=GraphLine)
F = TypeVar("F", bound=Fact)


@attrs.frozen
class Evidence:
    """What lines need to know to bring facts back: what is in force about these, and where that and lines come from."""

    told: Mapping[UUID, Sequence[Assertion]] = attrs.Factory(dict)
    origins: Origins = attrs.Factory(Origins)


NO_EVIDENCE: Final = Evidence()


def evidence_of(uow: UnitOfWork, facts: Iterable[Fact], lines: Iterable[GraphLine]) -> Evidence:
    """The evidence of the retired ones of these facts. Without any, nothing is looked up."""
    ids = [fact.id for fact in facts if fact.is_retired]
    if not ids:
        return NO_EVIDENCE
    told: dict[UUID, list[Assertion]] = {}
    said = [*uow.assertions.of_entities(ids), *uow.assertions.of_relationships(ids)]
    for each in said:
        told.setdefault(each.fact_id, []).append(each)
    origins = origins_of(uow, said)
    named = {source_id(line.source) for line in lines if line.source is not None} - origins.sources.keys()
    others = uow.of(SOURCE).find(named) if named else ()
    return Evidence(told, attrs.evolve(origins, sources={**origins.sources, **{each.id: each for each in others}}))


def with_rivals(repository: Any, noun: GraphNoun, stored: Sequence[F]) -> Sequence[F]:
    """These facts, and those that have the unique values of the retired ones among them; all are locked."""
    values = {value for fact in stored if fact.is_retired and (value := noun.unique_value(fact)) is not None}
    if not values:
        return stored
    return [*{fact.id: fact for fact in (*stored, *repository.find((), values, lock="update"))}.values()]


class FactPlan(Plan[L, F]):
    """What lines do to the facts of one noun. ``stored`` are those that they name, ``evidence`` that of these."""

    def __init__(
        self, noun: GraphNoun, context: Context, existing: Existing, stored: Sequence[F], evidence: Evidence
    ) -> None:
        super().__init__(noun, context, existing)
        self._evidence = evidence
        self._by_id.update({fact.id: fact for fact in stored})
        gone = sorted((fact for fact in stored if fact.deleted_at is not None), key=went_last)
        self._last_gone: dict[Any, UUID] = {noun.unique_value(fact): fact.id for fact in gone}
        self._said: list[Assertion] = []
        self._uris: set[str] = set()
        self._replaced: set[UUID] = set()

    def write_evidence(self, uow: UnitOfWork) -> None:
        """Store what the lines say of facts that they brought back. These have been stored."""
        if self._said:
            ensure_sources(self._context, uow, self._uris)
            uow.assertions.withdraw(self._replaced, self._now, self._context.actor, self._context.run)
            uow.assertions.add(self._said)

    def _retired(self, value: Any) -> F | None:
        """The retired fact that had this unique value last; None if another that had it was deleted since."""
        last = self._last_gone.get(value) if self._last_gone else None  # most batches name nothing that is gone
        fact = None if last is None else self._by_id[last]
        return fact if fact is not None and fact.is_retired else None

    def _require_place(self, fact: F) -> None:
        """Raise RecordRefused when another active fact is what this one, which would come back, is."""

    def _apply_to(self, current: F, record: L) -> tuple[Outcome, F]:
        if not (record.is_active and current.is_retired):
            return super()._apply_to(current, record)
        require(self._context.actor, Action.CREATE)
        said = self._assertion(current, record)
        told = self._evidence.told.get(current.id, ())
        replaced = {each.id for each in told if each.by == said.by}
        in_force = [*(each for each in told if each.id not in replaced), said]
        origins = self._evidence.origins
        if record.source is not None and said.source_id is not None:
            named: dict[UUID, Source] = {said.source_id: new_source(self._context, record.source)}
            origins = attrs.evolve(origins, sources={**named, **origins.sources})
        back = active_again(attrs.evolve(current, **shown(current, in_force, origins)), self._now)
        if self._existing not in LEAVING and (changes := self._changes(record, back)):  # what is pinned, or a key
            require(self._context.actor, Action.CHANGE, current.created_by)
            changed = attrs.evolve(back, **changes)
            back = attrs.evolve(changed, **pinned_by_hand(back, changed, changes))
        self._require_place(back)
        self._said.append(said)
        self._replaced |= replaced
        self._uris.update(() if record.source is None else (record.source,))
        self._updated.add(back.id)
        self._keep(back, ChangeAction.RESTORED)
        return Outcome.UPDATED, back

    def _assertion(self, fact: F, record: L) -> Assertion:
        """What a line says of a fact."""
        return Assertion(
            id=AssertionId(self._context.new_id()),
            **about(fact),
            source_id=None if record.source is None else source_id(record.source),
            stance=Stance.FOR,
            confidence=record.confidence,
            values=stated_by(record),
            run=self._context.run,
            asserted_by=self._context.actor,
            asserted_at=self._now,
        )

    def _keep(self, record: F, action: ChangeAction) -> None:
        super()._keep(record, action)
        if record.deleted_at is not None:
            self._last_gone[self._noun.unique_value(record)] = record.id
