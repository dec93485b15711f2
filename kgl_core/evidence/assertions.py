"""Assertions: that a source supports a fact or speaks against it, who found that, where, and how surely."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple, Never, Protocol, TypedDict
from uuid import UUID

import attrs

from kgl_core.evidence.origins.sources import SOURCE, URI
from kgl_core.graph.entities import ENTITY, Json
from kgl_core.graph.facts import last_name
from kgl_core.graph.metadata import JsonValue
from kgl_core.graph.relationships import RELATIONSHIP
from kgl_core.graph.shared_fields import CONFIDENCE, EXTRACTOR
from kgl_core.kernel.checked_records import Built, check, ruled
from kgl_core.kernel.errors import Fault, InvalidInput
from kgl_core.kernel.field_rules import Choice, Each, Exact, Flag, Id, Integer, Optional, Text
from kgl_core.kernel.ids import AssertionId, EntityId, RelationshipId, RunId, SourceId
from kgl_core.kernel.nouns.noun import Condition, Noun
from kgl_core.kernel.nouns.repositories import Repository
from kgl_core.kernel.permissions import Actor
from kgl_core.kernel.text import name_form

VERSION: Final = Text(64)
ABOUT: Final = Text(
    2_000,
    pattern="/metadata/(?:[^~/]|~[01])*",
    advice="give /metadata/ and a name, such as /metadata/born; in a name, write ~ as ~0 and / as ~1",
)
LABEL: Final = Text(200, normalize=name_form)
QUOTE_BYTES_MAX: Final = 2048
LOCATIONS_MAX: Final = 200
_PLACE: Final = Integer(0, 2**31 - 1)


class Stance(StrEnum):
    """Whether the source says that the fact is so, or that it is not, or no longer."""

    FOR = "for"
    AGAINST = "against"


class LocationFields(TypedDict, total=False):
    """A place in a source, as keyword arguments. `Location` has the rules."""

    page: int | None
    sentence: int | None
    start: int | None
    end: int | None
    quote: str | None


@attrs.frozen(kw_only=True)
class Location:
    """A place in a source, checked as a whole: raises InvalidInput with every fault.

    ``page`` and ``sentence`` are counted as the extractor counts them. ``start`` and ``end`` are a span of characters,
    of which the last is not included; in the sentence if there is one, otherwise in the page or the whole source.
    ``quote`` is the text there, up to 2 KB.
    """

    page: int | None = ruled(Optional(_PLACE), default=None)
    sentence: int | None = ruled(Optional(_PLACE), default=None)
    start: int | None = ruled(Optional(_PLACE), default=None)
    end: int | None = ruled(Optional(_PLACE), default=None)
    quote: str | None = ruled(Optional(Exact(QUOTE_BYTES_MAX)), default=None)

    def __attrs_post_init__(self) -> None:
        check(self)
        if self.end is not None and (self.start is None or self.end < self.start):
            raise InvalidInput([Fault("/end", "out_of_range", "give a start as well, and no end before it")])


LOCATIONS: Final = Each(Built(Location), LOCATIONS_MAX)


class AssertionFields(TypedDict, total=False):
    """The fields that a caller gives an assertion, as keyword arguments. `AssertionDraft` has the rules."""

    source: str | None
    extractor: str | None
    extractor_version: str | None
    stance: str
    confidence: float | None
    locations: Sequence[Location | LocationFields]
    about: str | None
    value: Json


@attrs.frozen(kw_only=True)
class AssertionDraft:
    """What a caller says when they assert a fact, checked as a whole: raises InvalidInput with every fault.

    ``source`` is the URI of the source, or None for the caller's own word. ``extractor`` is the program that found it
    there, or None for a person. ``confidence`` is 0..1, or None for unknown. ``locations`` are the places in the
    source. With ``about``, the JSON Pointer to one name in the metadata such as /metadata/born, it is only about the
    ``value`` there, which is no null.
    """

    source: str | None = ruled(Optional(URI), default=None)
    extractor: str | None = ruled(Optional(EXTRACTOR), default=None)
    extractor_version: str | None = ruled(Optional(VERSION), default=None)
    stance: str = ruled(Choice(tuple(stance.value for stance in Stance)), default=Stance.FOR.value)
    confidence: float | None = ruled(CONFIDENCE, default=None)
    locations: tuple[Location, ...] = ruled(LOCATIONS, default=())
    about: str | None = ruled(Optional(ABOUT), default=None)
    value: Json = ruled(Optional(JsonValue()), default=None)

    def __attrs_post_init__(self) -> None:
        check(self)
        if self.value is None and self.about is not None:
            raise InvalidInput([Fault("/value", "required", f"give the value that {self.about} has there")])
        if self.value is not None and self.about is None:
            raise InvalidInput([Fault("/about", "required", "say what has this value, such as /metadata/born")])

    @property
    def values(self) -> Mapping[str, Any]:
        """The ``values`` of the assertion, if it is about one."""
        return {} if self.about is None else {"metadata": {last_name(self.about): self.value}}


@attrs.frozen(kw_only=True, slots=False)
class Assertion:
    """An assertion as a store keeps it; only its end is ever added.

    It is about an entity or a relationship, or with ``about`` only about the value under one name in its metadata:
    then it supports that value, and not the fact. Among those in force, one has the same fact, source, extractor,
    ``asserted_by`` and ``about``: when the same is said again otherwise, the assertion before it is withdrawn.
    ``values`` are the fields of the fact that it states. ``label`` is what the extractor calls the entity in that
    source.
    """

    id: AssertionId
    entity_id: EntityId | None = None
    relationship_id: RelationshipId | None = None
    source_id: SourceId | None = None
    extractor: str | None = None
    extractor_version: str | None = None
    label: str | None = None
    stance: Stance = Stance.FOR
    confidence: float | None = None
    locations: tuple[Location, ...] = ()
    values: Mapping[str, Any] = attrs.Factory(dict)
    about: str | None = None
    run: RunId | None = None
    asserted_by: Actor
    asserted_at: datetime
    withdrawn_at: datetime | None = None
    withdrawn_by: Actor | None = None
    withdrawn_run: RunId | None = None

    @property
    def fact_id(self) -> UUID:
        """The id of what it is about."""
        found: Any = self.entity_id or self.relationship_id
        fact: UUID = found
        return fact

    @property
    def created_at(self) -> datetime:
        """When it was asserted; what every kept record has."""
        return self.asserted_at

    @property
    def value(self) -> Any:
        """The value that it is about, or None."""
        return None if self.about is None else self.values["metadata"][last_name(self.about)]

    @property
    def is_support(self) -> bool:
        """Whether it says that the fact is so, and not only what one value in it is."""
        return self.stance is Stance.FOR and self.about is None

    @property
    def age(self) -> tuple[datetime, int]:
        """What sorts assertions by when they were made, always in the same way."""
        return (self.asserted_at, self.id.int)

    @property
    def by(self) -> tuple[SourceId | None, str | None, Actor, str | None]:
        """What tells it apart from other assertions of the same fact: source, extractor, author, and what in it."""
        return (self.source_id, self.extractor, self.asserted_by, self.about)


@attrs.frozen(kw_only=True, slots=False)
class SourcedAssertion(Assertion):
    """An assertion with the URI of its source, if it has one."""

    source: str | None


class AssertionFilterFields(TypedDict, total=False):
    """The filters of a listing, as keyword arguments. `AssertionFilter` says what they mean."""

    entity_id: UUID
    relationship_id: UUID
    source_id: UUID
    extractor: str
    stance: str
    is_withdrawn: bool | None


@attrs.frozen(kw_only=True)
class AssertionFilter:
    """Which assertions a listing holds; None means any. Those that were withdrawn are left out unless asked for."""

    entity_id: UUID | None = ruled(Optional(Id()), default=None)
    relationship_id: UUID | None = ruled(Optional(Id()), default=None)
    source_id: UUID | None = ruled(Optional(Id()), default=None)
    extractor: str | None = ruled(Optional(EXTRACTOR), default=None)
    stance: str | None = ruled(Optional(Choice(tuple(stance.value for stance in Stance))), default=None)
    is_withdrawn: bool | None = ruled(Optional(Flag()), default=False)

    def __attrs_post_init__(self) -> None:
        check(self)


ASSERTION: Final = Noun[Assertion, AssertionDraft, AssertionFilter, Never](
    name="assertion",
    plural="assertions",
    record=Assertion,
    draft=AssertionDraft,
    filter=AssertionFilter,
    sorts={"asserted_at": "asserted_at"},
    fixed=tuple(field.name for field in attrs.fields(Assertion) if not field.name.startswith("withdrawn_")),
    conditions={"is_withdrawn": Condition(("withdrawn_at",), "is_set")},
    references={"entity_id": ENTITY, "relationship_id": RELATIONSHIP, "source_id": SOURCE},
)


class Contributed(NamedTuple):
    """What an assertion says of a fact, whether that is active, and how many sources support it."""

    fact_id: UUID
    is_entity: bool
    extractor: str | None
    stance: Stance
    is_active: bool
    sources_for: int


class AssertionRepository(Repository[Assertion, AssertionFilter, Never], Protocol):
    """Stores assertions. Those in force are those that are not withdrawn."""

    def of_entities(self, ids: Collection[UUID]) -> Sequence[Assertion]:
        """The assertions in force about these entities, in any order."""

    def of_relationships(self, ids: Collection[UUID]) -> Sequence[Assertion]:
        """The assertions in force about these relationships, in any order."""

    def extracted(self, source_id: UUID, extractor: str, by: Actor) -> Sequence[Assertion]:
        """What is in force that this actor's extractor found in this source, in any order."""

    def found_by(self, extractor: str, after: UUID | None, limit: int) -> Sequence[Assertion]:
        """Up to ``limit`` that are in force and that this extractor found, ordered by id, after the id ``after``."""

    def labels(self, source_id: UUID, extractor: str, by: Actor) -> Sequence[tuple[str | None, UUID, bool]]:
        """Of each that `extracted` gives of a whole fact: its label, the fact, and if that is active; in any order."""

    def contributed(self, source_id: UUID, most: int) -> Sequence[Contributed]:
        """What is in force of a source about facts as a whole: that which was asserted first, up to ``most``."""

    def stated_alone(self, uri: str, most: int) -> tuple[int, int]:
        """How many active entities and relationships name this source of which only their creator has said anything.

        Up to ``most`` of each are counted. What they say themselves is no assertion here.
        """

    def sharing(
        self, source_id: UUID, most: int, most_others: int, limit: int
    ) -> tuple[Sequence[tuple[UUID, int]], int]:
        """Other sources with the numbers of active facts that they support as this one does, the largest first.

        At most ``limit`` of them, those with one number by id. Up to ``most`` assertions of this one are looked at, and
        up to ``most_others`` of others; how many of these is told as well.
        """

    def withdrawn(
        self, source_id: UUID, extractor: str, by: Actor, at: datetime, run: UUID | None
    ) -> Sequence[Assertion]:
        """What this actor's extractor found in this source and this run withdrew at this moment, in any order."""

    def labelled(self, source_id: UUID, extractor: str, labels: Collection[str]) -> Sequence[Assertion]:
        """Every assertion that this extractor gave one of these labels in this source, in any order."""

    def withdraw(self, ids: Collection[UUID], at: datetime, by: Actor, run: UUID | None) -> None:
        """Withdraw these assertions, which are in force."""

    def reinstate(self, ids: Collection[UUID]) -> None:
        """Put these assertions, which were withdrawn, in force again."""
