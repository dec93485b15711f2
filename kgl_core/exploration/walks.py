"""Walks: which relationships they follow and in which order, and the port that finds them.

A walk goes from entity to entity along active relationships. What leaves an entity is always in the same order, the
strongest first: by confidence, where unknown comes last, then the newest, then by id.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, Protocol, TypedDict
from uuid import UUID

import attrs

from kgl_core.graph.nouns import GraphNoun
from kgl_core.graph.relationships import Relationship
from kgl_core.graph.shared_fields import CONFIDENCE, FILTER_VALUES_MAX, SOURCES
from kgl_core.kernel.checked_records import check, ruled
from kgl_core.kernel.errors import InvalidCursor
from kgl_core.kernel.field_rules import TYPE_NAME, Choice, Each, Optional
from kgl_core.kernel.periods import Date

Direction = Literal["out", "in", "both"]
_TYPES: Final = Each(TYPE_NAME, FILTER_VALUES_MAX, single=True)
WEIGHT_MAX: Final = 1e300
"""What a step may weigh, so that the sum of a path is finite."""


class WalkFilterFields(TypedDict, total=False):
    """The filters of a walk, as keyword arguments. `WalkFilter` says what they mean."""

    direction: Direction
    relationship_type: str | Sequence[str]
    not_relationship_type: str | Sequence[str]
    entity_type: str | Sequence[str]
    min_confidence: float
    min_sources: int
    valid_at: str


@attrs.frozen(kw_only=True)
class WalkFilter:
    """What a walk follows, checked as a whole: raises InvalidInput with every fault.

    ``direction`` is along the relationships (out), against them (in), or both. A relationship is followed if it has any
    of ``relationship_type`` and none of ``not_relationship_type``, a known confidence of at least ``min_confidence``,
    at least ``min_sources`` sources, and holds at some time in ``valid_at``, a date as in `Date`. Only entities of any
    of ``entity_type`` are entered; where a walk begins and where a path ends is free. What is not given asks for
    nothing.
    """

    direction: Direction = ruled(Choice(("both", "out", "in")), default="both")
    relationship_type: tuple[str, ...] = ruled(_TYPES, default=())
    not_relationship_type: tuple[str, ...] = ruled(_TYPES, default=())
    entity_type: tuple[str, ...] = ruled(_TYPES, default=())
    min_confidence: float | None = ruled(CONFIDENCE, default=None)
    min_sources: int | None = ruled(SOURCES, default=None)
    valid_at: str | None = ruled(Optional(Date()), default=None)

    def __attrs_post_init__(self) -> None:
        check(self)
        # The same filter is always the same value, so that cursors and statements made for one fit the other.
        for name in ("relationship_type", "not_relationship_type", "entity_type"):
            object.__setattr__(self, name, tuple(sorted(set(getattr(self, name)))))


def filters_of(walk: WalkFilter) -> tuple[Any, ...]:
    """What a walk's filters ask, for cursors that are good for the same walk only."""
    return tuple(getattr(walk, field.name) for field in attrs.fields(WalkFilter))


class Place(NamedTuple):
    """A place in the order of what leaves an entity: that of one relationship."""

    confidence: float | None
    created_at: datetime
    id: UUID


def place_parts(place: Place) -> tuple[str, str, str]:
    """A place as the last parts of a cursor: what `PLACE_KINDS` decode and `place_of` makes a place of."""
    confidence = "" if place.confidence is None else repr(place.confidence)
    return (confidence, str(place.id), place.created_at.isoformat())


PLACE_KINDS: Final = (str, UUID, datetime)


def place_of(confidence: str, id: UUID, created_at: datetime) -> Place:
    """The place in a cursor. Raises InvalidCursor."""
    try:
        return Place(float(confidence) if confidence else None, created_at, id)
    except ValueError:
        raise InvalidCursor from None


class Step(NamedTuple):
    """A relationship, as it is followed from one entity to another.

    ``is_forward`` says whether that is from its source to its target. ``weight`` is what the walk asked for of its
    metadata; None if there is no number. `Walks.between` alone tells the ``relationship_type``.
    """

    from_id: UUID
    to_id: UUID
    place: Place
    is_forward: bool
    weight: float | None = None
    relationship_type: str | None = None

    @property
    def id(self) -> UUID:
        """The relationship's id."""
        return self.place.id

    def back(self) -> Step:
        """The same relationship, followed the other way."""
        return self._replace(from_id=self.to_id, to_id=self.from_id, is_forward=not self.is_forward)


def strength(place: Place | Relationship) -> tuple[float, float, int]:
    """A key to sort places or relationships by, the strongest first."""
    confidence = 1.0 if place.confidence is None else -place.confidence
    return (confidence, -place.created_at.timestamp(), place.id.int)


def opposite(direction: Direction) -> Direction:
    """The direction in which a walk goes back."""
    return {"out": "in", "in": "out", "both": "both"}[direction]  # type: ignore[return-value]


@attrs.frozen
class Degree:
    """How many relationships of one type leave or enter an entity. One with itself is counted in both directions."""

    relationship_type: str
    direction: Direction
    count: int


class Walks(Protocol):
    """Port: reads the graph's active relationships for walks. All that it gives is ordered the same in every store."""

    def steps(
        self,
        entity_ids: Sequence[UUID],
        filter: WalkFilter,
        *,
        each: int | None = None,
        limit: int,
        after: Place | None = None,
        free: Collection[UUID] = (),
        weight: str | None = None,
    ) -> Sequence[Step]:
        """What leaves these entities: up to ``each`` steps of each and ``limit`` in all, those after a place.

        They come in the order of ``entity_ids``, which has each once, and the strongest first of each. A relationship
        of an entity with itself is one step. ``free`` are entities that may be entered whatever their type is.
        ``weight`` is the name in the metadata of relationships whose number is wanted.
        """

    def neighbors(
        self, entity_ids: Sequence[UUID], filter: WalkFilter, *, limit: int, free: Collection[UUID] = ()
    ) -> Sequence[tuple[UUID, UUID]]:
        """What `steps` finds, but only the entity that is left and the one that is entered, and in any order."""

    def distances(self, entity_id: UUID, filter: WalkFilter, depth: int, least: int) -> Mapping[UUID, int]:
        """The entities up to ``depth`` from one, which itself is at 0, with their distances.

        The walk may end once it has found ``least`` of them; whatever is nearer than the farthest of these is there.
        Empty if the entity is not there or deleted.
        """

    def counts(self, entity_ids: Collection[UUID], filter: WalkFilter, most: int) -> Mapping[UUID, int]:
        """How many steps leave each of these entities; counting stops at ``most`` for each."""

    def between(
        self, source_ids: Collection[UUID], target_ids: Collection[UUID], filter: WalkFilter, limit: int
    ) -> Sequence[Step]:
        """The relationships from any of the one entities to any of the others: up to ``limit``, the strongest first.

        They are steps forward, with their types. The filter's direction and entity types do not matter.
        """

    def degrees(self, entity_id: UUID) -> Sequence[Degree]:
        """How many active relationships an entity has by type and direction, sorted by both: in before out."""

    def parts(self, noun: GraphNoun, ids: Collection[UUID], names: Sequence[str]) -> Mapping[UUID, Mapping[str, Any]]:
        """These fields of the active records with these ids, of which ``id`` is one; nothing else of them is read."""


def joining(
    walks: Walks, filter: WalkFilter, ids: Collection[UUID], others: Collection[UUID], limit: int
) -> list[Step]:
    """The steps from some entities to others that a filter admits, in its direction: up to ``limit`` each way."""
    steps: list[Step] = []
    if filter.direction != "in":
        steps += walks.between(ids, others, filter, limit)
    if filter.direction != "out":
        steps += [step.back() for step in walks.between(others, ids, filter, limit)]
    return steps


def weight_of(value: Any) -> float | None:
    """A value of metadata as a weight; None for what is no number from 0 to WEIGHT_MAX."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= WEIGHT_MAX else None
