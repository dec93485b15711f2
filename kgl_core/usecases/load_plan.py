"""What a batch of records does to the graph: pure decisions, over what the store holds of them.

A load creates and updates. It neither deletes nor restores: what is deleted here stays deleted, what is active stays
active, and a record that says otherwise is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from itertools import chain
from typing import Final
from uuid import UUID

import attrs

from kgl_core.changes import Change, ChangeAction
from kgl_core.entities import End, Entity, EntityDraft
from kgl_core.errors import Conflict, Fault, InvalidInput
from kgl_core.ids import EntityId, RelationshipId
from kgl_core.permissions import Action, require
from kgl_core.records import EntityRecord, RelationshipRecord
from kgl_core.relationships import Relationship, Triple, triple_order
from kgl_core.rules import rules_of, same_values
from kgl_core.usecases.context import Context
from kgl_core.usecases.load_ends import Ends

ENTITY_FIELDS: Final = tuple(rules_of(EntityDraft))
RELATIONSHIP_FIELDS: Final = ("confidence", "source", "source_type", "metadata")


class Outcome(StrEnum):
    """What became of a record."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


class RecordRefused(Conflict):
    """The graph's present state forbids this record. ``code`` says why."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code  # type: ignore[misc]  # one class, because nobody tells these apart but by code
        super().__init__(detail)


class EntityPlan:
    """The effect of entity records, one after the other, on the entities that they name.

    ``stored`` is every entity under an id or key that they name, ``other_ends`` what only relationships name. ``ends``
    is what relationship records of the same batch see.
    """

    def __init__(self, context: Context, stored: Sequence[Entity], other_ends: Iterable[End] = ()) -> None:
        self._context = context
        self._now = context.now()
        self._by_id: dict[UUID, Entity] = {entity.id: entity for entity in stored}
        named = (End(entity.id, entity.key, entity.is_active) for entity in stored)
        self.ends = Ends(chain(named, other_ends))
        self._created: dict[UUID, None] = {}
        self._updated: set[UUID] = set()
        self.changes: list[Change] = []

    @property
    def created(self) -> list[Entity]:
        """The new entities, ordered by key and id, the order in which every load takes unique values."""
        return sorted((self._by_id[id] for id in self._created), key=lambda entity: (entity.key or "", entity.id))

    @property
    def updated(self) -> list[Entity]:
        """The entities that were stored and have changed, ordered by id, each at a later version."""
        return [self._by_id[id] for id in sorted(self._updated)]

    def apply(self, number: int, record: EntityRecord) -> tuple[Outcome, Entity]:
        """Take in the record of line ``number``: what became of it, and the entity as it is then.

        Raises RecordRefused, PermissionDenied or InvalidInput when it must be refused.
        """
        current = self._match(record)
        if current is None:
            return self._create(number, record)
        if not record.is_active and current.is_active:
            raise RecordRefused("active", f"entity {current.id} is active here, and a load deletes nothing; delete it")
        if same_values(current, record, ENTITY_FIELDS) and record.is_active == current.is_active:
            return Outcome.UNCHANGED, current
        if not current.is_active:
            raise RecordRefused("deleted", f"entity {current.id} was deleted by {current.deleted_by}; restore it first")
        return self._update(number, record, current)

    def _match(self, record: EntityRecord) -> Entity | None:
        holder = None if record.key is None else self.ends.holder(record.key)
        if record.id is not None:
            if record.is_active and holder is not None and holder != record.id:
                raise RecordRefused(
                    "key_taken", f"the key {record.key} is held by entity {holder}; leave out the id to update that one"
                )
            return self._by_id.get(record.id)
        if not record.is_active and record.key is not None:
            holder = self.ends.deleted(record.key) or holder
        return None if holder is None else self._by_id[holder]

    def _create(self, number: int, record: EntityRecord) -> tuple[Outcome, Entity]:
        require(self._context.actor, Action.CREATE)
        # A record with an id of its own is another entity, which has taken the key since.
        names_no_other = record.is_active and record.id is None
        gone = self.ends.deleted(record.key) if names_no_other and record.key is not None else None
        if gone is not None:
            deleter = self._by_id[gone].deleted_by
            raise RecordRefused("deleted", f"entity {gone} with this key was deleted by {deleter}; restore it first")
        now = self._now
        entity = Entity(
            id=EntityId(record.id or self._context.new_id()),
            type=record.type,
            name=record.name,
            aliases=record.aliases,
            key=record.key,
            confidence=record.confidence,
            source=record.source,
            source_type=record.source_type,
            metadata=record.metadata,
            created_by=self._context.actor,
            created_at=now,
            updated_at=now,
            deleted_at=None if record.is_active else now,
            deleted_by=None if record.is_active else self._context.actor,
        )
        self._created[entity.id] = None
        self.ends.add(number, End(entity.id, entity.key, entity.is_active))
        self._keep(entity, ChangeAction.CREATED)
        return Outcome.CREATED, entity

    def _update(self, number: int, record: EntityRecord, current: Entity) -> tuple[Outcome, Entity]:
        require(self._context.actor, Action.CHANGE, current.created_by)
        values = {name: getattr(record, name) for name in ENTITY_FIELDS}
        entity = attrs.evolve(current, **values, version=current.version + 1, updated_at=self._now)
        if current.id not in self._created:
            self._updated.add(current.id)
        if entity.key != current.key:
            self.ends.move(number, entity.id, current.key, entity.key)
        self._keep(entity, ChangeAction.UPDATED)
        return Outcome.UPDATED, entity

    def _keep(self, entity: Entity, action: ChangeAction) -> None:
        self._by_id[entity.id] = entity
        self.changes.append(Change(entity.updated_at, self._context.actor, action, entity))


class RelationshipPlan:
    """The effect of relationship records, one after the other, on the relationships that they name."""

    def __init__(self, context: Context, stored: Iterable[Relationship]) -> None:
        self._context = context
        self._now = context.now()
        self._by_id: dict[UUID, Relationship] = {}
        self._active: dict[Triple, UUID] = {}
        self._deleted: dict[Triple, UUID] = {}
        for relationship in stored:
            self._note(relationship)
        self._created: dict[UUID, None] = {}
        self._updated: set[UUID] = set()
        self.changes: list[Change] = []

    @property
    def created(self) -> list[Relationship]:
        """The new relationships, ordered by ends and type, the order in which every load takes unique values."""
        return sorted((self._by_id[id] for id in self._created), key=lambda created: triple_order(created.triple))

    @property
    def updated(self) -> list[Relationship]:
        """The relationships that were stored and have changed, ordered by id, each at a later version."""
        return [self._by_id[id] for id in sorted(self._updated)]

    def apply(self, record: RelationshipRecord, source: End, target: End) -> tuple[Outcome, Relationship]:
        """Take in a record whose ends were found: what became of it, and the relationship as it is then.

        Raises RecordRefused, PermissionDenied or InvalidInput when it must be refused.
        """
        triple = (source.id, record.relationship_type, target.id)
        current = self._match(record, triple)
        if current is None:
            return self._create(record, source, target)
        if not record.is_active and current.is_active:
            raise RecordRefused(
                "active", f"relationship {current.id} is active here, and a load deletes nothing; delete it"
            )
        if same_values(current, record, RELATIONSHIP_FIELDS) and record.is_active == current.is_active:
            return Outcome.UNCHANGED, current
        if not current.is_active:
            raise RecordRefused(
                "deleted", f"relationship {current.id} was deleted by {current.deleted_by}; restore it first"
            )
        return self._update(record, current)

    def _match(self, record: RelationshipRecord, triple: Triple) -> Relationship | None:
        holder = self._active.get(triple)
        if record.id is not None:
            if record.is_active and holder is not None and holder != record.id:
                raise RecordRefused(
                    "triple_taken", f"relationship {holder} joins these already; leave out the id to update that one"
                )
            current = self._by_id.get(record.id)
            if current is not None and current.triple != triple:
                raise RecordRefused(
                    "ends_changed", f"relationship {current.id} has other ends or another type, which can't change"
                )
            return current
        if not record.is_active and triple in self._deleted:
            return self._by_id[self._deleted[triple]]
        return None if holder is None else self._by_id[holder]

    def _create(self, record: RelationshipRecord, source: End, target: End) -> tuple[Outcome, Relationship]:
        require(self._context.actor, Action.CREATE)
        triple = (source.id, record.relationship_type, target.id)
        if source.id == target.id:
            raise InvalidInput(
                [Fault("/target_entity_id", "self_relationship", "a relationship joins two different entities")]
            )
        if record.is_active:
            if deleted := [end for end in (source, target) if not end.is_active]:
                raise RecordRefused("ends_deleted", f"its end, entity {deleted[0].id}, is deleted; restore that first")
            if record.id is None and triple in self._deleted:
                gone = self._by_id[self._deleted[triple]]
                raise RecordRefused(
                    "deleted",
                    f"relationship {gone.id} between these was deleted by {gone.deleted_by}; restore it first",
                )
        elif record.deleted_with not in (None, source.id, target.id):
            raise RecordRefused("deleted_with", "deleted_with names one of the relationship's two ends")
        now = self._now
        relationship = Relationship(
            id=RelationshipId(record.id or self._context.new_id()),
            source_entity_id=source.id,
            relationship_type=record.relationship_type,
            target_entity_id=target.id,
            confidence=record.confidence,
            source=record.source,
            source_type=record.source_type,
            metadata=record.metadata,
            created_by=self._context.actor,
            created_at=now,
            updated_at=now,
            deleted_at=None if record.is_active else now,
            deleted_by=None if record.is_active else self._context.actor,
            deleted_with=None if record.deleted_with is None else EntityId(record.deleted_with),
        )
        self._created[relationship.id] = None
        self._note(relationship)
        self._keep(relationship, ChangeAction.CREATED)
        return Outcome.CREATED, relationship

    def _update(self, record: RelationshipRecord, current: Relationship) -> tuple[Outcome, Relationship]:
        require(self._context.actor, Action.CHANGE, current.created_by)
        values = {name: getattr(record, name) for name in RELATIONSHIP_FIELDS}
        if current.id not in self._created:
            self._updated.add(current.id)
        changed = attrs.evolve(current, **values, version=current.version + 1, updated_at=self._now)
        self._keep(changed, ChangeAction.UPDATED)
        return Outcome.UPDATED, changed

    def _note(self, relationship: Relationship) -> None:
        self._by_id[relationship.id] = relationship
        triple, id = relationship.triple, relationship.id
        if relationship.is_active:
            self._active[triple] = id
        elif triple not in self._deleted or id.int < self._deleted[triple].int:
            self._deleted[triple] = id  # of several, the lowest, so that it does not depend on their order

    def _keep(self, relationship: Relationship, action: ChangeAction) -> None:
        self._by_id[relationship.id] = relationship
        self.changes.append(Change(relationship.updated_at, self._context.actor, action, relationship))
