"""What a load does in one unit of work: look up what a batch of records names, decide, and write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from kgl_core.changes import Change
from kgl_core.entities import End, Entity
from kgl_core.errors import KglError
from kgl_core.records import EntityRecord, Record, RelationshipRecord
from kgl_core.relationships import Relationship
from kgl_core.unit_of_work import UnitOfWork
from kgl_core.usecases.context import Context
from kgl_core.usecases.load_ends import Ends
from kgl_core.usecases.load_plan import EntityPlan, Outcome, RecordRefused, RelationshipPlan

Numbered = tuple[int, Record]
Applied = tuple[int, Outcome, Entity | Relationship]
Refused = tuple[int, KglError]


class Batch:
    """The records of one batch, with their numbers, as they come into a graph on behalf of the context's actor.

    After `apply`, ``applied`` has what became of each record that was taken, and the entity or relationship as it was
    then; ``refused`` has the error of each of the others. The entities come before the relationships in both.
    """

    def __init__(self, context: Context, uow: UnitOfWork, *, is_logged: bool = True) -> None:
        self._context, self._uow, self._is_logged = context, uow, is_logged
        self.applied: list[Applied] = []
        self.refused: list[Refused] = []

    def apply(self, records: Sequence[Numbered]) -> None:
        """Take the records in, without a commit.

        Raises AlreadyExists, NotFound or StaleVersion when the store refuses what the plan allowed, which it does
        without saying for which record, and StoreError when the store is in trouble.
        """
        entities = [(number, record) for number, record in records if isinstance(record, EntityRecord)]
        relationships = [(number, record) for number, record in records if isinstance(record, RelationshipRecord)]
        ends = self._apply_entities(entities, *_ends_named(relationships))
        if relationships:
            self._apply_relationships(ends, relationships)

    def _apply_entities(
        self, records: Sequence[tuple[int, EntityRecord]], other_ids: set[UUID], other_keys: set[str]
    ) -> Ends:
        """Take the entities in; what relationship records see of them, and of the others that they name."""
        repository = self._uow.entities
        ids = {record.id for _, record in records if record.id is not None}
        keys = {record.key for _, record in records if record.key is not None}
        # Entities and ends are locked by one call, in one order, so that loads never wait for each other in turn.
        stored = repository.find(ids | other_ids, keys | other_keys, lock="update") if records else ()
        other_ids -= ids.union(entity.id for entity in stored)
        other_keys -= keys.union(entity.key for entity in stored if entity.key is not None)
        ends = repository.ends(other_ids, other_keys) if other_ids or other_keys else ()
        plan = EntityPlan(self._context, stored, ends)
        for number, record in records:
            try:
                self.applied.append((number, *plan.apply(number, record)))
            except KglError as error:
                self.refused.append((number, error))
        repository.add(plan.created)
        repository.replace(plan.updated)
        self._log(plan.changes)
        return plan.ends

    def _apply_relationships(self, ends: Ends, records: Sequence[tuple[int, RelationshipRecord]]) -> None:
        repository = self._uow.relationships
        joined: list[tuple[int, RelationshipRecord, End, End]] = []
        for number, record in records:
            source = ends.find(number, record.source_entity_id, record.source_entity_key)
            target = ends.find(number, record.target_entity_id, record.target_entity_key)
            if source is not None and target is not None:
                joined.append((number, record, source, target))
                continue
            missing = (
                record.source_entity_key or record.source_entity_id
                if source is None
                else record.target_entity_key or record.target_entity_id
            )
            detail = f"there is no entity {missing}; entities come before the relationships that name them"
            self.refused.append((number, RecordRefused("end_not_found", detail)))
        ids = {record.id for _, record, _, _ in joined if record.id is not None}
        triples = {(source.id, record.relationship_type, target.id) for _, record, source, target in joined}
        plan = RelationshipPlan(self._context, repository.find(ids, triples, lock="update"))
        for number, record, source, target in joined:
            try:
                self.applied.append((number, *plan.apply(record, source, target)))
            except KglError as error:
                self.refused.append((number, error))
        repository.add(plan.created)
        repository.replace(plan.updated)
        self._log(plan.changes)

    def _log(self, changes: Sequence[Change]) -> None:
        if self._is_logged:
            self._uow.changes.append(changes)


def _ends_named(records: Iterable[tuple[int, RelationshipRecord]]) -> tuple[set[UUID], set[str]]:
    """The ids and the keys by which relationship records name their ends."""
    ids: set[UUID] = set()
    keys: set[str] = set()
    for _, record in records:
        ids.update(id for id in (record.source_entity_id, record.target_entity_id) if id is not None)
        keys.update(key for key in (record.source_entity_key, record.target_entity_key) if key is not None)
    return ids, keys
