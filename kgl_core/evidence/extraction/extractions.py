"""Extractions: what one extractor found in one document, and what became of it.

An extraction names its entities by labels of its own, and its relationships name their ends by these labels, by keys or
by ids. Its items are checked one by one: a faulty one does not spoil the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import attrs

from kgl_core.evidence.assertions import LABEL, LOCATIONS, VERSION, Location
from kgl_core.evidence.origins.sources import TITLE, URI
from kgl_core.evidence.outcomes import FactOutcome
from kgl_core.graph.entities import ALIASES, KEY, NAME, Json
from kgl_core.graph.metadata import JsonObject
from kgl_core.graph.relationships import require_period
from kgl_core.graph.shared_fields import CONFIDENCE, EXTRACTOR, SOURCE_TYPE
from kgl_core.kernel.checked_records import BuiltLater, check, ruled
from kgl_core.kernel.errors import Fault, InvalidInput
from kgl_core.kernel.field_rules import TYPE_NAME, Each, Flag, Id, Optional
from kgl_core.kernel.periods import Date

ITEMS_MAX: Final = 10_000


@attrs.frozen(kw_only=True)
class ExtractionAddress:
    """What identifies an extraction besides its caller, checked as a whole: raises InvalidInput with every fault."""

    source: str = ruled(URI)
    extractor: str = ruled(EXTRACTOR)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class ExtractedEntity:
    """An entity that an extractor found, checked as a whole: raises InvalidInput with every fault.

    It is the entity with this id, or with this key, or that the label meant in this source before; otherwise it is a
    new one. One of the three is needed.
    """

    label: str | None = ruled(Optional(LABEL), default=None)
    id: UUID | None = ruled(Optional(Id()), default=None)
    key: str | None = ruled(Optional(KEY), default=None)
    type: str = ruled(TYPE_NAME)
    name: str = ruled(NAME)
    aliases: tuple[str, ...] = ruled(ALIASES, default=())
    confidence: float | None = ruled(CONFIDENCE, default=None)
    metadata: Mapping[str, Json] = ruled(JsonObject(), default=attrs.Factory(dict))
    locations: tuple[Location, ...] = ruled(LOCATIONS, default=())

    def __attrs_post_init__(self) -> None:
        check(self)
        if self.label is None and self.id is None and self.key is None:
            advice = "give a label, a key or an id, or a second extraction would make a second entity"
            raise InvalidInput([Fault("/label", "required", advice)])


@attrs.frozen(kw_only=True)
class ExtractedRelationship:
    """A relationship that an extractor found, checked as a whole: raises InvalidInput with every fault.

    Each end is named in one way: by the label of an entity in the same extraction, by key, or by id.
    """

    source_entity_label: str | None = ruled(Optional(LABEL), default=None)
    source_entity_key: str | None = ruled(Optional(KEY), default=None)
    source_entity_id: UUID | None = ruled(Optional(Id()), default=None)
    relationship_type: str = ruled(TYPE_NAME)
    target_entity_label: str | None = ruled(Optional(LABEL), default=None)
    target_entity_key: str | None = ruled(Optional(KEY), default=None)
    target_entity_id: UUID | None = ruled(Optional(Id()), default=None)
    key: str | None = ruled(Optional(KEY), default=None)
    valid_from: str | None = ruled(Optional(Date()), default=None)
    valid_to: str | None = ruled(Optional(Date()), default=None)
    confidence: float | None = ruled(CONFIDENCE, default=None)
    metadata: Mapping[str, Json] = ruled(JsonObject(), default=attrs.Factory(dict))
    locations: tuple[Location, ...] = ruled(LOCATIONS, default=())

    def __attrs_post_init__(self) -> None:
        check(self)
        faults = [
            Fault(f"/{end}_entity_label", "end", f"name the {end} in one way: by label, key or id")
            for end, names in (("source", self.source), ("target", self.target))
            if sum(name is not None for name in names) != 1
        ]
        if faults:
            raise InvalidInput(faults)
        require_period(self.valid_from, self.valid_to)

    @property
    def source(self) -> tuple[str | None, str | None, UUID | None]:
        """The label, the key and the id of its source, of which one is given."""
        return (self.source_entity_label, self.source_entity_key, self.source_entity_id)

    @property
    def target(self) -> tuple[str | None, str | None, UUID | None]:
        """The label, the key and the id of its target, of which one is given."""
        return (self.target_entity_label, self.target_entity_key, self.target_entity_id)


@attrs.frozen(kw_only=True)
class Extraction:
    """All that an extractor found in one document, checked as a whole: raises InvalidInput with every fault.

    ``version`` is that of the extractor; ``title``, ``type`` and ``published`` describe the source. An extraction that
    is not ``complete`` retires nothing. With ``match_names``, an entity without key that has not been seen in this
    source is taken for the only active one of its type with the same name, apart from case and accents.

    The items are checked later, one by one: see `ExtractedEntity` and `ExtractedRelationship`.
    """

    version: str | None = ruled(Optional(VERSION), default=None)
    title: str | None = ruled(Optional(TITLE), default=None)
    type: str | None = ruled(SOURCE_TYPE, default=None)
    published: str | None = ruled(Optional(Date()), default=None)
    complete: bool = ruled(Flag(), default=True)
    match_names: bool = ruled(Flag(), default=False)
    entities: tuple[Any, ...] = ruled(Each(BuiltLater(ExtractedEntity), ITEMS_MAX), default=())
    relationships: tuple[Any, ...] = ruled(Each(BuiltLater(ExtractedRelationship), ITEMS_MAX), default=())

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class ItemNote:
    """What there is to tell of one item: where it stands in the extraction (a JSON Pointer), a code and an advice.

    ``is_refused`` tells an item that was refused from one that was accepted, but not as it says.
    """

    pointer: str
    code: str
    detail: str
    is_refused: bool = True
    id: UUID | None = None


@attrs.frozen(kw_only=True)
class ExtractionResult:
    """What became of an extraction: how many facts it created, updated, restored and retired, or left unchanged.

    ``labels`` has the ids of its entities. ``items`` are the notes about the items that were refused, or are otherwise
    than they say. ``retires`` says whether what it does not name could be retired: not if it is incomplete, or if an
    item was refused. ``run`` is None where the very same document is in force already, so that nothing was written.
    """

    run: UUID | None
    created: int
    updated: int
    restored: int
    retired: int
    unchanged: int
    refused: int
    retires: bool
    labels: Mapping[str, UUID]
    items: tuple[ItemNote, ...]

    @staticmethod
    def counting(outcomes: Sequence[FactOutcome]) -> dict[str, int]:
        """How many facts had each outcome, by the name of the field."""
        return {outcome.value: outcomes.count(outcome) for outcome in FactOutcome}


@attrs.frozen(kw_only=True)
class Supported:
    """A fact that stays although something was withdrawn.

    ``sources`` are the URIs of those that support it, with None for what was said without a source.
    """

    kind: str
    id: UUID
    sources: tuple[str | None, ...]


@attrs.frozen(kw_only=True)
class Moved:
    """A retired fact whose key, or place between its ends, another one has taken, which the evidence supports now."""

    kind: str
    id: UUID
    to: UUID


@attrs.frozen(kw_only=True)
class WithdrawalResult:
    """What became of the facts of an extraction that was withdrawn, or put in force again.

    ``retired`` and ``restored`` are the ids of those that went or came back; ``kept`` are those that stay, and why.
    ``moved`` are those that can't come back beside others, and the others, which what is reinstated supports instead.
    ``untouched`` are the ids of those that stay as they are: somebody had deleted them, or one of their ends.
    """

    run: UUID | None
    withdrawn: int = 0
    reinstated: int = 0
    retired: tuple[UUID, ...] = ()
    restored: tuple[UUID, ...] = ()
    kept: tuple[Supported, ...] = ()
    moved: tuple[Moved, ...] = ()
    untouched: tuple[UUID, ...] = ()
