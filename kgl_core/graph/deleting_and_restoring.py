"""Deleting and restoring: what goes with an entity or a relationship, and what comes back with it.

With an entity, its relationships are deleted. With the last relationship of an entity that nothing supports, that
entity is retired. Deleted records stay in the store, so each time it is a new version. `Entities` and `Relationships`
have the methods.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import attrs

from kgl_core.graph.entities import Entity
from kgl_core.graph.facts import active_again, brought_back, is_deleted, is_unsupported, retired
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
    # Only those that nothing supports are locked: these are few, and a hub has thousands of neighbours.
    others = {end for relationship in deleted for end in relationship.ends} - {entity.id}
    unsupported = [each.id for each in uow.entities.find(others) if is_unsupported(each)] if others else []
    retire_unneeded(uow, unsupported, context, now)


def gone_with(relationship: Relationship, ends: Iterable[Entity]) -> Relationship:
    """An inactive or new relationship as if it had gone with the first of these ends that somebody deleted, if any.

    It is restored with that end.
    """
    deleted = next((end for end in ends if is_deleted(end)), None)
    if deleted is None:
        return relationship
    return attrs.evolve(
        relationship,
        is_retired=False,
        deleted_at=deleted.deleted_at,
        deleted_by=deleted.deleted_by,
        deleted_with=deleted.id,
    )


def retire_unneeded(uow: UnitOfWork, ids: Collection[UUID], context: Context, now: datetime) -> None:
    """Retire those of these entities that nothing supports, and that no active relationship needs any more."""
    found = uow.entities.find(ids, lock="update") if ids else ()
    unsupported = {entity.id: entity for entity in found if is_unsupported(entity)}
    needed = uow.relationships.joined(unsupported) if unsupported else ()
    _put(
        uow,
        [retired(entity, now, context.actor) for id, entity in unsupported.items() if id not in needed],
        context,
        ChangeAction.RETIRED,
    )


def bring_back(uow: UnitOfWork, ids: Collection[UUID], context: Context, now: datetime) -> set[UUID]:
    """Bring back those of these entities that are retired, unless others have their keys; returns who is active then.

    They are needed by relationships that are restored.
    """
    found = uow.entities.find(ids, lock="update") if ids else ()
    gone = [entity for entity in found if entity.is_retired]
    keys = {entity.key for entity in gone if entity.key is not None}
    taken = {entity.key for entity in uow.entities.find((), keys) if entity.is_active} if keys else set()
    back = [active_again(entity, now) for entity in gone if entity.key is None or entity.key not in taken]
    _put(uow, back, context, ChangeAction.RESTORED)
    return {entity.id for entity in (*found, *back) if entity.is_active}


def restore_relationships_of(uow: UnitOfWork, entity: Entity, context: Context, now: datetime) -> Restoration:
    """Restore the relationships of a restored entity that were deleted together with one of their ends.

    One stays deleted while its other end is deleted, or when another one with the same ends, type and key comes back.
    Where the other end is retired, it comes back with a relationship that has support. No more than TAKEN_ALONG_MAX are
    looked at.
    """
    back: dict[Triple, RelationshipId] = {}
    left: list[RelationshipId] = []
    found = uow.relationships.restorable_with(entity.id, None, TAKEN_ALONG_MAX + 1)
    batch = found[:TAKEN_ALONG_MAX]
    others = {end for r in batch for end in r.ends} - {entity.id}
    active: set[UUID] = {other.id for other in uow.entities.ends(others) if other.is_active}
    needed = {end for r in batch if r.sources_for for end in r.ends if end in others}
    active |= {entity.id, *bring_back(uow, needed - active, context, now)}
    supported: list[Relationship] = []
    unsupported: list[Relationship] = []
    for relationship in batch:
        if relationship.triple not in back and active.issuperset(relationship.ends):
            back[relationship.triple] = relationship.id
            ready = unsupported if brought_back(relationship) else supported
            ready.append(restored_relationship(relationship, now))
        else:
            left.append(relationship.id)
    _mark(uow, supported, context, ChangeAction.RESTORED)
    if unsupported:  # in which more changes than `mark` stores
        uow.relationships.replace(unsupported)
        uow.changes.append([context.change(ChangeAction.RESTORED, each) for each in unsupported])
    return Restoration(entity, tuple(back.values()), tuple(left), has_more_deleted=len(found) > len(batch))


def restored_relationship(relationship: Relationship, now: datetime) -> Relationship:
    """The next version of a deleted relationship, active again."""
    return next_version(
        relationship, now, deleted_at=None, deleted_by=None, deleted_with=None, **brought_back(relationship)
    )


def _put(uow: UnitOfWork, entities: Sequence[Entity], context: Context, action: ChangeAction) -> None:
    if entities:
        uow.entities.replace(entities)
        uow.changes.append([context.change(action, entity) for entity in entities])


def _mark(uow: UnitOfWork, relationships: Sequence[Relationship], context: Context, action: ChangeAction) -> None:
    if relationships:
        uow.relationships.mark(relationships)
        uow.changes.append([context.change(action, relationship) for relationship in relationships])
