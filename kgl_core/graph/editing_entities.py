"""Entities: create, read, list, change, delete and restore them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Unpack
from uuid import UUID

import attrs

from kgl_core.graph.changes import Change, ChangeAction
from kgl_core.graph.entities import (
    NAMED_MAX,
    SORT,
    Entity,
    EntityDraft,
    EntityFields,
    EntityFilter,
    EntityFilterFields,
    EntitySelection,
    EntitySort,
    Json,
    sort_name,
)
from kgl_core.graph.merge_patch import merge_patch
from kgl_core.graph.naming_holders import holder_of_key
from kgl_core.graph.read_only_fields import Record, read_whole, require_kept, take_kept
from kgl_core.graph.relationships import Relationship
from kgl_core.kernel.checked_records import build, rebuild, rules_of, same_values
from kgl_core.kernel.errors import Deleted, Fault, InvalidInput, NotFound, StaleVersion, TooManyRelationships
from kgl_core.kernel.ids import EntityId, RelationshipId, require_id
from kgl_core.kernel.naming_holders import naming_holder
from kgl_core.kernel.pages import LIMIT_DEFAULT, Page, check_limit, read_page
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.text import identity_form, name_form
from kgl_core.kernel.units_of_work import Context, UnitOfWork, transaction

_FIELDS: Final = tuple(rules_of(EntityDraft))
TAKEN_ALONG_MAX: Final = 5_000
"""How many relationships a deletion takes along, and restoring brings back.

On SQLite, where all other writers wait meanwhile, that takes about a second.
"""

Precondition = Callable[[Record], object]
"""Looks at a record before it is changed, while nobody else can; what it raises ends the call without a change."""


@attrs.frozen
class Restoration:
    """A restored entity, the relationships that came back with it, and those whose other end is still deleted.

    ``has_more_deleted`` says that these are not all: past TAKEN_ALONG_MAX, relationships are restored one by one.
    """

    entity: Entity
    relationships: tuple[RelationshipId, ...]
    left_deleted: tuple[RelationshipId, ...]
    has_more_deleted: bool = False


class Entities:
    """The use cases of entities, on behalf of one actor.

    Every method raises PermissionDenied when the actor may not, InvalidInput for malformed arguments, and StoreError
    when the store is in trouble. An id is a UUID or its canonical text. A ``precondition`` is called once it is known
    that the actor may make the change.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    @transaction
    def create(self, /, **fields: Unpack[EntityFields]) -> Entity:
        """A new entity of these fields; raises InvalidInput with every fault, AlreadyExists when the key is taken."""
        require(self._context.actor, Action.CREATE)
        draft = build(EntityDraft, fields)
        now = self._context.now()
        entity = Entity(
            id=EntityId(self._context.new_id()),
            created_by=self._context.actor,
            created_at=now,
            updated_at=now,
            **{name: getattr(draft, name) for name in _FIELDS},
        )
        with naming_holder(self._context, lambda uow: holder_of_key(uow, entity.key)):
            self._context.store.create(entity, Change(now, self._context.actor, ChangeAction.CREATED, entity))
        return entity

    def get(self, id: UUID | str, *, include_deleted: bool = False) -> Entity:
        """The entity with this id. Raises NotFound, and Deleted unless the deleted are asked for."""
        require(self._context.actor, Action.READ)
        wanted = require_id(id)
        with self._context.store.read() as uow:
            entity = uow.entities.get(wanted)
        return _present(entity, wanted, include_deleted)

    def get_by_key(self, key: str, *, include_deleted: bool = False) -> Entity:
        """The active entity with this key; with ``include_deleted``, or else the one that was deleted last.

        Raises NotFound, and Deleted when only deleted ones have the key and they are not asked for.
        """
        require(self._context.actor, Action.READ)
        selection = build(EntitySelection, {"keys": [key]})
        with self._context.store.read() as uow:
            active = uow.entities.get_by_key(selection.keys[0])
        if active is not None:
            return active
        with self._context.store.read() as uow:
            deleted = [entity for entity in uow.entities.find((), selection.keys) if entity.deleted_at is not None]
        if not deleted:
            raise NotFound("entity with the key", key)
        last = max(deleted, key=lambda entity: (entity.deleted_at, entity.id))
        if not include_deleted:
            raise Deleted("entity with the key", f"{key}, which {last.id} had")
        return last

    def get_many(
        self,
        *,
        ids: Collection[UUID | str] = (),
        keys: Collection[str] = (),
        names: Collection[str] = (),
        is_active: bool | None = True,
    ) -> Sequence[Entity]:
        """The entities with any of these ids, keys or names, up to 1,000 in all, ordered by id.

        A name finds the entities whose own name is the same but for case and the accents of Latin letters.
        ``is_active`` False finds the deleted ones, None both. What does not exist is absent. Raises InvalidInput with
        every fault, and when the names are so common that more than 5,000 entities have them.
        """
        require(self._context.actor, Action.READ)
        given = {"ids": tuple(ids), "keys": tuple(keys), "names": tuple(names), "is_active": is_active}
        selection = build(EntitySelection, given)
        with self._context.store.snapshot() as uow:
            found = {entity.id: entity for entity in uow.entities.find(selection.ids, selection.keys)}
            found |= {entity.id: entity for entity in _named(uow, selection.names)}
        wanted = (entity for entity in found.values() if is_active in (None, entity.is_active))
        return sorted(wanted, key=lambda entity: entity.id)

    def list(
        self,
        *,
        sort: EntitySort = "created_at",
        limit: int = LIMIT_DEFAULT,
        cursor: str | None = None,
        **filter: Unpack[EntityFilterFields],
    ) -> Page[Entity]:
        """A page of the entities that the filter admits; `EntityFilter` says what can be filtered by.

        ``limit`` is 1..200. Raises InvalidCursor when ``cursor`` is from another filter or sort; HistoryLost when it is
        from another store, or was handed out before a backup was restored.
        """
        require(self._context.actor, Action.READ)
        wanted = build(EntityFilter, filter)
        with self._context.store.read() as uow:
            return read_page(uow.entities.list, uow.entities.get, wanted, SORT, sort, check_limit(limit), cursor)

    def count(self, **filter: Unpack[EntityFilterFields]) -> int:
        """How many entities the filter admits."""
        require(self._context.actor, Action.READ)
        wanted = build(EntityFilter, filter)
        with self._context.store.read() as uow:
            return uow.entities.count(wanted)

    def update(self, id: UUID | str, *, expected_version: int | None = None, **changes: Unpack[EntityFields]) -> Entity:
        """The entity with the given fields changed and the others as they were; an update that changes nothing is none.

        Raises NotFound, Deleted, InvalidInput with every fault, AlreadyExists when the key is taken, and StaleVersion
        when ``expected_version`` is given and not the present one.
        """
        return self._update(
            id, lambda stored: rebuild(EntityDraft, {**stored, **changes}, stored), {}, expected_version
        )

    def replace(
        self,
        id: UUID | str,
        record: EntityDraft | Mapping[str, Json],
        *,
        expected_version: int | None = None,
        precondition: Precondition | None = None,
    ) -> Entity:
        """The entity with all its fields as ``record`` has them: a draft, or a mapping as an entity is shown in JSON.

        Such a mapping may have what kgl sets as well, unchanged. Raises as `update` does.
        """
        draft, kept = read_whole(EntityDraft, record)
        return self._update(id, lambda _: draft, kept, expected_version, precondition)

    def patch(
        self,
        id: UUID | str,
        patch: Mapping[str, Json],
        *,
        expected_version: int | None = None,
        precondition: Precondition | None = None,
    ) -> Entity:
        """The entity as a JSON Merge Patch (RFC 7396) changes it, metadata name by name. Raises as `update` does.

        The patch may have what kgl sets as well, unchanged.
        """
        own, kept = take_kept(EntityDraft, patch)

        def change(stored: dict[str, Any]) -> EntityDraft:
            return rebuild(EntityDraft, merge_patch(stored, own), stored)

        return self._update(id, change, kept, expected_version, precondition)

    @transaction
    def _update(
        self,
        id: UUID | str,
        change: Callable[[dict[str, Any]], EntityDraft],
        kept: Mapping[str, Any],
        expected_version: int | None,
        precondition: Precondition | None = None,
    ) -> Entity:
        require(self._context.actor, Action.CHANGE, self._context.actor)  # whoever may change nothing learns nothing
        wanted = require_id(id)
        naming = naming_holder(self._context, lambda uow: holder_of_key(uow, changed.key))
        with naming, self._context.store.begin() as uow:
            current = self._for_change(uow, wanted, expected_version, precondition)
            require_kept(current, kept)
            draft = change({name: getattr(current, name) for name in _FIELDS})
            if same_values(draft, current, _FIELDS):
                return current
            changed = attrs.evolve(current, **{name: getattr(draft, name) for name in _FIELDS})
            return self._replace(uow, changed, ChangeAction.UPDATED, self._context.now())

    @transaction
    def delete(
        self, id: UUID | str, *, expected_version: int | None = None, precondition: Precondition | None = None
    ) -> Entity:
        """The entity, deleted, and with it all its active relationships; `restore` brings them back.

        Raises NotFound, Deleted when it was deleted before, StaleVersion as `update` does, and TooManyRelationships
        when there are more than TAKEN_ALONG_MAX.
        """
        require(self._context.actor, Action.CHANGE, self._context.actor)  # whoever may change nothing learns nothing
        wanted = require_id(id)
        with self._context.store.begin() as uow:
            current = self._for_change(uow, wanted, expected_version, precondition)
            now, actor = self._context.now(), self._context.actor
            if uow.relationships.count_touching(wanted, TAKEN_ALONG_MAX + 1) > TAKEN_ALONG_MAX:
                raise TooManyRelationships(wanted, TAKEN_ALONG_MAX)
            taken_along = [
                attrs.evolve(
                    relationship,
                    version=relationship.version + 1,
                    updated_at=now,
                    deleted_at=now,
                    deleted_by=actor,
                    deleted_with=current.id,
                )
                for relationship in uow.relationships.touching(wanted, TAKEN_ALONG_MAX)
            ]
            self._mark_relationships(uow, taken_along, ChangeAction.DELETED)
            deleted = attrs.evolve(current, deleted_at=now, deleted_by=actor)
            return self._replace(uow, deleted, ChangeAction.DELETED, now)

    @transaction
    def restore(
        self, id: UUID | str, *, expected_version: int | None = None, precondition: Precondition | None = None
    ) -> Restoration:
        """The entity, active again, and with it the relationships that deletions of entities took along.

        A relationship stays deleted while its other end is; restoring that end brings it back. An entity that is
        active already is left as it is. No more than TAKEN_ALONG_MAX relationships are looked at.

        Raises NotFound, AlreadyExists when its key has been taken meanwhile, and StaleVersion as `update` does.
        """
        require(self._context.actor, Action.RESTORE)
        wanted = require_id(id)
        naming = naming_holder(self._context, lambda uow: holder_of_key(uow, current.key))
        with naming, self._context.store.begin() as uow:
            current = _locked(uow, wanted)
            check_state("entity", current, expected_version, precondition)
            if current.is_active:
                return Restoration(current, (), ())
            now = self._context.now()
            active = attrs.evolve(current, deleted_at=None, deleted_by=None)
            restored = self._replace(uow, active, ChangeAction.RESTORED, now, commit=False)
            restoration = self._restore_relationships(uow, restored, now)
            uow.commit()
            return restoration

    def _restore_relationships(self, uow: UnitOfWork, entity: Entity, now: datetime) -> Restoration:
        back: dict[tuple[UUID, str, UUID], RelationshipId] = {}
        left: list[RelationshipId] = []
        found = uow.relationships.restorable_with(entity.id, None, TAKEN_ALONG_MAX + 1)
        batch = found[:TAKEN_ALONG_MAX]
        others = {end for r in batch for end in (r.source_entity_id, r.target_entity_id)} - {entity.id}
        active = {other.id for other in uow.entities.ends(others) if other.is_active}
        active.add(entity.id)
        ready = []
        for relationship in batch:
            if relationship.triple not in back and active.issuperset(relationship.triple[::2]):
                back[relationship.triple] = relationship.id
                ready.append(restored_relationship(relationship, now))
            else:
                left.append(relationship.id)
        self._mark_relationships(uow, ready, ChangeAction.RESTORED)
        return Restoration(entity, tuple(back.values()), tuple(left), has_more_deleted=len(found) > len(batch))

    def _for_change(
        self, uow: UnitOfWork, id: UUID, expected_version: int | None, precondition: Precondition | None
    ) -> Entity:
        current = _locked(uow, id)
        require(self._context.actor, Action.CHANGE, current.created_by)
        if not current.is_active:
            raise Deleted("entity", id, to_change=True)
        check_state("entity", current, expected_version, precondition)
        return current

    def _replace(
        self, uow: UnitOfWork, changed: Entity, action: ChangeAction, now: datetime, *, commit: bool = True
    ) -> Entity:
        kept = attrs.evolve(changed, version=changed.version + 1, updated_at=now)
        uow.entities.replace([kept])
        uow.changes.append([Change(now, self._context.actor, action, kept)])
        if commit:
            uow.commit()
        return kept

    def _mark_relationships(self, uow: UnitOfWork, relationships: Sequence[Relationship], action: ChangeAction) -> None:
        if relationships:
            uow.relationships.mark(relationships)
            uow.changes.append([Change(r.updated_at, self._context.actor, action, r) for r in relationships])


def restored_relationship(relationship: Relationship, now: datetime) -> Relationship:
    """The next version of a deleted relationship, active again."""
    return attrs.evolve(
        relationship,
        version=relationship.version + 1,
        updated_at=now,
        deleted_at=None,
        deleted_by=None,
        deleted_with=None,
    )


def check_state(kind: str, record: Record, expected: int | None, precondition: Precondition | None) -> None:
    """Raise StaleVersion unless ``expected`` is None or the record's version, and what the precondition raises.

    Raises InvalidInput when ``expected`` is no version.
    """
    if expected is not None:
        if type(expected) is not int or expected < 1:
            raise InvalidInput(
                [Fault("/expected_version", "out_of_range", "give the version that you read, 1 or more")]
            )
        if record.version != expected:
            raise StaleVersion(kind, record.id, expected, record.version)
    if precondition is not None:
        precondition(record)


def _locked(uow: UnitOfWork, id: UUID) -> Entity:
    found = uow.entities.find([id], lock="update")
    if not found:
        raise NotFound("entity", id)
    return found[0]


def _named(uow: UnitOfWork, names: Sequence[str]) -> Sequence[Entity]:
    """The entities, active and deleted, whose names are any of these, however they are spelled (`identity_form`)."""
    if not names:
        return ()
    wanted = {identity_form(name) for name in names}
    candidates = uow.entities.find_by_sort_name({sort_name(name) for name in names}, NAMED_MAX + 1)
    if len(candidates) > NAMED_MAX:
        advice = f"more than {NAMED_MAX} entities have these names; ask for fewer names at a time"
        raise InvalidInput([Fault("/names", "too_many_found", advice)])
    return [entity for entity in candidates if identity_form(name_form(entity.name)) in wanted]


def _present(entity: Entity | None, id: UUID, include_deleted: bool) -> Entity:
    if entity is None:
        raise NotFound("entity", id)
    if not entity.is_active and not include_deleted:
        raise Deleted("entity", id)
    return entity
