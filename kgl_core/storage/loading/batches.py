"""Batches: what a load does in one unit of work. It looks up what the records name, decides, and writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from kgl_core.graph.entities import ENTITY, End
from kgl_core.graph.journal.changes import Change
from kgl_core.graph.nouns import GRAPH_NOUNS, GraphNoun
from kgl_core.graph.relationships import RELATIONSHIP, Relationship
from kgl_core.kernel.errors import KglError
from kgl_core.kernel.nouns.records import Record
from kgl_core.kernel.units_of_work import Context, UnitOfWork
from kgl_core.storage.loading.entity_plan import EntityPlan
from kgl_core.storage.loading.existing_records import Existing, KeyTaken, Outcome, RecordRefused
from kgl_core.storage.loading.fact_plan import evidence_of, with_rivals
from kgl_core.storage.loading.keys import Waiting
from kgl_core.storage.loading.noun_plan import NounPlan
from kgl_core.storage.loading.reading import Numbered
from kgl_core.storage.loading.relationship_ends import Ends
from kgl_core.storage.loading.relationship_plan import RelationshipPlan
from kgl_core.storage.record_lines import EntityLine, GraphLine, NounLine, RelationshipLine

_Graph = Sequence[tuple[int, GraphLine]]
Applied = tuple[int, Outcome, Record]
Refused = tuple[int, KglError]

_TOO_MANY_WAIT: Final = "a key that it names changes hands here, and too many lines wait for that; load this again"


class Batch:
    """The numbered records of one batch, loaded on behalf of the context's actor.

    After `apply`, ``applied`` has what became of each record that was taken, and the entity or relationship as it was
    then; ``refused`` has the error of each of the others, except those that joined ``waiting``. In both, the entities
    come before the relationships. With ``is_last``, the records are those that waited, and none waits any longer.
    """

    def __init__(
        self,
        context: Context,
        uow: UnitOfWork,
        existing: Existing,
        waiting: Waiting,
        *,
        is_last: bool = False,
        is_logged: bool = True,
    ) -> None:
        self._context, self._uow, self._existing, self._is_logged = context, uow, existing, is_logged
        self._is_last = is_last
        self.waiting = Waiting() if is_last else waiting.copy() if waiting.records else Waiting()
        self.applied: list[Applied] = []
        self.refused: list[Refused] = []

    def apply(self, records: Sequence[Numbered]) -> None:
        """Apply the records, without a commit.

        Raises AlreadyExists, NotFound or StaleVersion when the store refuses what the plan allowed, without saying for
        which record, and StoreError when the store is in trouble.
        """
        graph = [(number, line) for number, line in records if not isinstance(line, NounLine)]
        if graph:
            ends, relationships = self._apply_entities(graph)
            if relationships:
                self._apply_relationships(ends, relationships)
        if len(graph) < len(records):
            for noun in GRAPH_NOUNS:
                lines = [(n, line) for n, line in records if isinstance(line, NounLine) and line.noun is noun]
                if lines:
                    self._apply_others(noun, lines)

    def _apply_entities(self, records: _Graph) -> tuple[Ends, Sequence[tuple[int, RelationshipLine]]]:
        """Apply the entity records.

        Returns the relationship records, and what they see of the entities and of the others that they name.
        """
        repository = self._uow.entities
        entities = [(number, record) for number, record in records if isinstance(record, EntityLine)]
        relationships: list[tuple[int, RelationshipLine]] = []
        ids = {record.id for _, record in entities if record.id is not None}
        keys = {record.key for _, record in entities if record.key is not None}
        other_ids, other_keys = _ends_named(records)
        # Entities and ends are locked by one call, in one order, so that loads never wait for each other in turn.
        found = repository.find(ids | other_ids, keys | other_keys, lock="update") if entities else ()
        stored = with_rivals(repository, ENTITY, found)
        other_ids -= ids.union(entity.id for entity in stored)
        other_keys -= keys.union(entity.key for entity in stored if entity.key is not None)
        ends = repository.ends(other_ids, other_keys) if other_ids or other_keys else ()
        evidence = evidence_of(self._uow, stored, (line for _, line in entities))
        plan = EntityPlan(self._context, stored, ends, self._existing, evidence)
        ready = plan.hand_over(entities) if self._is_last else set()
        for number, entity in entities if ready else ():
            if number in ready:
                self._apply_entity(plan, number, entity, 0)
        for number, record in records:
            if number in ready or (self.waiting.records and self._waits(number, record, plan)):
                continue
            if isinstance(record, EntityLine):
                self._apply_entity(plan, number, record, number)
            else:
                relationships.append((number, record))
        if plan.rekeyed:
            repository.clear_keys(plan.rekeyed)
        repository.replace(plan.updated)
        repository.add(plan.created)
        self._log(plan.changes)
        if self._is_logged:
            plan.write_evidence(self._uow)
        return plan.ends, relationships

    def _apply_entity(self, plan: EntityPlan, number: int, record: EntityLine, place: int) -> None:
        try:
            self.applied.append((number, *plan.apply(place, record)))
        except KeyTaken as error:
            # If stored entities are left as they are, none of them will give up its key.
            can_wait = not self._is_last and self._existing in (Existing.MERGE, Existing.REPLACE)
            if can_wait and self.waiting.has_room(record):
                self.waiting.add(number, record, plan.key_of(record.id))
            else:
                self.refused.append((number, error))
        except KglError as error:
            self.refused.append((number, error))

    def _waits(self, number: int, record: GraphLine, plan: EntityPlan) -> bool:
        """Whether a record waits behind one that waits for a key, or is refused because too many do."""
        key = plan.key_of(record.id) if isinstance(record, EntityLine) else None
        if not self.waiting.holds_back(number, record, key):
            return False
        if self.waiting.has_room(record):
            self.waiting.add(number, record, key)
        else:
            self.refused.append((number, RecordRefused("key_moves", _TOO_MANY_WAIT)))
        return True

    def _apply_relationships(self, ends: Ends, records: Sequence[tuple[int, RelationshipLine]]) -> None:
        repository = self._uow.relationships
        joined: list[tuple[int, RelationshipLine, End | None, End | None]] = []
        for number, record in records:
            source = ends.find(number, record.source_entity_id, record.source_entity_key)
            target = ends.find(number, record.target_entity_id, record.target_entity_key)
            if source is None and record.names_source:
                missing = record.source_entity_key or record.source_entity_id
            elif target is None and record.names_target:
                missing = record.target_entity_key or record.target_entity_id
            else:
                joined.append((number, record, source, target))
                continue
            detail = f"there is no entity {missing}; entities come before the relationships that name them"
            self.refused.append((number, RecordRefused("end_not_found", detail)))
        ids = {record.id for _, record, _, _ in joined if record.id is not None}
        triples = {
            (source.id, record.relationship_type, target.id, record.key)
            for _, record, source, target in joined
            if source is not None and target is not None and record.relationship_type is not None
        }
        stored = with_rivals(repository, RELATIONSHIP, repository.find(ids, triples, lock="update"))
        evidence = evidence_of(self._uow, stored, (line for _, line, _, _ in joined))
        plan = RelationshipPlan(self._context, stored, self._existing, evidence)
        retired: dict[UUID | None, Relationship] = {each.id: each for each in stored if each.is_retired}
        unnamed = {end for each in retired.values() for end in each.ends}
        others = {end.id: end for end in self._uow.entities.ends(unnamed)} if unnamed else {}
        for number, record, source, target in joined:
            if record.id in retired:  # which may come back if its ends are active, whether the line names them or not
                own = [ends.find(number, id, None) or others[id] for id in retired[record.id].ends]
                source, target = source or own[0], target or own[1]
            try:
                self.applied.append((number, *plan.apply(record, source, target)))
            except KglError as error:
                self.refused.append((number, error))
        repository.add(plan.created)
        repository.replace(plan.updated)
        self._log(plan.changes)
        if self._is_logged:
            plan.write_evidence(self._uow)

    def _apply_others(self, noun: GraphNoun, lines: Sequence[tuple[int, NounLine]]) -> None:
        repository = self._uow.of(noun)
        ids = {line.id for _, line in lines if line.id is not None}
        values = {value for _, line in lines if (value := noun.unique_value(line)) is not None}
        plan = NounPlan(noun, self._context, repository.find(ids, values, lock="update"), self._existing)
        for number, line in lines:
            try:
                self.applied.append((number, *plan.apply(line)))
            except KglError as error:
                self.refused.append((number, error))
        repository.replace(plan.updated)
        repository.add(plan.created)
        self._log(plan.changes)

    def _log(self, changes: Sequence[Change]) -> None:
        if self._is_logged:
            self._uow.changes.append(changes)


def _ends_named(records: _Graph) -> tuple[set[UUID], set[str]]:
    """The ids and the keys by which relationship records name their ends."""
    ids: set[UUID | None] = set()
    keys: set[str | None] = set()
    for _, record in records:
        if not isinstance(record, RelationshipLine):
            continue
        ids |= {record.source_entity_id, record.target_entity_id}
        keys |= {record.source_entity_key, record.target_entity_key}
    return {id for id in ids if id is not None}, {key for key in keys if key is not None}
