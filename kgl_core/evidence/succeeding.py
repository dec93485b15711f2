"""Succeeding: which facts stand in for retired ones whose identity others have taken meanwhile.

An entity is identified by its key, a relationship by its ends, its type and its key. A retired fact can't come back
beside another one that has its identity now: what is said of it again is said of that one, its successor. What somebody
deleted after it was retired succeeds it as well, so that no evidence goes round a deletion.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

import attrs

from kgl_core.evidence.ledger import Ledger
from kgl_core.evidence.recording import Work
from kgl_core.graph.deleting_and_restoring import gone_with
from kgl_core.graph.entities import Entity
from kgl_core.graph.facts import Fact, went_last
from kgl_core.graph.relationships import Relationship, Triple
from kgl_core.kernel.ids import RelationshipId
from kgl_core.kernel.units_of_work import Context, UnitOfWork


def successors_of(uow: UnitOfWork, entities: Iterable[Entity]) -> dict[UUID, Entity]:
    """The successors of those of these entities that are retired and have one, by their ids; they are locked."""
    keys = {entity.key for entity in entities if entity.is_retired and entity.key is not None}
    found = uow.entities.find((), keys, lock="update") if keys else ()
    last = {entity.key: entity for entity in sorted(found, key=went_last) if not entity.is_retired}
    return {
        entity.id: last[entity.key]
        for entity in found
        if entity.is_retired and entity.key in last and went_last(last[entity.key]) > went_last(entity)
    }


def succeeded(work: Work, ledger: Ledger, facts: Collection[Fact]) -> dict[UUID, Fact]:
    """The successors of those of these facts, which are locked, that are retired and have one, by their ids.

    Where the ends of a relationship have successors, its own is between these. If there is none yet, the ledger creates
    it, and something has to be said of it.
    """
    retired = [fact for fact in facts if isinstance(fact, Relationship) and fact.is_retired]
    ids = {end for relationship in retired for end in relationship.ends}
    ends = {entity.id: entity for entity in work.uow.entities.find(ids)} if ids else {}
    entities = successors_of(work.uow, [*ends.values(), *(fact for fact in facts if isinstance(fact, Entity))])
    ends |= {id: entities[id] for id in ends.keys() & entities.keys()}
    found: dict[UUID, Fact] = {fact.id: entities[fact.id] for fact in facts if fact.id in entities}
    triples = {each.id: _joining(each, ends[each.ends[0]], ends[each.ends[1]]) for each in retired}
    holders = work.uow.relationships.find((), {*triples.values()}, lock="update") if triples else ()
    last = {each.triple: each for each in sorted(holders, key=went_last)}
    standing = {each.triple: each for each in sorted(holders, key=went_last) if not each.is_retired}
    for each in retired:
        triple = triples[each.id]
        if triple != each.triple:
            if triple not in last:
                last[triple] = _made(work.context, each, ends[each.ends[0]], ends[each.ends[1]])
                ledger.create_bare(last[triple])
            found[each.id] = last[triple]
        elif triple in standing and went_last(standing[triple]) > went_last(each):
            found[each.id] = standing[triple]
    return found


def _joining(relationship: Relationship, source: Entity, target: Entity) -> Triple:
    return (source.id, relationship.relationship_type, target.id, relationship.key)


def _made(context: Context, retired: Relationship, source: Entity, target: Entity) -> Relationship:
    """A new relationship in place of a retired one, between other ends; it is deleted with an end that is deleted."""
    now = context.now()
    made = attrs.evolve(
        retired,
        id=RelationshipId(context.new_id()),
        source_entity_id=source.id,
        target_entity_id=target.id,
        version=1,
        created_by=context.actor,
        created_at=now,
        updated_at=now,
        deleted_at=None,
        deleted_by=None,
        is_retired=False,
        pinned=(),
    )
    return gone_with(made, [source, target])
