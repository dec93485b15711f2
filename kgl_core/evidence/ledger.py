"""The ledger: what one unit of work asserts and withdraws, and what becomes of the facts.

Assertions change first, then the facts are settled: each shows what is asserted of it then, a fact that lost its last
support is retired, and a retired one that has support again comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import attrs

from kgl_core.evidence.assertions import Assertion
from kgl_core.evidence.outcomes import FactOutcome
from kgl_core.evidence.recording import Work
from kgl_core.evidence.stored_evidence import about, ensure_extractors, ensure_sources, first_assertion, sources_of
from kgl_core.evidence.supporting import Origins, shown
from kgl_core.graph.deleting_and_restoring import gone_with
from kgl_core.graph.entities import Entity
from kgl_core.graph.facts import Fact, active_again, is_deleted, is_unsupported, retired
from kgl_core.graph.journal.changes import ChangeAction
from kgl_core.graph.nouns import noun_of
from kgl_core.graph.relationships import Relationship
from kgl_core.kernel.checked_records import same_values
from kgl_core.kernel.ids import AssertionId, SourceId
from kgl_core.kernel.nouns.versions import next_version


class Ledger:
    """The assertions and facts of one unit of work, on behalf of the context's actor.

    The facts have been locked. ``now`` is when all of it happens. ``outcomes`` has what became of each that was
    settled, and ``support`` the assertions in force about it then, both by id.
    """

    def __init__(self, work: Work) -> None:
        self._work, self._context, self._uow = work, work.context, work.uow
        self.now = work.context.now()
        self._created: dict[UUID, Fact] = {}
        self._bare: set[UUID] = set()
        self._touched: dict[UUID, Fact] = {}
        self._before: dict[UUID, Fact] = {}
        self._added: list[Assertion] = []
        self._withdrawn: list[Assertion] = []
        self._reinstated: list[Assertion] = []
        self._changes: list[tuple[ChangeAction, Fact]] = []
        self.outcomes: dict[UUID, FactOutcome] = {}
        self.support: Mapping[UUID, Sequence[Assertion]] = {}

    def create(self, fact: Fact) -> None:
        """Add a new fact. One `say` must follow, which says the same as its fields."""
        self._created[fact.id] = fact

    def create_bare(self, fact: Fact) -> None:
        """Add a new fact that is to show what is said of it, which has to follow."""
        self._created[fact.id] = fact
        self._bare.add(fact.id)

    def say(self, fact: Fact, *, source_id: UUID | None, **fields: Any) -> Assertion:
        """Assert a fact; ``fields`` are those of an `Assertion`, which is returned."""
        said = Assertion(
            id=AssertionId(self._context.new_id()),
            **about(fact),
            source_id=None if source_id is None else SourceId(source_id),
            run=self._context.run,
            asserted_by=self._context.actor,
            asserted_at=self.now,
            **fields,
        )
        self._add(fact, said)
        return said

    def withdraw(self, fact: Fact, assertion: Assertion) -> None:
        """Withdraw an assertion of a fact."""
        self._withdrawn.append(assertion)
        self._touched[fact.id] = fact

    def reinstate(self, fact: Fact, assertion: Assertion) -> None:
        """Put an assertion in force again."""
        self._reinstated.append(assertion)
        self._touched[fact.id] = fact

    def move(self, fact: Fact, assertion: Assertion) -> None:
        """Put an assertion of another fact, which was withdrawn, in force again as one of this fact."""
        values = {**about(fact), "withdrawn_at": None, "withdrawn_by": None, "withdrawn_run": None}
        self._add(fact, attrs.evolve(assertion, id=AssertionId(self._context.new_id()), **values))

    def touch(self, fact: Fact, pinned: Sequence[str] | None = None) -> None:
        """Settle a fact even if no assertion about it changes, with other pins if they are given."""
        self._touched[fact.id] = fact if pinned is None else attrs.evolve(fact, pinned=tuple(pinned))
        self._before[fact.id] = fact

    def has_touched(self, id: UUID) -> bool:
        """Whether something about this fact, which is no new one, was asserted or withdrawn."""
        return id in self._touched

    def with_outcome(self, outcome: FactOutcome) -> tuple[UUID, ...]:
        """The ids of the facts that this became of, ordered."""
        return tuple(sorted(id for id, each in self.outcomes.items() if each is outcome))

    def settle(self, describe: Callable[[Fact], Fact] = lambda fact: fact) -> None:
        """Write everything. ``describe`` may set more in the next version of a fact."""
        told = self._assertions()
        said = [each for about in told.values() for each in about]
        extractors = ensure_extractors(self._context, self._uow, [*said, *self._added])
        origins = Origins(sources_of(self._uow, said), extractors)
        for id in self._bare:
            self._created[id] = attrs.evolve(self._created[id], **shown(self._created[id], told[id], origins))
        next_states = {
            fact.id: describe(attrs.evolve(fact, **shown(fact, told[fact.id], origins)))
            for fact in self._touched.values()
        }
        for entity in self._left_alone(next_states):
            self._touched[entity.id] = next_states[entity.id] = entity
        self.support = told
        needed = self._needed_again(next_states)
        for entity in needed:
            self._touched[entity.id] = entity
            next_states.setdefault(entity.id, entity)
        # By id, so that every store tells the changes in the same order.
        touched = sorted(self._touched.values(), key=lambda fact: fact.id)
        entities = [fact for fact in touched if isinstance(fact, Entity)]
        relationships = [fact for fact in touched if isinstance(fact, Relationship)]
        back = self._that_can_come_back(entities, next_states, {entity.id for entity in needed})
        self._write(entities, next_states, back, self._created_of(Entity), retires=False)
        back |= self._that_can_come_back(relationships, next_states)
        self._write(relationships, next_states, back, self._created_of(Relationship), retires=True)
        self._write_assertions()
        self._retire(entities, next_states)
        self._work.log(self._changes)

    def _add(self, fact: Fact, assertion: Assertion) -> None:
        self._added.append(assertion)
        if fact.id not in self._created:
            self._touched[fact.id] = fact

    def _write_assertions(self) -> None:
        repository = self._uow.assertions
        gone = {each.id for each in self._withdrawn}
        by, run = self._context.actor, self._context.run
        repository.add(
            [
                attrs.evolve(each, withdrawn_at=self.now, withdrawn_by=by, withdrawn_run=run)
                if each.id in gone
                else each
                for each in self._added
            ]
        )
        repository.withdraw(gone.difference(each.id for each in self._added), self.now, by, run)
        repository.reinstate([each.id for each in self._reinstated])

    def _created_of(self, cls: type[Fact]) -> list[Fact]:
        created = [fact for fact in self._created.values() if isinstance(fact, cls)]
        return sorted(created, key=lambda fact: (getattr(fact, "key", None) or "", fact.id))

    def _assertions(self) -> dict[UUID, list[Assertion]]:
        """The assertions in force about each fact that is to show them, once this is done."""
        repository = self._uow.assertions
        kept = {fact.id: fact for fact in self._touched.values() if fact.has_assertions}
        told: dict[UUID, list[Assertion]] = {id: [] for id in (*self._touched, *self._bare)}
        gone = {each.id for each in self._withdrawn}
        of_entities = repository.of_entities([id for id, fact in kept.items() if isinstance(fact, Entity)])
        of_others = repository.of_relationships([id for id, fact in kept.items() if not isinstance(fact, Entity)])
        first = self._first_assertions(fact for fact in self._touched.values() if not fact.has_assertions)
        for each in (*of_entities, *of_others, *first, *self._reinstated, *self._added):
            if each.fact_id in told and each.id not in gone:
                told[each.fact_id].append(each)
        self._added += first
        return told

    def _left_alone(self, states: Mapping[UUID, Fact]) -> Sequence[Entity]:
        """The entities without support that only stay for relationships which are about to be retired."""
        ending = [each for each in self._touched.values() if isinstance(each, Relationship) and each.is_active]
        ends = {end for each in ending if is_unsupported(states[each.id]) for end in each.ends}
        others = ends.difference(self._touched, self._created)
        entities = self._uow.entities.find(others, lock="update") if others else ()
        return [entity for entity in entities if is_unsupported(entity)]

    def _needed_again(self, states: dict[UUID, Fact]) -> Sequence[Entity]:
        """The retired entities that relationships need which have support again: they come back with these.

        A relationship whose end somebody deleted waits for that, as if it had been deleted with it.
        """
        retired = [each for each in self._touched.values() if isinstance(each, Relationship) and each.is_retired]
        wanted = [each for each in retired if states[each.id].sources_for]
        wanted += [each for id in self._bare if isinstance(each := self._created[id], Relationship) and each.is_active]
        ids = {end for each in wanted for end in each.ends}.difference(self._created)
        ends = {entity.id: entity for entity in self._uow.entities.find(ids, lock="update")} if ids else {}
        needed: set[UUID] = set()
        for each in wanted:
            own = [ends[end] for end in each.ends if end in ends]
            state: Any = states.get(each.id)
            if state is not None and any(map(is_deleted, own)):
                states[each.id] = gone_with(state, own)
            else:
                needed.update(each.ends)
        return [entity for entity in ends.values() if entity.is_retired and entity.id in needed]

    def _first_assertions(self, facts: Iterable[Fact]) -> list[Assertion]:
        """What facts state of themselves that have no assertions yet, as assertions."""
        stating: Sequence[Any] = [*facts]
        ensure_sources(self._context, self._uow, {fact.source for fact in stating if fact.source is not None})
        return [*map(first_assertion, stating)]

    def _that_can_come_back(
        self, facts: Sequence[Fact], states: Mapping[UUID, Fact], needed: Collection[UUID] = ()
    ) -> set[UUID]:
        """The ids of the retired facts that are supported or needed, if their ends are active and their values free."""
        wanted = [fact for fact in facts if fact.is_retired and (states[fact.id].sources_for or fact.id in needed)]
        if not wanted:
            return set()
        noun = noun_of(wanted[0])
        values = {value for fact in wanted if (value := noun.unique_value(fact)) is not None}
        holders = self._uow.of(noun).find((), values) if values else ()
        taken = {noun.unique_value(each) for each in holders if each.is_active}
        ends = {end for fact in wanted if isinstance(fact, Relationship) for end in fact.ends}
        missing = {end.id for end in self._uow.entities.ends(ends) if not end.is_active} if ends else set()
        back: set[UUID] = set()
        for fact in wanted:
            value = noun.unique_value(fact)
            is_blocked = isinstance(fact, Relationship) and not missing.isdisjoint(fact.ends)
            if not is_blocked and (value is None or value not in taken):
                back.add(fact.id)
                taken.add(value)
        return back

    def _write(
        self,
        facts: Sequence[Fact],
        states: Mapping[UUID, Fact],
        back: set[UUID],
        created: Sequence[Fact],
        *,
        retires: bool,
    ) -> None:
        """Write new facts, and the next versions of others; entities that may have to be retired wait."""
        changes = [(ChangeAction.CREATED, fact) for fact in created]
        updated: list[Fact] = []
        for fact in facts:
            state = states[fact.id]
            if fact.is_retired and fact.id in back:
                changes.append((ChangeAction.RESTORED, active_again(state, self.now)))
            elif is_unsupported(state):
                if not retires:
                    continue
                changes.append((ChangeAction.RETIRED, self._retired(state)))
            elif self._is_changed(fact, state):
                changes.append((ChangeAction.UPDATED, self._next(state)))
            else:
                self.outcomes[fact.id] = FactOutcome.UNCHANGED
                continue
            updated.append(changes[-1][1])
        self._store(changes, created, updated)

    def _retire(self, entities: Sequence[Entity], states: Mapping[UUID, Fact]) -> None:
        """Retire the entities that nothing supports and no active relationship needs."""
        changes: list[tuple[ChangeAction, Fact]] = []
        left = [each for each in entities if each.id not in self.outcomes and is_unsupported(states[each.id])]
        needed = self._uow.relationships.joined([entity.id for entity in left]) if left else set()
        for entity in left:
            state = states[entity.id]
            if entity.id in needed:
                if self._is_changed(entity, state):
                    changes.append((ChangeAction.UPDATED, self._next(state)))
                else:
                    self.outcomes[entity.id] = FactOutcome.UNCHANGED
            else:
                changes.append((ChangeAction.RETIRED, self._retired(state)))
        self._store(changes, (), [fact for _, fact in changes])

    def _is_changed(self, fact: Fact, state: Fact) -> bool:
        return not same_values(self._before.get(fact.id, fact), state, noun_of(fact).field_names)

    def _next(self, state: Fact) -> Fact:
        return next_version(state, self.now)

    def _retired(self, state: Fact) -> Fact:
        return retired(state, self.now, self._context.actor)

    def _store(
        self, changes: Sequence[tuple[ChangeAction, Fact]], created: Sequence[Fact], updated: Sequence[Fact]
    ) -> None:
        if not changes:
            return
        repository: Any = self._uow.of(noun_of(changes[0][1]))
        repository.replace(sorted(updated, key=lambda fact: fact.id))
        repository.add(created)
        self._changes += changes
        self.outcomes.update({fact.id: FactOutcome.of(action) for action, fact in changes})


def settle_facts(work: Work, facts: Iterable[Fact]) -> None:
    """Let these facts, which are locked, show what is asserted of them."""
    ledger = Ledger(work)
    for fact in facts:
        ledger.touch(fact)
    ledger.settle()
