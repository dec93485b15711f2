"""Editing entities: create, get, list, update, delete and restore them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, Unpack
from uuid import UUID

from kgl_core.graph.changes import Change, ChangeAction
from kgl_core.graph.deleting_and_restoring import Restoration, delete_relationships_of, restore_relationships_of
from kgl_core.graph.editing_records import Precondition, Records, next_version
from kgl_core.graph.entities import (
    NAMED_MAX,
    SORT,
    Entity,
    EntityDraft,
    EntityFields,
    EntityFilter,
    EntityFilterFields,
    EntityRepository,
    EntitySelection,
    EntitySort,
    sort_name,
)
from kgl_core.graph.holders import holder_of_key
from kgl_core.kernel.checked_records import build, rebuild, rules_of
from kgl_core.kernel.errors import Deleted, Fault, InvalidInput, NotFound
from kgl_core.kernel.ids import EntityId, require_id
from kgl_core.kernel.pages import LIMIT_DEFAULT, Page, check_limit, read_page
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.taken_values import Holder, naming_holder
from kgl_core.kernel.text import identity_form, name_form
from kgl_core.kernel.units_of_work import UnitOfWork, transaction

_FIELDS: Final = tuple(rules_of(EntityDraft))


class Entities(Records[Entity, EntityDraft]):
    """The use cases of entities, on behalf of one actor.

    Every method raises PermissionDenied when the actor may not call it, InvalidInput for malformed arguments, and
    StoreError when the store is in trouble. An id is a UUID or its canonical text. A ``precondition`` is called once it
    is certain that the actor may make the change.
    """

    _kind, _draft, _fields = "entity", EntityDraft, _FIELDS

    def _repository(self, uow: UnitOfWork) -> EntityRepository:
        return uow.entities

    def _holder(self, uow: UnitOfWork, record: Entity) -> Holder:
        return holder_of_key(uow, record.key)

    @transaction
    def create(self, /, **fields: Unpack[EntityFields]) -> Entity:
        """Create an entity. Raises InvalidInput with every fault, and AlreadyExists when the key is taken."""
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
        with naming_holder(self._context, lambda uow: self._holder(uow, entity)):
            self._context.store.create(entity, Change(now, self._context.actor, ChangeAction.CREATED, entity))
        return entity

    def get_by_key(self, key: str, *, include_deleted: bool = False) -> Entity:
        """The active entity with this key; with ``include_deleted``, otherwise the one that was deleted last.

        Raises NotFound, and Deleted when only deleted entities have the key and ``include_deleted`` is not set.
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

        A name finds the entities whose own name is the same apart from case and the accents of Latin letters.
        ``is_active`` False finds the deleted ones, None both. What does not exist is left out. Raises InvalidInput with
        every fault, and when more than 5,000 entities have the names.
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
        """A page of the entities that match the filter; `EntityFilter` says what the filters are.

        ``limit`` is 1..200. Raises InvalidCursor when ``cursor`` is from another filter or sort; HistoryLost when it is
        from another store, or from before a backup was restored.
        """
        require(self._context.actor, Action.READ)
        wanted = build(EntityFilter, filter)
        with self._context.store.read() as uow:
            return read_page(uow.entities.list, uow.entities.get, wanted, SORT, sort, check_limit(limit), cursor)

    def count(self, **filter: Unpack[EntityFilterFields]) -> int:
        """How many entities match the filter."""
        require(self._context.actor, Action.READ)
        wanted = build(EntityFilter, filter)
        with self._context.store.read() as uow:
            return uow.entities.count(wanted)

    def update(self, id: UUID | str, *, expected_version: int | None = None, **changes: Unpack[EntityFields]) -> Entity:
        """Change the given fields of an entity and return it; an update that changes nothing makes no new version.

        Raises NotFound, Deleted, InvalidInput with every fault, AlreadyExists when the key is taken, and StaleVersion
        when ``expected_version`` is given and is not the present one.
        """
        return self._update(
            id, lambda stored: rebuild(EntityDraft, {**stored, **changes}, stored), {}, expected_version
        )

    @transaction
    def delete(
        self, id: UUID | str, *, expected_version: int | None = None, precondition: Precondition | None = None
    ) -> Entity:
        """Delete an entity together with all its active relationships; `restore` brings them back.

        Raises NotFound, Deleted when it is deleted already, StaleVersion as `update` does, and TooManyRelationships
        when there are more than TAKEN_ALONG_MAX.
        """
        self._require_may_change()
        wanted = require_id(id)
        with self._context.store.begin() as uow:
            current = self._lock_for_change(uow, wanted, expected_version, precondition)
            now, actor = self._context.now(), self._context.actor
            delete_relationships_of(uow, current, actor, now)
            deleted = next_version(current, now, deleted_at=now, deleted_by=actor)
            self._store(uow, deleted, ChangeAction.DELETED)
            uow.commit()
        return deleted

    @transaction
    def restore(
        self, id: UUID | str, *, expected_version: int | None = None, precondition: Precondition | None = None
    ) -> Restoration:
        """Restore an entity, with the relationships that were deleted together with it or with their other end.

        A relationship stays deleted while its other end is; restoring that end brings it back. An entity that is active
        already is left as it is. No more than TAKEN_ALONG_MAX relationships are looked at.

        Raises NotFound, AlreadyExists when the key has been taken meanwhile, and StaleVersion as `update` does.
        """
        require(self._context.actor, Action.RESTORE)
        wanted = require_id(id)
        naming = naming_holder(self._context, lambda uow: self._holder(uow, current))
        with naming, self._context.store.begin() as uow:
            current = self._lock(uow, wanted)
            self._check_state(current, expected_version, precondition)
            if current.is_active:
                return Restoration(current, (), ())
            now = self._context.now()
            restored = next_version(current, now, deleted_at=None, deleted_by=None)
            self._store(uow, restored, ChangeAction.RESTORED)
            restoration = restore_relationships_of(uow, restored, self._context.actor, now)
            uow.commit()
        return restoration


def _named(uow: UnitOfWork, names: Sequence[str]) -> Sequence[Entity]:
    """The entities, active and deleted, with any of these names in any spelling (`identity_form`)."""
    if not names:
        return ()
    wanted = {identity_form(name) for name in names}
    candidates = uow.entities.find_by_sort_name({sort_name(name) for name in names}, NAMED_MAX + 1)
    if len(candidates) > NAMED_MAX:
        advice = f"more than {NAMED_MAX} entities have these names; ask for fewer names at a time"
        raise InvalidInput([Fault("/names", "too_many_found", advice)])
    return [entity for entity in candidates if identity_form(name_form(entity.name)) in wanted]
