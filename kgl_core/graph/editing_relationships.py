"""Editing relationships: create, get, list, update, delete and restore them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final, Unpack
from uuid import UUID

from kgl_core.graph.changes import Change, ChangeAction
from kgl_core.graph.deleting_and_restoring import restored_relationship
from kgl_core.graph.editing_records import Precondition, Records, next_version
from kgl_core.graph.entities import EntitySelection
from kgl_core.graph.holders import holder_of_triple
from kgl_core.graph.relationships import (
    SORT,
    Relationship,
    RelationshipDraft,
    RelationshipFields,
    RelationshipFilter,
    RelationshipFilterFields,
    RelationshipRepository,
    RelationshipSort,
)
from kgl_core.kernel.checked_records import build, rebuild, rules_of, unknown_names
from kgl_core.kernel.errors import EndsDeleted, Fault, InvalidInput, NotFound
from kgl_core.kernel.ids import RelationshipId, require_id
from kgl_core.kernel.pages import LIMIT_DEFAULT, Page, check_limit, read_page
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.taken_values import Holder, naming_holder
from kgl_core.kernel.units_of_work import UnitOfWork, transaction

_FIELDS: Final = tuple(rules_of(RelationshipDraft))
_CHANGEABLE: Final = frozenset(RelationshipFields.__annotations__)


class Relationships(Records[Relationship, RelationshipDraft]):
    """The use cases of relationships, on behalf of one actor.

    Every method raises PermissionDenied when the actor may not call it, InvalidInput for malformed arguments, and
    StoreError when the store is in trouble. An id is a UUID or its canonical text.
    """

    _kind, _draft, _fields = "relationship", RelationshipDraft, _FIELDS

    def _repository(self, uow: UnitOfWork) -> RelationshipRepository:
        return uow.relationships

    def _holder(self, uow: UnitOfWork, record: Relationship) -> Holder:
        return holder_of_triple(uow, record)

    def _check_change(self, current: Relationship, draft: RelationshipDraft) -> None:
        moved = [name for name in _FIELDS if name not in _CHANGEABLE and getattr(draft, name) != getattr(current, name)]
        if moved:
            advice = "it identifies the relationship and can't change; delete the relationship and create another"
            raise InvalidInput([Fault(f"/{name}", "immutable", advice) for name in moved])

    @transaction
    def create(
        self,
        source_entity_id: UUID | str,
        relationship_type: str,
        target_entity_id: UUID | str,
        **fields: Unpack[RelationshipFields],
    ) -> Relationship:
        """Create a relationship from the source to the target entity.

        Raises InvalidInput with every fault, NotFound when an end does not exist, EndsDeleted when one is deleted, and
        AlreadyExists when there is an active relationship with this source, type and target.
        """
        require(self._context.actor, Action.CREATE)
        ends = {
            "source_entity_id": source_entity_id,
            "relationship_type": relationship_type,
            "target_entity_id": target_entity_id,
        }
        draft = build(RelationshipDraft, {**ends, **fields})
        now = self._context.now()
        relationship = Relationship(
            id=RelationshipId(self._context.new_id()),
            created_by=self._context.actor,
            created_at=now,
            updated_at=now,
            **{name: getattr(draft, name) for name in _FIELDS},
        )
        naming = naming_holder(self._context, lambda uow: self._holder(uow, relationship))
        with naming, self._context.store.begin() as uow:
            _require_active_ends(uow, relationship)
            uow.relationships.add([relationship])
            uow.changes.append([Change(now, self._context.actor, ChangeAction.CREATED, relationship)])
            uow.commit()
        return relationship

    def get_many(self, *, ids: Collection[UUID | str], is_active: bool | None = True) -> Sequence[Relationship]:
        """The relationships with any of these ids, up to 1,000, ordered by id; what does not exist is left out.

        ``is_active`` False finds the deleted ones, None both.
        """
        require(self._context.actor, Action.READ)
        selection = build(EntitySelection, {"ids": tuple(ids), "is_active": is_active})
        with self._context.store.read() as uow:
            found = uow.relationships.find(selection.ids)
        wanted = (relationship for relationship in found if is_active in (None, relationship.is_active))
        return sorted(wanted, key=lambda relationship: relationship.id)

    def list(
        self,
        *,
        sort: RelationshipSort = "created_at",
        limit: int = LIMIT_DEFAULT,
        cursor: str | None = None,
        **filter: Unpack[RelationshipFilterFields],
    ) -> Page[Relationship]:
        """A page of the relationships that match the filter; `RelationshipFilter` says what the filters are.

        ``limit`` is 1..200. Raises InvalidCursor when ``cursor`` is from another filter or sort; HistoryLost when it is
        from another store, or from before a backup was restored.
        """
        require(self._context.actor, Action.READ)
        wanted = build(RelationshipFilter, filter)
        with self._context.store.read() as uow:
            return read_page(
                uow.relationships.list, uow.relationships.get, wanted, SORT, sort, check_limit(limit), cursor
            )

    def count(self, **filter: Unpack[RelationshipFilterFields]) -> int:
        """How many relationships match the filter."""
        require(self._context.actor, Action.READ)
        wanted = build(RelationshipFilter, filter)
        with self._context.store.read() as uow:
            return uow.relationships.count(wanted)

    def update(
        self, id: UUID | str, *, expected_version: int | None = None, **changes: Unpack[RelationshipFields]
    ) -> Relationship:
        """Change the given fields of a relationship and return it; if that changes nothing, there is no new version.

        Its ends and type identify it and can't change: delete it and create another. Raises NotFound, Deleted,
        InvalidInput with every fault, and StaleVersion when ``expected_version`` is given and is not the present one.
        """
        unknown = unknown_names((name for name in changes if name not in _CHANGEABLE), _CHANGEABLE)

        def change(stored: dict[str, Any]) -> RelationshipDraft:
            if unknown:
                raise InvalidInput(unknown)
            return rebuild(RelationshipDraft, {**stored, **changes}, stored)

        return self._update(id, change, {}, expected_version)

    @transaction
    def delete(
        self, id: UUID | str, *, expected_version: int | None = None, precondition: Precondition | None = None
    ) -> Relationship:
        """Delete a relationship. Raises NotFound, Deleted when it is already, and StaleVersion as `update` does."""
        self._require_may_change()
        wanted = require_id(id)
        with self._context.store.begin() as uow:
            current = self._lock_for_change(uow, wanted, expected_version, precondition)
            now = self._context.now()
            deleted = next_version(current, now, deleted_at=now, deleted_by=self._context.actor)
            self._store(uow, deleted, ChangeAction.DELETED)
            uow.commit()
        return deleted

    @transaction
    def restore(
        self, id: UUID | str, *, expected_version: int | None = None, precondition: Precondition | None = None
    ) -> Relationship:
        """Restore a relationship; one that is active already is left as it is.

        Raises NotFound, EndsDeleted when an end is deleted, AlreadyExists when there is an active relationship with its
        source, type and target, and StaleVersion as `update` does.
        """
        require(self._context.actor, Action.RESTORE)
        wanted = require_id(id)
        naming = naming_holder(self._context, lambda uow: self._holder(uow, current))
        with naming, self._context.store.begin() as uow:
            # The ends never change, so they can be locked first: entities before relationships, as everywhere.
            seen = uow.relationships.get(wanted)
            if seen is None:
                raise NotFound("relationship", wanted)
            ends = uow.entities.ends(seen.triple[::2])
            current = self._lock(uow, wanted)
            self._check_state(current, expected_version, precondition)
            if current.is_active:
                return current
            if deleted := [end.id for end in ends if not end.is_active]:
                raise EndsDeleted(sorted(deleted))
            restored = restored_relationship(current, self._context.now())
            self._store(uow, restored, ChangeAction.RESTORED)
            uow.commit()
        return restored


def _require_active_ends(uow: UnitOfWork, relationship: Relationship) -> None:
    ends = {end.id: end for end in uow.entities.ends(relationship.triple[::2])}
    for id in relationship.triple[::2]:
        if id not in ends:
            raise NotFound("entity", id)
    if deleted := [end.id for end in ends.values() if not end.is_active]:
        raise EndsDeleted(sorted(deleted))
