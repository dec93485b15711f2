"""What a batch of records does to the graph: pure decisions, over what the store holds of them.

A load creates and updates. It neither deletes nor restores: what is deleted here stays deleted, what is active stays
active, and a record that says otherwise is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final
from uuid import UUID

import attrs

from kgl_core.graph.changes import Change, ChangeAction
from kgl_core.graph.entities import End, Entity, EntityDraft
from kgl_core.graph.relationships import Relationship, Triple, triple_order
from kgl_core.kernel.checked_records import rules_of, same_values
from kgl_core.kernel.errors import Fault, InvalidInput, KglError
from kgl_core.kernel.ids import EntityId, RelationshipId
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context
from kgl_core.storage.loading.ends import Ends
from kgl_core.storage.loading.keys import granted
from kgl_core.storage.loading.outcomes import (
    LEAVING,
    Existing,
    KeyTaken,
    Outcome,
    RecordRefused,
    already_exists,
    settle,
)
from kgl_core.storage.record_lines import EntityRecord, RelationshipRecord

ENTITY_FIELDS: Final = tuple(rules_of(EntityDraft))
RELATIONSHIP_FIELDS: Final = ("confidence", "source", "source_type", "metadata")


class EntityPlan:
    """The effect of entity records, one after the other, on the entities that they name.

    ``stored`` is every entity under an id or key that they name, ``other_ends`` what only relationships name. ``ends``
    is what relationship records of the same batch see.
    """

    def __init__(
        self,
        context: Context,
        stored: Sequence[Entity],
        other_ends: Iterable[End] = (),
        existing: Existing = Existing.MERGE,
    ) -> None:
        self._context, self._existing = context, existing
        self._now = context.now()
        self._by_id: dict[UUID, Entity] = {entity.id: entity for entity in stored}
        named = (End(entity.id, entity.key, entity.is_active) for entity in stored)
        self.ends = Ends(chain(named, other_ends))
        self._created: dict[UUID, None] = {}
        self._updated: set[UUID] = set()
        self._rekeyed: set[UUID] = set()
        self.changes: list[Change] = []

    @property
    def created(self) -> list[Entity]:
        """The new entities, ordered by key and id, the order in which every load takes unique values."""
        return sorted((self._by_id[id] for id in self._created), key=lambda entity: (entity.key or "", entity.id))

    @property
    def updated(self) -> list[Entity]:
        """The entities that were stored and have changed, ordered by id, each at a later version."""
        return [self._by_id[id] for id in sorted(self._updated)]

    @property
    def rekeyed(self) -> list[UUID]:
        """The ids of those of them that have given up a key, ordered."""
        return sorted(self._rekeyed)

    def key_of(self, id: UUID | None) -> str | None:
        """The present key of an entity, if there is one."""
        entity = None if id is None else self._by_id.get(id)
        return None if entity is None else entity.key

    def hand_over(self, records: Iterable[tuple[int, EntityRecord]]) -> set[int]:
        """Free the keys that waiting records hand to each other; the numbers of those that can have theirs now.

        Apply these next, and before all others.
        """
        first: dict[UUID, tuple[int, EntityRecord]] = {}
        for number, record in records:
            if record.id is not None and record.key is not None and self.key_of(record.id) != record.key:
                first.setdefault(record.id, (number, record))
        wanted = {id: record.key for id, (_, record) in first.items() if record.key is not None}
        givers = [id for id, (_, record) in first.items() if self._can_change(id, record)]
        ready = granted(wanted, self.ends.holder, givers)
        for id in ready:
            key = self.key_of(id)
            if key is not None and self.ends.holder(key) == id:
                self.ends.free(0, key)
        return {first[id][0] for id in ready}

    def apply(self, number: int, record: EntityRecord) -> tuple[Outcome, Entity]:
        """Take in the record of line ``number``: what became of it, and the entity as it is then.

        Raises KeyTaken, RecordRefused, PermissionDenied or InvalidInput when it must be refused.
        """
        current = self._match(record)
        if current is None:
            return self._create(number, record)
        if self._existing is Existing.KEEP:
            return Outcome.KEPT, current
        if self._existing is Existing.REFUSE:
            raise already_exists("entity", current)
        if not record.is_active and current.is_active:
            raise RecordRefused("active", f"entity {current.id} is active here, and a load deletes nothing; delete it")
        changes = self._changes(record, current)
        if not changes and record.is_active == current.is_active:
            return Outcome.UNCHANGED, current
        if not current.is_active:
            raise RecordRefused("deleted", f"entity {current.id} was deleted by {current.deleted_by}; restore it first")
        return self._update(number, current, changes)

    def _match(self, record: EntityRecord) -> Entity | None:
        holder = None if record.key is None else self.ends.holder(record.key)
        if record.id is not None:
            current = self._by_id.get(record.id)
            if current is not None and self._existing in LEAVING:
                return current
            if record.is_active and record.key is not None and holder is not None and holder != record.id:
                raise KeyTaken(record.key, holder)
            return current
        if not record.is_active and record.key is not None:
            holder = self.ends.deleted(record.key) or holder
        return None if holder is None else self._by_id[holder]

    def _changes(self, record: EntityRecord, current: Entity) -> Mapping[str, Any]:
        """The fields that the record changes in an entity, with their new values."""
        is_whole = self._existing is Existing.REPLACE
        names = ENTITY_FIELDS if is_whole else [name for name in ENTITY_FIELDS if name in record.given]
        if same_values(current, record, names):
            return {}
        if is_whole:
            _require_named(record)
        values = {name: getattr(record, name) for name in names}
        return settle(values, record, current, is_whole=is_whole)

    def _can_change(self, id: UUID, record: EntityRecord) -> bool:
        entity = self._by_id.get(id)
        if entity is None or not (entity.is_active and record.is_active):
            return False
        try:
            require(self._context.actor, Action.CHANGE, entity.created_by)
            self._changes(record, entity)
        except KglError:
            return False
        return True

    def _create(self, number: int, record: EntityRecord) -> tuple[Outcome, Entity]:
        require(self._context.actor, Action.CREATE)
        # A record with an id of its own is another entity, which has taken the key since.
        names_no_other = record.is_active and record.id is None
        gone = self.ends.deleted(record.key) if names_no_other and record.key is not None else None
        if gone is not None:
            deleter = self._by_id[gone].deleted_by
            raise RecordRefused("deleted", f"entity {gone} with this key was deleted by {deleter}; restore it first")
        type, name = _require_named(record)
        now = self._now
        entity = Entity(
            id=EntityId(record.id or self._context.new_id()),
            type=type,
            name=name,
            aliases=record.aliases or (),
            key=record.key,
            confidence=record.confidence,
            source=record.source,
            source_type=record.source_type,
            metadata=record.metadata or {},
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

    def _update(self, number: int, current: Entity, changes: Mapping[str, Any]) -> tuple[Outcome, Entity]:
        require(self._context.actor, Action.CHANGE, current.created_by)
        entity = attrs.evolve(current, **changes, version=current.version + 1, updated_at=self._now)
        is_stored = current.id not in self._created
        if is_stored:
            self._updated.add(current.id)
        if entity.key != current.key:
            if is_stored and current.key is not None:
                self._rekeyed.add(current.id)
            self.ends.move(number, entity.id, current.key, entity.key)
        self._keep(entity, ChangeAction.UPDATED)
        return Outcome.UPDATED, entity

    def _keep(self, entity: Entity, action: ChangeAction) -> None:
        self._by_id[entity.id] = entity
        self.changes.append(Change(entity.updated_at, self._context.actor, action, entity))


class RelationshipPlan:
    """The effect of relationship records, one after the other, on the relationships that they name."""

    def __init__(self, context: Context, stored: Iterable[Relationship], existing: Existing = Existing.MERGE) -> None:
        self._context, self._existing = context, existing
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

    def apply(self, record: RelationshipRecord, source: End | None, target: End | None) -> tuple[Outcome, Relationship]:
        """Take in a record whose ends were found: what became of it, and the relationship as it is then.

        An end is None where the record does not name it. Raises RecordRefused, PermissionDenied or InvalidInput when
        it must be refused.
        """
        current = self._match(record, source, target)
        if current is None:
            return self._create(record, source, target)
        if self._existing is Existing.KEEP:
            return Outcome.KEPT, current
        if self._existing is Existing.REFUSE:
            raise already_exists("relationship", current)
        if not record.is_active and current.is_active:
            raise RecordRefused(
                "active", f"relationship {current.id} is active here, and a load deletes nothing; delete it"
            )
        changes = self._changes(record, current)
        if not changes and record.is_active == current.is_active:
            return Outcome.UNCHANGED, current
        if not current.is_active:
            raise RecordRefused(
                "deleted", f"relationship {current.id} was deleted by {current.deleted_by}; restore it first"
            )
        return self._update(current, changes)

    def _match(self, record: RelationshipRecord, source: End | None, target: End | None) -> Relationship | None:
        triple = _triple(record, source, target)
        holder = None if triple is None else self._active.get(triple)
        if record.id is not None:
            current = self._by_id.get(record.id)
            if current is not None and self._existing in LEAVING:
                return current
            if record.is_active and holder is not None and holder != record.id:
                raise RecordRefused(
                    "triple_taken", f"relationship {holder} joins these already; leave out the id to update that one"
                )
            if current is not None and not _agrees(record, source, target, current):
                raise RecordRefused(
                    "ends_changed", f"relationship {current.id} has other ends or another type, which can't change"
                )
            return current
        if not record.is_active and triple in self._deleted:
            return self._by_id[self._deleted[triple]]
        return None if holder is None else self._by_id[holder]

    def _changes(self, record: RelationshipRecord, current: Relationship) -> Mapping[str, Any]:
        """The fields that the record changes in a relationship, with their new values."""
        is_whole = self._existing is Existing.REPLACE
        names = RELATIONSHIP_FIELDS if is_whole else [name for name in RELATIONSHIP_FIELDS if name in record.given]
        if same_values(current, record, names):
            return {}
        return settle({name: getattr(record, name) for name in names}, record, current, is_whole=is_whole)

    def _create(
        self, record: RelationshipRecord, source: End | None, target: End | None
    ) -> tuple[Outcome, Relationship]:
        require(self._context.actor, Action.CREATE)
        if source is None or target is None or record.relationship_type is None:
            raise InvalidInput(record.missing())
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
            metadata=record.metadata or {},
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

    def _update(self, current: Relationship, changes: Mapping[str, Any]) -> tuple[Outcome, Relationship]:
        require(self._context.actor, Action.CHANGE, current.created_by)
        if current.id not in self._created:
            self._updated.add(current.id)
        changed = attrs.evolve(current, **changes, version=current.version + 1, updated_at=self._now)
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


def _require_named(record: EntityRecord) -> tuple[str, str]:
    """The type and the name of an entity, of which neither can be empty. Raises InvalidInput."""
    if record.type is None or record.name is None:
        missing = [name for name in ("type", "name") if getattr(record, name) is None]
        raise InvalidInput([Fault(f"/{name}", "required", f"give a {name}") for name in missing])
    return record.type, record.name


def _triple(record: RelationshipRecord, source: End | None, target: End | None) -> Triple | None:
    if source is None or target is None or record.relationship_type is None:
        return None
    return (source.id, record.relationship_type, target.id)


def _agrees(record: RelationshipRecord, source: End | None, target: End | None, current: Relationship) -> bool:
    """Whether what the record names of ends and type is the relationship's own."""
    named = (source and source.id, record.relationship_type, target and target.id)
    return all(mine is None or mine == theirs for mine, theirs in zip(named, current.triple, strict=True))
