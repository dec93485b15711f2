"""Deleting and restoring: which relationships are deleted with an entity, and which come back with it.

Deleted records stay in the store, so each time it is a new version. `Entities` and `Relationships` have the methods.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import attrs

from kgl_core.graph.entities import Entity
from kgl_core.graph.facts import brought_back
from kgl_core.graph.journal.changes import ChangeAction
from kgl_core.graph.relationships import Relationship, Triple
from kgl_core.kernel.errors import TooManyRelationships
from kgl_core.kernel.ids import RelationshipId
from kgl_core.kernel.nouns.versions import next_version
from kgl_core.kernel.units_of_work import Context, UnitOfWork

TAKEN_ALONG_MAX: Final = 5_000
"""How many relationships are deleted or restored with an entity, at most.

On SQLite that takes about a second, in which no other writer can write.
"""


@attrs.frozen
class Restoration:
    """A restored entity, the relationships that came back with it, and those whose other end is still deleted.

    ``has_more_deleted`` says that these are not all: past TAKEN_ALONG_MAX, relationships are restored one by one.
    """

    entity: Entity
    relationships: tuple[RelationshipId, ...]
    left_deleted: tuple[RelationshipId, ...]
    has_more_deleted: bool = False


def delete_relationships_of(uow: UnitOfWork, entity: Entity, context: Context, now: datetime) -> None:
    """Delete the active relationships of an entity that is being deleted, and record that it took them along.

    Raises TooManyRelationships when there are more than TAKEN_ALONG_MAX.
    """
    found = uow.relationships.touching(entity.id, TAKEN_ALONG_MAX + 1)
    if len(found) > TAKEN_ALONG_MAX:
        raise TooManyRelationships(entity.id, TAKEN_ALONG_MAX)
    deleted = [
        next_version(relationship, now, deleted_at=now, deleted_by=context.actor, deleted_with=entity.id)
        for relationship in found
    ]
    _mark(uow, deleted, context, ChangeAction.DELETED)


def restore_relationships_of(uow: UnitOfWork, entity: Entity, context: Context, now: datetime) -> Restoration:
    """Restore the relationships of a restored entity that were deleted together with one of their ends.

    One stays deleted while its other end is deleted, or when another one with the same ends, type and key comes back.
    No more than TAKEN_ALONG_MAX are looked at.
    """
    back: dict[Triple, RelationshipId] = {}
    left: list[RelationshipId] = []
    found = uow.relationships.restorable_with(entity.id, None, TAKEN_ALONG_MAX + 1)
    batch = found[:TAKEN_ALONG_MAX]
    others = {end for r in batch for end in r.ends} - {entity.id}
    active = {other.id for other in uow.entities.ends(others) if other.is_active}
    active.add(entity.id)
    ready = []
    for relationship in batch:
        if relationship.triple not in back and active.issuperset(relationship.ends):
            back[relationship.triple] = relationship.id
            ready.append(restored_relationship(relationship, now))
        else:
            left.append(relationship.id)
    _mark(uow, ready, context, ChangeAction.RESTORED)
    return Restoration(entity, tuple(back.values()), tuple(left), has_more_deleted=len(found) > len(batch))


def restored_relationship(relationship: Relationship, now: datetime) -> Relationship:
    """The next version of a deleted relationship, active again."""
    return next_version(
        relationship, now, deleted_at=None, deleted_by=None, deleted_with=None, **brought_back(relationship)
    )


def _mark(uow: UnitOfWork, relationships: Sequence[Relationship], context: Context, action: ChangeAction) -> None:
    if relationships:
        uow.relationships.mark(relationships)
        uow.changes.append([context.change(action, relationship) for relationship in relationships])
