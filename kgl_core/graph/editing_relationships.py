"""Relationships: create, read, list, change, delete and restore them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, Unpack
from uuid import UUID

import attrs

from kgl_core.graph.changes import Change, ChangeAction
from kgl_core.graph.editing_entities import Precondition, check_state, restored_relationship
from kgl_core.graph.entities import EntitySelection, Json
from kgl_core.graph.merge_patch import merge_patch
from kgl_core.graph.naming_holders import holder_of_triple
from kgl_core.graph.read_only_fields import read_whole, require_kept, take_kept
from kgl_core.graph.relationships import (
    SORT,
    Relationship,
    RelationshipDraft,
    RelationshipFields,
    RelationshipFilter,
    RelationshipFilterFields,
    RelationshipSort,
)
from kgl_core.kernel.checked_records import build, rebuild, rules_of, same_values, unknown_names
from kgl_core.kernel.errors import Deleted, EndsDeleted, Fault, InvalidInput, NotFound
from kgl_core.kernel.ids import RelationshipId, require_id
from kgl_core.kernel.naming_holders import naming_holder
from kgl_core.kernel.pages import LIMIT_DEFAULT, Page, check_limit, read_page
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context, UnitOfWork, transaction

_FIELDS: Final = tuple(rules_of(RelationshipDraft))
_CHANGEABLE: Final = frozenset(RelationshipFields.__annotations__)


class Relationships:
    """The use cases of relationships, on behalf of one actor.

    Every method raises PermissionDenied when the actor may not, InvalidInput for malformed arguments, and StoreError
    when the store is in trouble. An id is a UUID or its canonical text.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    @transaction
    def create(
        self,
        source_entity_id: UUID | str,
        relationship_type: str,
        target_entity_id: UUID | str,
        **fields: Unpack[RelationshipFields],
    ) -> Relationship:
        """A new relationship from the source to the target entity.

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
        naming = naming_holder(self._context, lambda uow: holder_of_triple(uow, relationship))
        with naming, self._context.store.begin() as uow:
            _require_active_ends(uow, relationship)
            uow.relationships.add([relationship])
            uow.changes.append([Change(now, self._context.actor, ChangeAction.CREATED, relationship)])
            uow.commit()
        return relationship

    def get(self, id: UUID | str, *, include_deleted: bool = False) -> Relationship:
        """The relationship with this id. Raises NotFound, and Deleted unless the deleted are asked for."""
        require(self._context.actor, Action.READ)
        wanted = require_id(id)
        with self._context.store.read() as uow:
            relationship = uow.relationships.get(wanted)
        if relationship is None:
            raise NotFound("relationship", wanted)
        if not relationship.is_active and not include_deleted:
            raise Deleted("relationship", wanted)
        return relationship

    def get_many(self, *, ids: Collection[UUID | str], is_active: bool | None = True) -> Sequence[Relationship]:
        """The relationships with any of these ids, up to 1,000, ordered by id; what does not exist is absent.

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
        """A page of the relationships that the filter admits; `RelationshipFilter` says what can be filtered by.

        ``limit`` is 1..200. Raises InvalidCursor when ``cursor`` is from another filter or sort; HistoryLost when it is
        from another store, or was handed out before a backup was restored.
        """
        require(self._context.actor, Action.READ)
        wanted = build(RelationshipFilter, filter)
        with self._context.store.read() as uow:
            return read_page(
                uow.relationships.list, uow.relationships.get, wanted, SORT, sort, check_limit(limit), cursor
            )

    def count(self, **filter: Unpack[RelationshipFilterFields]) -> int:
        """How many relationships the filter admits."""
        require(self._context.actor, Action.READ)
        wanted = build(RelationshipFilter, filter)
        with self._context.store.read() as uow:
            return uow.relationships.count(wanted)

    def update(
        self, id: UUID | str, *, expected_version: int | None = None, **changes: Unpack[RelationshipFields]
    ) -> Relationship:
        """The relationship with the given fields changed; an update that changes nothing is none.

        Its ends and type identify it and can't change: delete it and create another. Raises NotFound, Deleted,
        InvalidInput with every fault, and StaleVersion when ``expected_version`` is given and not the present one.
        """
        unknown = unknown_names((name for name in changes if name not in _CHANGEABLE), _CHANGEABLE)

        def change(stored: dict[str, Any]) -> RelationshipDraft:
            if unknown:
                raise InvalidInput(unknown)
            return rebuild(RelationshipDraft, {**stored, **changes}, stored)

        return self._update(id, change, {}, expected_version)

    def replace(
        self,
        id: UUID | str,
        record: RelationshipDraft | Mapping[str, Json],
        *,
        expected_version: int | None = None,
        precondition: Precondition | None = None,
    ) -> Relationship:
        """The relationship as ``record`` has it, with the same ends and type: a draft, or a mapping as in JSON.

        Such a mapping may have what kgl sets as well, unchanged. Raises as `update` does.
        """
        draft, kept = read_whole(RelationshipDraft, record)
        return self._update(id, lambda _: draft, kept, expected_version, precondition)

    def patch(
        self,
        id: UUID | str,
        patch: Mapping[str, Json],
        *,
        expected_version: int | None = None,
        precondition: Precondition | None = None,
    ) -> Relationship:
        """The relationship as a JSON Merge Patch (RFC 7396) changes it. Raises as `update` does.

        The patch may have what kgl sets as well, unchanged.
        """
        own, kept = take_kept(RelationshipDraft, patch)

        def change(stored: dict[str, Any]) -> RelationshipDraft:
            return rebuild(RelationshipDraft, merge_patch(stored, own), stored)

        return self._update(id, change, kept, expected_version, precondition)

    @transaction
    def _update(
        self,
        id: UUID | str,
        change: Callable[[dict[str, Any]], RelationshipDraft],
        kept: Mapping[str, Any],
        expected_version: int | None,
        precondition: Precondition | None = None,
    ) -> Relationship:
        require(self._context.actor, Action.CHANGE, self._context.actor)  # whoever may change nothing learns nothing
        wanted = require_id(id)
        with self._context.store.begin() as uow:
            current = self._for_change(uow, wanted, expected_version, precondition)
            require_kept(current, kept)
            draft = change({name: getattr(current, name) for name in _FIELDS})
            _require_same_identity(draft, current)
            if same_values(draft, current, _FIELDS):
                return current
            changed = attrs.evolve(current, **{name: getattr(draft, name) for name in _FIELDS})
            now = self._context.now()
            return self._replace(
                uow, attrs.evolve(changed, version=current.version + 1, updated_at=now), ChangeAction.UPDATED
            )

    @transaction
    def delete(
        self, id: UUID | str, *, expected_version: int | None = None, precondition: Precondition | None = None
    ) -> Relationship:
        """The relationship, deleted. Raises NotFound, Deleted when it was before, and StaleVersion as `update` does."""
        require(self._context.actor, Action.CHANGE, self._context.actor)  # whoever may change nothing learns nothing
        wanted = require_id(id)
        with self._context.store.begin() as uow:
            current = self._for_change(uow, wanted, expected_version, precondition)
            now = self._context.now()
            deleted = attrs.evolve(
                current, version=current.version + 1, updated_at=now, deleted_at=now, deleted_by=self._context.actor
            )
            return self._replace(uow, deleted, ChangeAction.DELETED)

    @transaction
    def restore(
        self, id: UUID | str, *, expected_version: int | None = None, precondition: Precondition | None = None
    ) -> Relationship:
        """The relationship, active again; one that is active already is left as it is.

        Raises NotFound, EndsDeleted when an end is deleted, AlreadyExists when there is an active relationship with
        its source, type and target, and StaleVersion as `update` does.
        """
        require(self._context.actor, Action.RESTORE)
        wanted = require_id(id)
        naming = naming_holder(self._context, lambda uow: holder_of_triple(uow, current))
        with naming, self._context.store.begin() as uow:
            # The ends never change, so they can be locked first: entities before relationships, as everywhere.
            seen = uow.relationships.get(wanted)
            if seen is None:
                raise NotFound("relationship", wanted)
            ends = uow.entities.ends(seen.triple[::2])
            current = _locked(uow, wanted)
            check_state("relationship", current, expected_version, precondition)
            if current.is_active:
                return current
            if deleted := [end.id for end in ends if not end.is_active]:
                raise EndsDeleted(sorted(deleted))
            return self._replace(uow, restored_relationship(current, self._context.now()), ChangeAction.RESTORED)

    def _for_change(
        self, uow: UnitOfWork, id: UUID, expected_version: int | None, precondition: Precondition | None
    ) -> Relationship:
        current = _locked(uow, id)
        require(self._context.actor, Action.CHANGE, current.created_by)
        if not current.is_active:
            raise Deleted("relationship", id, to_change=True)
        check_state("relationship", current, expected_version, precondition)
        return current

    def _replace(self, uow: UnitOfWork, changed: Relationship, action: ChangeAction) -> Relationship:
        uow.relationships.replace([changed])
        uow.changes.append([Change(changed.updated_at, self._context.actor, action, changed)])
        uow.commit()
        return changed


def _locked(uow: UnitOfWork, id: UUID) -> Relationship:
    found = uow.relationships.find([id], lock="update")
    if not found:
        raise NotFound("relationship", id)
    return found[0]


def _require_active_ends(uow: UnitOfWork, relationship: Relationship) -> None:
    ends = {end.id: end for end in uow.entities.ends(relationship.triple[::2])}
    for id in relationship.triple[::2]:
        if id not in ends:
            raise NotFound("entity", id)
    if deleted := [end.id for end in ends.values() if not end.is_active]:
        raise EndsDeleted(sorted(deleted))


def _require_same_identity(draft: RelationshipDraft, current: Relationship) -> None:
    moved = [name for name in _FIELDS if name not in _CHANGEABLE and getattr(draft, name) != getattr(current, name)]
    if moved:
        advice = "it identifies the relationship and can't change; delete the relationship and create another"
        raise InvalidInput([Fault(f"/{name}", "immutable", advice) for name in moved])
