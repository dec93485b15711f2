"""Entities: the nodes of the graph, the rules for their fields, and the port that stores them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, Protocol, TypedDict
from uuid import UUID

import attrs

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
from kgl_core.kernel.field_rules import TYPE_NAME, Choice, Each, Flag, Id, Names, Optional, Text
from kgl_core.kernel.ids import EntityId
from kgl_core.kernel.pages import Position
from kgl_core.kernel.permissions import Actor
from kgl_core.kernel.text import name_form, search_form

NAME_LENGTH_MAX: Final = 500
ALIASES_MAX: Final = 100
KEY_LENGTH_MAX: Final = 500
SORT_NAME_LENGTH: Final = 200
SELECTED_MAX: Final = 1_000
"""How many entities can be asked for at once."""
NAMED_MAX: Final = 5_000
"""How many entities the names of one selection may find."""

NAME: Final = Text(NAME_LENGTH_MAX, normalize=name_form)
KEY: Final = Text(KEY_LENGTH_MAX)
ALIASES: Final = Names(Each(NAME, ALIASES_MAX))

Json = Any
"""A value of JSON: None, bool, int, float, str, and lists and dicts of them."""


class EntityFields(TypedDict, total=False):
    """The fields that a caller gives an entity, as keyword arguments. `EntityDraft` has the rules."""

    type: str
    name: str
    aliases: Sequence[str]
    key: str | None
    confidence: float | None
    source: str | None
    source_type: str | None
    metadata: Mapping[str, Json]


@attrs.frozen(kw_only=True)
class EntityDraft:
    """What a caller says of an entity, checked as a whole: raises InvalidInput with every fault.

    ``type`` and ``name`` are required. ``aliases`` are other names; of several spellings of one, the first stays.
    ``key`` is the caller's own stable id, unique among the active. ``confidence`` is 0..1, or None for unknown.
    """

    type: str = ruled(TYPE_NAME)
    name: str = ruled(NAME)
    aliases: tuple[str, ...] = ruled(ALIASES, default=())
    key: str | None = ruled(Optional(KEY), default=None)
    confidence: float | None = ruled(CONFIDENCE, default=None)
    source: str | None = ruled(SOURCE, default=None)
    source_type: str | None = ruled(SOURCE_TYPE, default=None)
    metadata: Mapping[str, Json] = ruled(JsonObject(), default=attrs.Factory(dict))

    def __attrs_post_init__(self) -> None:
        check(self)


def sort_name(name: str) -> str:
    """What an entity with this name is sorted by; it is the same for all spellings of a name."""
    return search_form(name)[:SORT_NAME_LENGTH]


@attrs.frozen(kw_only=True, slots=False)  # with slots, making one takes twice as long
class Entity:
    """A node of the graph as a store keeps it: a checked draft, and what kgl knows of it.

    ``version`` counts from 1 and grows by 1 with every change. ``deleted_at`` and ``deleted_by`` are set together.
    """

    id: EntityId
    type: str
    name: str
    aliases: tuple[str, ...]
    key: str | None
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

    @property
    def is_active(self) -> bool:
        """Whether it is not deleted."""
        return self.deleted_at is None

    def sort_value(self, field: str) -> datetime | str:
        """The value to sort this entity by: created_at, updated_at or name."""
        value: datetime | str = self.sort_name if field == "name" else getattr(self, field)
        return value

    @property
    def sort_name(self) -> str:
        """The name as search compares it, which listings sort by, cut so that it fits into any index."""
        return sort_name(self.name)


EntitySort = Literal["created_at", "-created_at", "updated_at", "-updated_at", "name", "-name"]
ENTITY_SORTS: Final[tuple[str, ...]] = ("created_at", "-created_at", "updated_at", "-updated_at", "name", "-name")


class EntityFilterFields(RecordFilterFields, total=False):
    """The filters of a listing, as keyword arguments. `EntityFilter` says what they mean."""

    type: str | Sequence[str]


@attrs.frozen(kw_only=True)
class EntityFilter(RecordFilter):
    """Which entities a listing holds: those of any of these types, and as in `RecordFilter`."""

    type: tuple[str, ...] = ruled(Each(TYPE_NAME, FILTER_VALUES_MAX, single=True), default=())


@attrs.frozen(kw_only=True)
class EntitySelection:
    """Entities to fetch at once, by id, by key or by name: up to 1,000 of these in all.

    A name finds the entities whose own name is the same apart from case and accents. ``is_active`` is true unless said
    otherwise; false finds the deleted ones, null both.
    """

    ids: tuple[UUID, ...] = ruled(Each(Id(), SELECTED_MAX), default=())
    keys: tuple[str, ...] = ruled(Each(KEY, SELECTED_MAX), default=())
    names: tuple[str, ...] = ruled(Each(NAME, SELECTED_MAX), default=())
    is_active: bool | None = ruled(Optional(Flag()), default=True)

    def __attrs_post_init__(self) -> None:
        check(self)
        number = len(self.ids) + len(self.keys) + len(self.names)
        if number > SELECTED_MAX:
            advice = f"at most {SELECTED_MAX} ids, keys and names in all, not {number}; ask in several requests"
            raise InvalidInput([Fault("", "too_many", advice)])


class End(NamedTuple):
    """What a relationship needs to know of an entity at its end."""

    id: EntityId
    key: str | None
    is_active: bool


SORT: Final = Choice(ENTITY_SORTS)


class EntityRepository(Protocol):
    """Stores entities, including deleted ones. Every method sees what its unit of work sees."""

    def get(self, id: UUID) -> Entity | None:
        """The entity with this id, active or deleted; None when there is none."""

    def get_by_key(self, key: str) -> Entity | None:
        """The active entity with this key; None when there is none."""

    def find(
        self, ids: Collection[UUID], keys: Collection[str] = (), *, lock: Literal["update", "share"] | None = None
    ) -> Sequence[Entity]:
        """The entities with any of these ids or keys, active and deleted, in any order, each once.

        With ``lock``, other units of work can't change them (``share``), or lock them (``update``), until this one
        ends. Raises TransactionConflict when two units of work wait for each other.
        """

    def ends(self, ids: Collection[UUID], keys: Collection[str] = ()) -> Sequence[End]:
        """The entities with any of these ids or keys, as ends, found and locked like `find` with ``lock="share"``."""

    def find_by_sort_name(self, sort_names: Collection[str], limit: int) -> Sequence[Entity]:
        """Up to ``limit`` entities with any of these sort names, active and deleted, in any order."""

    def list(self, filter: EntityFilter, sort: EntitySort, after: Position | None, limit: int) -> Sequence[Entity]:
        """Up to ``limit`` entities that match ``filter``, ordered by ``sort``, then id, after position ``after``."""

    def count(self, filter: EntityFilter) -> int:
        """How many entities match ``filter``."""

    def count_by_type(self) -> dict[str, int]:
        """How many active entities of each type there are, sorted by type."""

    def count_deleted(self) -> int:
        """How many deleted entities there are."""

    def scan(self, after: UUID | None, limit: int) -> Sequence[Entity]:
        """Up to ``limit`` entities, active and deleted, ordered by id, after the id ``after``."""

    def add(self, entities: Sequence[Entity]) -> None:
        """Store new entities: all or none. Raises AlreadyExists when an id, or the key of an active one, is taken."""

    def clear_keys(self, ids: Collection[UUID]) -> None:
        """Take the keys from these entities, so that others can have them; `replace` must follow for each."""

    def replace(self, entities: Sequence[Entity]) -> None:
        """Store new versions of entities: all or none.

        Raises StaleVersion unless every stored version is lower, and AlreadyExists when a key is taken.
        """
