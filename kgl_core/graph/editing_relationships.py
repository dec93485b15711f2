"""Editing relationships: create, get, list, update, delete and restore them."""

from __future__ import annotations

from datetime import datetime
from typing import Unpack
from uuid import UUID

from kgl_core.graph.deleting_and_restoring import bring_back, restored_relationship, retire_unneeded
from kgl_core.graph.editing_records import Records
from kgl_core.graph.relationships import (
    RELATIONSHIP,
    NewRelationshipFields,
    Relationship,
    RelationshipDraft,
    RelationshipFields,
    RelationshipFilter,
    RelationshipFilterFields,
    RelationshipSort,
)
from kgl_core.kernel.errors import EndsDeleted, NotFound
from kgl_core.kernel.nouns.pages import LIMIT_DEFAULT, Page
from kgl_core.kernel.nouns.versions import Precondition
from kgl_core.kernel.units_of_work import UnitOfWork


class Relationships(Records[Relationship, RelationshipDraft, RelationshipFilter]):
    """The use cases of relationships, on behalf of one actor; `Records` says what all have in common."""

    _noun = RELATIONSHIP

    def create(
        self,
        source_entity_id: UUID | str,
        relationship_type: str,
        target_entity_id: UUID | str,
        **fields: Unpack[NewRelationshipFields],
    ) -> Relationship:
        """Create a relationship from the source to the target entity.

        A retired relationship with this source, type, target and key stays retired, and new evidence of it supports
        this one.

        Raises InvalidInput with every fault, NotFound when an end does not exist, EndsDeleted when one is deleted, and
        AlreadyExists when there is an active relationship with this source, type, target and key.
        """
        triple = {
            "source_entity_id": source_entity_id,
            "relationship_type": relationship_type,
            "target_entity_id": target_entity_id,
        }
        return self.create_from({**triple, **fields})

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
        return self._list(filter, sort, limit, cursor)

    def count(self, **filter: Unpack[RelationshipFilterFields]) -> int:
        """How many relationships match the filter."""
        return self._count(filter)

    def update(
        self, id: UUID | str, *, expected_version: int | None = None, **changes: Unpack[RelationshipFields]
    ) -> Relationship:
        """Change the given fields of a relationship and return it; if that changes nothing, there is no new version.

        Its ends, type and key identify it and can't change: delete it and create another. Raises NotFound, Deleted,
        InvalidInput with every fault, and StaleVersion when ``expected_version`` is given and is not the present one.
        """
        return self._update(id, changes, expected_version)

    def restore(
        self, id: UUID | str, *, expected_version: int | None = None, precondition: Precondition | None = None
    ) -> Relationship:
        """Restore a relationship, and an end that was retired; one that is active already is left as it is.

        Raises NotFound, EndsDeleted when an end is deleted, AlreadyExists when there is an active relationship with its
        source, type, target and key, and StaleVersion as `update` does.
        """
        relationship, _ = self._restore(id, expected_version, precondition)
        return relationship

    def _check_new(self, uow: UnitOfWork, record: Relationship) -> None:
        ends = {end.id: end for end in uow.entities.ends(record.ends)}
        for id in record.ends:
            if id not in ends:
                raise NotFound("entity", id)
        if deleted := [end.id for end in ends.values() if not end.is_active]:
            raise EndsDeleted(sorted(deleted))

    def _lock_with_ends(self, uow: UnitOfWork, id: UUID) -> Relationship:
        # The ends never change, so they can be locked first: entities before relationships, as everywhere.
        seen = uow.relationships.get(id)
        if seen is not None:
            uow.entities.find(seen.ends, lock="update")
        return self._lock(uow, id)

    def _go_along(self, uow: UnitOfWork, record: Relationship, now: datetime) -> None:
        retire_unneeded(uow, record.ends, self._context, now)

    def _restored(self, uow: UnitOfWork, record: Relationship, now: datetime) -> Relationship:
        bring_back(uow, record.ends, self._context, now)
        self._check_new(uow, record)
        return restored_relationship(record, now)
