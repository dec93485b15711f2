"""Relationships: the directed, typed edges between entities, their fields' rules, and the port that stores them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final, Literal, Protocol, TypedDict
from uuid import UUID

import attrs

from kgl_core.graph.entities import ENTITY, KEY, Json
from kgl_core.graph.facts import Fact
from kgl_core.graph.metadata import JsonObject
from kgl_core.graph.shared_fields import (
    CONFIDENCE,
    FACT_CONDITIONS,
    FACT_HIDDEN,
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
from kgl_core.kernel.nouns.records import said_first
from kgl_core.kernel.nouns.repositories import Repository
from kgl_core.kernel.periods import Date, Period, period_between

Triple = tuple[UUID, str, UUID, str | None]
"""What identifies an active relationship: source entity, relationship type, target entity, and key or none."""


def triple_order(triple: Triple) -> tuple[int, str, int, str]:
    """A key to sort triples by: the triple's own order, without comparing UUIDs, which is slow."""
    source, type, target, key = triple
    return (source.int, type, target.int, key or "")


class RelationshipFields(TypedDict, total=False):
    """The fields of a relationship that can change, as keyword arguments. `RelationshipDraft` has the rules."""

    confidence: float | None
    source: str | None
    source_type: str | None
    metadata: Mapping[str, Json]
    valid_from: str | None
    valid_to: str | None


class NewRelationshipFields(RelationshipFields, total=False):
    """The fields that a new relationship has besides its ends and its type."""

    key: str | None


@attrs.frozen(kw_only=True)
class RelationshipDraft:
    """What a caller says of a relationship, checked as a whole: raises InvalidInput with every fault.

    Its two ends, its type and its key identify it and can't change later. ``key`` is the caller's own: it tells
    relationships apart that have the same ends and type. ``confidence`` is 0..1, or None for unknown. ``source`` is
    where the statement comes from, not an end. ``valid_from`` and ``valid_to`` say when the statement holds in the
    world, as in `Date`; None is open.
    """

    source_entity_id: EntityId = ruled(Id())
    relationship_type: str = ruled(TYPE_NAME)
    target_entity_id: EntityId = ruled(Id())
    confidence: float | None = ruled(CONFIDENCE, default=None)
    source: str | None = ruled(SOURCE, default=None)
    source_type: str | None = ruled(SOURCE_TYPE, default=None)
    metadata: Mapping[str, Json] = ruled(JsonObject(), default=attrs.Factory(dict))
    key: str | None = ruled(Optional(KEY), default=None)
    valid_from: str | None = ruled(Optional(Date()), default=None)
    valid_to: str | None = ruled(Optional(Date()), default=None)

    def __attrs_post_init__(self) -> None:
        check(self)
        require_period(self.valid_from, self.valid_to)


def require_period(valid_from: str | None, valid_to: str | None) -> None:
    """Raise InvalidInput if a period between these dates has no moment at all."""
    if valid_from is not None and valid_to is not None and period_between(valid_from, valid_to).is_empty:
        raise InvalidInput([Fault("/valid_to", "ends_before_it_begins", "give a valid_to that comes after valid_from")])


@attrs.frozen(kw_only=True, slots=False, field_transformer=said_first)
class Relationship(Fact):
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
    key: str | None = None
    valid_from: str | None = None
    valid_to: str | None = None

    @property
    def triple(self) -> Triple:
        """What identifies it among the active ones: source, type, target, and key or none."""
        return (self.source_entity_id, self.relationship_type, self.target_entity_id, self.key)

    @property
    def ends(self) -> tuple[EntityId, EntityId]:
        """Its source and its target, which can be the same entity."""
        return (self.source_entity_id, self.target_entity_id)

    @property
    def period(self) -> Period:
        """When it holds."""
        return period_between(self.valid_from, self.valid_to)

    @property
    def valid_begin_at(self) -> datetime | None:
        """The moment from which it holds; None is open."""
        return None if self.valid_from is None else period_between(self.valid_from, None).begin

    @property
    def valid_end_at(self) -> datetime | None:
        """The moment from which it does not hold any more; None is open."""
        return None if self.valid_to is None else period_between(None, self.valid_to).end


RelationshipSort = Literal["created_at", "-created_at", "updated_at", "-updated_at"]


class RelationshipFilterFields(FactFilterFields, total=False):
    """The filters of a listing, as keyword arguments. `RelationshipFilter` says what they mean."""

    entity_id: UUID
    source_entity_id: UUID
    target_entity_id: UUID
    relationship_type: str | Sequence[str]
    valid_at: str


@attrs.frozen(kw_only=True)
class RelationshipFilter(FactFilter):
    """Which relationships a listing holds: with these ends, of any of these types, and as in `FactFilter`.

    ``entity_id`` is an entity at either end. ``valid_at`` is a date, as in `Date`: those that hold at some time in it.
    """

    entity_id: UUID | None = ruled(Optional(Id()), default=None)
    source_entity_id: UUID | None = ruled(Optional(Id()), default=None)
    target_entity_id: UUID | None = ruled(Optional(Id()), default=None)
    relationship_type: tuple[str, ...] = ruled(Each(TYPE_NAME, FILTER_VALUES_MAX, single=True), default=())
    valid_at: str | None = ruled(Optional(Date()), default=None)


_TRIPLE: Final = ("source_entity_id", "relationship_type", "target_entity_id", "key")

RELATIONSHIP: Final = Noun[Relationship, RelationshipDraft, RelationshipFilter, Triple](
    name="relationship",
    plural="relationships",
    record=Relationship,
    draft=RelationshipDraft,
    filter=RelationshipFilter,
    sorts={"created_at": "created_at", "updated_at": "updated_at"},
    unique=Unique("triple", _TRIPLE),
    conditions={
        **FACT_CONDITIONS,
        "entity_id": Condition(("source_entity_id", "target_entity_id")),
        "valid_at": Condition(("valid_begin_at", "valid_end_at"), "overlaps"),
    },
    fixed=_TRIPLE,
    hidden=FACT_HIDDEN,
    derived=("valid_begin_at", "valid_end_at"),
    empty_for_none=("key",),
    references={"source_entity_id": ENTITY, "target_entity_id": ENTITY},
    type_field="relationship_type",
    said_of_deleted=("deleted_with",),
)


class RelationshipRepository(Repository[Relationship, RelationshipFilter, Triple], Protocol):
    """Stores relationships; what is unique is their triple."""

    def touching(self, entity_id: UUID, limit: int) -> Sequence[Relationship]:
        """Up to ``limit`` active relationships with this entity at either end, ordered by id, locked for update."""

    def joined(self, entity_ids: Collection[UUID]) -> set[UUID]:
        """Those of these entities that an active relationship has at either end."""

    def restorable_with(self, entity_id: UUID, after: UUID | None, limit: int) -> Sequence[Relationship]:
        """Up to ``limit`` relationships of this entity that were deleted together with one of their ends.

        They are locked for update and ordered by id, after the id ``after``.
        """

    def mark(self, relationships: Sequence[Relationship]) -> None:
        """Store the next versions of relationships that were all deleted, or all restored, at once: all or none.

        They were read with a lock and differ from what is stored only in version, time and deletion; the last two are
        the same for all. `replace` does the same, but takes several times as long. Raises as `replace` does.
        """
