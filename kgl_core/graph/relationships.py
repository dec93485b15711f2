"""Relationships: the directed, typed edges between entities, their fields' rules, and the port that stores them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, Protocol, TypedDict
from uuid import UUID

import attrs

from kgl_core.graph.entities import ENTITY, Json
from kgl_core.graph.metadata import JsonObject
from kgl_core.graph.shared_fields import (
    CONFIDENCE,
    FACT_CONDITIONS,
    FILTER_VALUES_MAX,
    SOURCE,
    SOURCE_TYPE,
    FactFilter,
    FactFilterFields,
)
from kgl_core.kernel.checked_records import check, ruled
from kgl_core.kernel.errors import Fault, InvalidInput
from kgl_core.kernel.field_rules import TYPE_NAME, Each, Id, Optional
from kgl_core.kernel.ids import EntityId, RelationshipId
from kgl_core.kernel.nouns.noun import Condition, Noun, Unique
from kgl_core.kernel.nouns.records import Record, said_first
from kgl_core.kernel.nouns.repositories import Repository

Triple = tuple[UUID, str, UUID]
"""What identifies an active relationship: source entity, relationship type, target entity."""


def triple_order(triple: Triple) -> tuple[int, str, int]:
    """A key to sort triples by: the triple's own order, without comparing UUIDs, which is slow."""
    return (triple[0].int, triple[1], triple[2].int)


class RelationshipFields(TypedDict, total=False):
    """The fields of a relationship that can change, as keyword arguments. `RelationshipDraft` has the rules."""

    confidence: float | None
    source: str | None
    source_type: str | None
    metadata: Mapping[str, Json]


@attrs.frozen(kw_only=True)
class RelationshipDraft:
    """What a caller says of a relationship, checked as a whole: raises InvalidInput with every fault.

    Its two ends and its type identify it and can't change later; the two ends differ. ``confidence`` is 0..1, or None
    for unknown. ``source`` is where the statement comes from, not an end.
    """

    source_entity_id: EntityId = ruled(Id())
    relationship_type: str = ruled(TYPE_NAME)
    target_entity_id: EntityId = ruled(Id())
    confidence: float | None = ruled(CONFIDENCE, default=None)
    source: str | None = ruled(SOURCE, default=None)
    source_type: str | None = ruled(SOURCE_TYPE, default=None)
    metadata: Mapping[str, Json] = ruled(JsonObject(), default=attrs.Factory(dict))

    def __attrs_post_init__(self) -> None:
        check(self)
        if self.source_entity_id == self.target_entity_id:
            raise InvalidInput(
                [Fault("/target_entity_id", "self_relationship", "a relationship joins two different entities")]
            )


@attrs.frozen(kw_only=True, slots=False, field_transformer=said_first)
class Relationship(Record):
    """An edge of the graph as a store keeps it: a checked draft, and what kgl notes of it.

    ``deleted_with`` is the entity whose deletion took this relationship along.
    """

    id: RelationshipId
    source_entity_id: EntityId
    relationship_type: str
    target_entity_id: EntityId
    confidence: float | None
    source: str | None
    source_type: str | None
    metadata: Mapping[str, Json]
    deleted_with: EntityId | None = None

    @property
    def triple(self) -> Triple:
        """What identifies it among the active ones: source, type, target."""
        return (self.source_entity_id, self.relationship_type, self.target_entity_id)


RelationshipSort = Literal["created_at", "-created_at", "updated_at", "-updated_at"]


class RelationshipFilterFields(FactFilterFields, total=False):
    """The filters of a listing, as keyword arguments. `RelationshipFilter` says what they mean."""

    entity_id: UUID
    source_entity_id: UUID
    target_entity_id: UUID
    relationship_type: str | Sequence[str]


@attrs.frozen(kw_only=True)
class RelationshipFilter(FactFilter):
    """Which relationships a listing holds: with these ends, of any of these types, and as in `FactFilter`.

    ``entity_id`` is an entity at either end.
    """

    entity_id: UUID | None = ruled(Optional(Id()), default=None)
    source_entity_id: UUID | None = ruled(Optional(Id()), default=None)
    target_entity_id: UUID | None = ruled(Optional(Id()), default=None)
    relationship_type: tuple[str, ...] = ruled(Each(TYPE_NAME, FILTER_VALUES_MAX, single=True), default=())


_TRIPLE: Final = ("source_entity_id", "relationship_type", "target_entity_id")

RELATIONSHIP: Final = Noun[Relationship, RelationshipDraft, RelationshipFilter, Triple](
    name="relationship",
    plural="relationships",
    record=Relationship,
    draft=RelationshipDraft,
    filter=RelationshipFilter,
    sorts={"created_at": "created_at", "updated_at": "updated_at"},
    unique=Unique("triple", _TRIPLE),
    conditions={**FACT_CONDITIONS, "entity_id": Condition(("source_entity_id", "target_entity_id"))},
    fixed=_TRIPLE,
    references={"source_entity_id": ENTITY, "target_entity_id": ENTITY},
    type_field="relationship_type",
)


class RelationshipRepository(Repository[Relationship, RelationshipFilter, Triple], Protocol):
    """Stores relationships; what is unique is their triple."""

    def touching(self, entity_id: UUID, limit: int) -> Sequence[Relationship]:
        """Up to ``limit`` active relationships with this entity at either end, ordered by id, locked for update."""

    def count_touching(self, entity_id: UUID, most: int) -> int:
        """How many active relationships have this entity at either end; counting stops at ``most``."""

    def restorable_with(self, entity_id: UUID, after: UUID | None, limit: int) -> Sequence[Relationship]:
        """Up to ``limit`` relationships of this entity that were deleted together with one of their ends.

        They are locked for update and ordered by id, after the id ``after``.
        """

    def mark(self, relationships: Sequence[Relationship]) -> None:
        """Store the next versions of relationships that were all deleted, or all restored, at once: all or none.

        They were read with a lock and differ from what is stored only in version, time and deletion; the last two are
        the same for all. `replace` does the same, but takes several times as long. Raises as `replace` does.
        """
