"""Relationships: the directed, typed edges between entities, their fields' rules, and the port that stores them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal, Protocol, TypedDict
from uuid import UUID

import attrs

from kgl_core.graph.entities import Json
from kgl_core.graph.metadata import JsonObject
from kgl_core.graph.shared_fields import (
    CONFIDENCE,
    FILTER_VALUES_MAX,
    SOURCE,
    SOURCE_TYPE,
    RecordFilter,
    RecordFilterFields,
)
from kgl_core.kernel.checked_records import check, ruled
from kgl_core.kernel.errors import Fault, InvalidInput
from kgl_core.kernel.field_rules import TYPE_NAME, Choice, Each, Id, Optional
from kgl_core.kernel.ids import EntityId, RelationshipId
from kgl_core.kernel.pages import Position
from kgl_core.kernel.permissions import Actor

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


@attrs.frozen(kw_only=True, slots=False)  # with slots, making one takes twice as long
class Relationship:
    """An edge of the graph as a store keeps it: a checked draft, and what kgl knows of it.

    ``version`` counts from 1. ``deleted_with`` is the entity whose deletion took this relationship along.
    """

    id: RelationshipId
    source_entity_id: EntityId
    relationship_type: str
    target_entity_id: EntityId
    confidence: float | None
    source: str | None
    source_type: str | None
    metadata: Mapping[str, Json]
    created_by: Actor
    created_at: datetime
    updated_at: datetime
    version: int = 1
    deleted_at: datetime | None = None
    deleted_by: Actor | None = None
    deleted_with: EntityId | None = None

    @property
    def is_active(self) -> bool:
        """Whether it is not deleted."""
        return self.deleted_at is None

    @property
    def triple(self) -> Triple:
        """What identifies it among the active ones: source, type, target."""
        return (self.source_entity_id, self.relationship_type, self.target_entity_id)

    def sort_value(self, field: str) -> datetime:
        """The value to sort this relationship by: created_at or updated_at."""
        value: datetime = getattr(self, field)
        return value


RelationshipSort = Literal["created_at", "-created_at", "updated_at", "-updated_at"]
RELATIONSHIP_SORTS: Final[tuple[str, ...]] = ("created_at", "-created_at", "updated_at", "-updated_at")


class RelationshipFilterFields(RecordFilterFields, total=False):
    """The filters of a listing, as keyword arguments. `RelationshipFilter` says what they mean."""

    entity_id: UUID
    source_entity_id: UUID
    target_entity_id: UUID
    relationship_type: str | Sequence[str]


@attrs.frozen(kw_only=True)
class RelationshipFilter(RecordFilter):
    """Which relationships a listing holds: with these ends, of any of these types, and as in `RecordFilter`.

    ``entity_id`` is an entity at either end.
    """

    entity_id: UUID | None = ruled(Optional(Id()), default=None)
    source_entity_id: UUID | None = ruled(Optional(Id()), default=None)
    target_entity_id: UUID | None = ruled(Optional(Id()), default=None)
    relationship_type: tuple[str, ...] = ruled(Each(TYPE_NAME, FILTER_VALUES_MAX, single=True), default=())


SORT: Final = Choice(RELATIONSHIP_SORTS)


class RelationshipRepository(Protocol):
    """Stores relationships, including deleted ones. Every method sees what its unit of work sees."""

    def get(self, id: UUID) -> Relationship | None:
        """The relationship with this id, active or deleted; None when there is none."""

    def find(
        self, ids: Collection[UUID], triples: Collection[Triple] = (), *, lock: Literal["update"] | None = None
    ) -> Sequence[Relationship]:
        """The relationships with any of these ids or triples, active and deleted, in any order, each once.

        With ``lock``, other units of work can't change or lock them until this one ends. Raises TransactionConflict
        when two units of work wait for each other.
        """

    def touching(self, entity_id: UUID, limit: int) -> Sequence[Relationship]:
        """Up to ``limit`` active relationships with this entity at either end, ordered by id, locked for update."""

    def count_touching(self, entity_id: UUID, most: int) -> int:
        """How many active relationships have this entity at either end; counting stops at ``most``."""

    def restorable_with(self, entity_id: UUID, after: UUID | None, limit: int) -> Sequence[Relationship]:
        """Up to ``limit`` relationships of this entity that were deleted together with one of their ends.

        They are locked for update and ordered by id, after the id ``after``.
        """

    def list(
        self, filter: RelationshipFilter, sort: RelationshipSort, after: Position | None, limit: int
    ) -> Sequence[Relationship]:
        """Up to ``limit`` relationships that match ``filter``, ordered by ``sort``, then id, after ``after``."""

    def count(self, filter: RelationshipFilter) -> int:
        """How many relationships match ``filter``."""

    def count_by_type(self) -> dict[str, int]:
        """How many active relationships of each type there are, sorted by type."""

    def count_deleted(self) -> int:
        """How many deleted relationships there are."""

    def scan(self, after: UUID | None, limit: int) -> Sequence[Relationship]:
        """Up to ``limit`` relationships, active and deleted, ordered by id, after the id ``after``."""

    def add(self, relationships: Sequence[Relationship]) -> None:
        """Store new relationships: all or none.

        Raises AlreadyExists when an id, or the triple of an active one, is taken; NotFound when an end does not exist.
        """

    def replace(self, relationships: Sequence[Relationship]) -> None:
        """Store new versions of relationships: all or none.

        Raises StaleVersion unless every stored version is lower, and AlreadyExists when a triple is taken.
        """

    def mark(self, relationships: Sequence[Relationship]) -> None:
        """Store the next versions of relationships that were all deleted, or all restored, at once: all or none.

        They were read with a lock and differ from what is stored only in version, time and deletion; the last two are
        the same for all. `replace` does the same, but takes several times as long. Raises as `replace` does.
        """
