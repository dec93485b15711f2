"""Entities: the nodes of the graph, the rules for their fields, and the port that stores them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, Protocol, TypedDict
from uuid import UUID

import attrs

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
from kgl_core.kernel.field_rules import TYPE_NAME, Each, Faults, Flag, Id, Names, Optional, Text
from kgl_core.kernel.ids import EntityId
from kgl_core.kernel.nouns.noun import Condition, Noun, Unique
from kgl_core.kernel.nouns.records import SELECTED_MAX, said_first
from kgl_core.kernel.nouns.repositories import Repository
from kgl_core.kernel.text import is_visible, name_form, search_form

NAME_LENGTH_MAX: Final = 500
ALIASES_MAX: Final = 100
KEY_LENGTH_MAX: Final = 500
SORT_NAME_LENGTH: Final = 200
NAMED_MAX: Final = 5_000
"""How many entities the names of one selection may find."""

NAME: Final = Text(NAME_LENGTH_MAX, normalize=name_form)
KEY: Final = Text(KEY_LENGTH_MAX)
BEGINNING: Final = Text(SORT_NAME_LENGTH)
"""What `Beginning` takes."""
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


@attrs.frozen(kw_only=True, slots=False, field_transformer=said_first)
class Entity(Fact):
    """A node of the graph as a store keeps it: a checked draft, and what kgl notes of it."""

    id: EntityId
    type: str
    name: str
    aliases: tuple[str, ...]
    key: str | None
    confidence: float | None
    source: str | None
    source_type: str | None
    metadata: Mapping[str, Json]

    @property
    def sort_name(self) -> str:
        """The name as search compares it, which listings sort by, cut so that it fits into any index."""
        return sort_name(self.name)


@attrs.frozen
class Beginning:
    """How a name begins; stored as lists sort it, which is as long as they sort by, at most."""

    def __call__(self, value: Any, pointer: str, faults: Faults) -> Any:
        before = len(faults)
        given = BEGINNING(value, pointer, faults)
        if len(faults) > before:
            return value
        folded = search_form(given)
        if not is_visible(folded):
            faults.append(Fault(pointer, "blank", "give at least one character that is no mere accent"))
        elif len(folded) > SORT_NAME_LENGTH:
            advice = f"at most {SORT_NAME_LENGTH} characters as names are sorted, not {len(folded)}"
            faults.append(Fault(pointer, "too_long", advice))
        return folded


EntitySort = Literal["created_at", "-created_at", "updated_at", "-updated_at", "name", "-name"]


class EntityFilterFields(FactFilterFields, total=False):
    """The filters of a listing, as keyword arguments. `EntityFilter` says what they mean."""

    type: str | Sequence[str]
    name: str | Sequence[str]
    name_prefix: str


@attrs.frozen(kw_only=True)
class EntityFilter(FactFilter):
    """Which entities a listing holds: those of any of these types, and as in `FactFilter`.

    ``name`` is their own name, or any of several, apart from case and the accents of Latin letters; aliases do not
    count. ``name_prefix`` is how their name begins, as lists sort names: apart from case, accents and width.
    """

    type: tuple[str, ...] = ruled(Each(TYPE_NAME, FILTER_VALUES_MAX, single=True), default=())
    name: tuple[str, ...] = ruled(Each(NAME, FILTER_VALUES_MAX, single=True), default=())
    name_prefix: str | None = ruled(Optional(Beginning()), default=None)


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


ENTITY: Final = Noun[Entity, EntityDraft, EntityFilter, str](
    name="entity",
    plural="entities",
    record=Entity,
    draft=EntityDraft,
    filter=EntityFilter,
    sorts={"created_at": "created_at", "updated_at": "updated_at", "name": "sort_name"},
    unique=Unique("key", ("key",)),
    conditions={
        **FACT_CONDITIONS,
        "name": Condition(("name", "sort_name"), "same_name", sort_form=sort_name),
        "name_prefix": Condition(("sort_name",), "begins"),
    },
    hidden=FACT_HIDDEN,
    derived=("sort_name",),
    type_field="type",
)


class EntityRepository(Repository[Entity, EntityFilter, str], Protocol):
    """Stores entities; what is unique is their key."""

    def ends(self, ids: Collection[UUID], keys: Collection[str] = ()) -> Sequence[End]:
        """The entities with any of these ids or keys, as ends, found and locked like `find` with ``lock="share"``."""

    def find_by_sort_name(self, sort_names: Collection[str], limit: int) -> Sequence[Entity]:
        """Up to ``limit`` entities with any of these sort names, active and deleted, in any order."""

    def index_names(self, entities: Sequence[Entity]) -> None:
        """Index the names of these entities anew, whatever the index holds of them. `add` and `replace` do so, too."""

    def tidy_names(self) -> None:
        """Remove from the index of names what belongs to no entity, and rebuild what it keeps beside the names."""

    def clear_keys(self, ids: Collection[UUID]) -> None:
        """Take the keys from these entities, so that others can have them; `replace` must follow for each."""
