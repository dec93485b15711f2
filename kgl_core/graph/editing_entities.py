"""Editing entities: create, get, list, update, delete and restore them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Unpack
from uuid import UUID

from kgl_core.graph.deleting_and_restoring import Restoration, delete_relationships_of, restore_relationships_of
from kgl_core.graph.editing_records import Records
from kgl_core.graph.entities import (
    ENTITY,
    NAMED_MAX,
    Entity,
    EntityDraft,
    EntityFields,
    EntityFilter,
    EntityFilterFields,
    EntitySelection,
    EntitySort,
    sort_name,
)
from kgl_core.kernel.checked_records import build, listed
from kgl_core.kernel.errors import Deleted, Fault, InvalidInput, NotFound
from kgl_core.kernel.nouns.pages import LIMIT_DEFAULT, Page
from kgl_core.kernel.nouns.versions import Precondition, in_order
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.text import same_names
from kgl_core.kernel.units_of_work import UnitOfWork


class Entities(Records[Entity, EntityDraft, EntityFilter]):
    """The use cases of entities, on behalf of one actor; `Records` says what all have in common."""

    _noun = ENTITY

    def create(self, /, **fields: Unpack[EntityFields]) -> Entity:
        """Create an entity. Raises InvalidInput with every fault, and AlreadyExists when the key is taken.

        A retired entity with the key stays retired, and new evidence of it supports this one.
        """
        return self.create_from(fields)

    def get_by_key(self, key: str, *, include_deleted: bool = False) -> Entity:
        """The active entity with this key; with ``include_deleted``, otherwise the one that was deleted last.

        Raises NotFound, and Deleted when only deleted entities have the key and ``include_deleted`` is not set.
        """
        require(self._context.actor, Action.READ)
        selection = build(EntitySelection, {"keys": [key]})
        with self._context.store.read() as uow:
            active = uow.entities.get_by(selection.keys[0])
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
        given = {"ids": listed(ids), "keys": listed(keys), "names": listed(names), "is_active": is_active}
        selection = build(EntitySelection, given)
        with self._context.store.snapshot() as uow:
            found = {entity.id: entity for entity in uow.entities.find(selection.ids, selection.keys)}
            found |= {entity.id: entity for entity in _named(uow, selection.names)}
        return in_order(found.values(), is_active)

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
        return self._list(filter, sort, limit, cursor)

    def count(self, **filter: Unpack[EntityFilterFields]) -> int:
        """How many entities match the filter."""
        return self._count(filter)

    def update(self, id: UUID | str, *, expected_version: int | None = None, **changes: Unpack[EntityFields]) -> Entity:
        """Change the given fields of an entity and return it; an update that changes nothing makes no new version.

        Raises NotFound, Deleted, InvalidInput with every fault, AlreadyExists when the key is taken, and StaleVersion
        when ``expected_version`` is given and is not the present one.
        """
        return self._update(id, changes, expected_version)

    def restore(
        self, id: UUID | str, *, expected_version: int | None = None, precondition: Precondition | None = None
    ) -> Restoration:
        """Restore an entity, with the relationships that were deleted together with it or with their other end.

        A relationship stays deleted while its other end is; restoring that end brings it back. An entity that is active
        already is left as it is. No more than TAKEN_ALONG_MAX relationships are looked at.

        Raises NotFound, AlreadyExists when the key has been taken meanwhile, and StaleVersion as `update` does.
        """
        entity, restoration = self._restore(id, expected_version, precondition, self._bring_along)
        return restoration or Restoration(entity, (), ())

    def _reading(self, filter: EntityFilter) -> AbstractContextManager[UnitOfWork]:
        # How names are spelled is looked up first, and then who has them.
        return self._context.store.snapshot() if filter.name else super()._reading(filter)

    def _take_along(self, uow: UnitOfWork, record: Entity, now: datetime) -> None:
        delete_relationships_of(uow, record, self._context, now)

    def _bring_along(self, uow: UnitOfWork, entity: Entity, now: datetime) -> Restoration:
        return restore_relationships_of(uow, entity, self._context, now)


def _named(uow: UnitOfWork, names: Sequence[str]) -> Sequence[Entity]:
    """The entities, active and deleted, with any of these names in any spelling (`identity_form`)."""
    if not names:
        return ()
    candidates = uow.entities.find_by_sort_name({sort_name(name) for name in names}, NAMED_MAX + 1)
    if len(candidates) > NAMED_MAX:
        advice = f"more than {NAMED_MAX} entities have these names; ask for fewer names at a time"
        raise InvalidInput([Fault("/names", "too_many_found", advice)])
    same = same_names((entity.name for entity in candidates), names)
    return [entity for entity in candidates if entity.name in same]
