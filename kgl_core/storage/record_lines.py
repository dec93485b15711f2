"""Lines: records of the graph as JSON objects, one a line (NDJSON), for loads and dumps.

A line names the ``kind`` of its record, which is the name of a noun. An entity is identified by its id or its key, a
relationship by its id or by its ends, type and key; the ends are named by id or by key. ``docs/reference/ndjson.md``
describes the format for its users.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar, Final
from uuid import UUID

import attrs

from kgl_core.graph.entities import ALIASES, ENTITY, KEY, NAME, Json
from kgl_core.graph.metadata import JsonObject
from kgl_core.graph.nouns import GRAPH_NOUNS, GraphNoun, noun_of
from kgl_core.graph.relationships import RELATIONSHIP, require_period
from kgl_core.graph.shared_fields import CONFIDENCE, SOURCE, SOURCE_TYPE
from kgl_core.kernel.checked_records import MISSING, build, check, required, ruled, rules_of
from kgl_core.kernel.errors import Fault, InvalidInput
from kgl_core.kernel.field_rules import TYPE_NAME, Flag, Id, Optional
from kgl_core.kernel.nouns.json_records import json_line
from kgl_core.kernel.nouns.records import Record
from kgl_core.kernel.periods import Date
from kgl_core.kernel.strict_json import MALFORMED, parse_json

LINE_BYTES_MAX: Final = 1024 * 1024


@attrs.frozen(kw_only=True, slots=False)  # as for records: with slots, making one takes longer
class EntityLine:
    """What a line says about an entity, checked as a whole: raises InvalidInput with every fault.

    ``given`` are the fields that the line has, even if they are null; ``aliases`` and ``metadata`` are None when they
    are null. Those of ``never_empty`` are never null.
    """

    never_empty: ClassVar[Sequence[str]] = ENTITY.required
    id: UUID | None = ruled(Optional(Id()), default=None)
    type: str | None = ruled(Optional(TYPE_NAME), default=None)
    name: str | None = ruled(Optional(NAME), default=None)
    aliases: tuple[str, ...] | None = ruled(Optional(ALIASES), default=())
    key: str | None = ruled(Optional(KEY), default=None)
    confidence: float | None = ruled(CONFIDENCE, default=None)
    source: str | None = ruled(SOURCE, default=None)
    source_type: str | None = ruled(SOURCE_TYPE, default=None)
    metadata: Mapping[str, Json] | None = ruled(Optional(JsonObject()), default=attrs.Factory(dict))
    is_active: bool = ruled(Flag(), default=True)
    given: Collection[str] = ()

    def __attrs_post_init__(self) -> None:
        check(self)
        if self.id is None and self.key is None:
            raise InvalidInput(
                [Fault("/key", "required", "give a key or an id, or a second load would make a second entity")]
            )


@attrs.frozen(kw_only=True, slots=False)
class RelationshipLine:
    """What a line says about a relationship, checked as a whole: raises InvalidInput with every fault.

    Each end is named by id or by key, not by both. A line that names the relationship by id may leave out the ends and
    the type. ``deleted_with`` is the end that it was deleted with. ``given`` is as in `EntityLine`.
    """

    never_empty: ClassVar[Sequence[str]] = ("relationship_type",)  # the ends may be named by key
    id: UUID | None = ruled(Optional(Id()), default=None)
    source_entity_id: UUID | None = ruled(Optional(Id()), default=None)
    source_entity_key: str | None = ruled(Optional(KEY), default=None)
    relationship_type: str | None = ruled(Optional(TYPE_NAME), default=None)
    target_entity_id: UUID | None = ruled(Optional(Id()), default=None)
    target_entity_key: str | None = ruled(Optional(KEY), default=None)
    confidence: float | None = ruled(CONFIDENCE, default=None)
    source: str | None = ruled(SOURCE, default=None)
    source_type: str | None = ruled(SOURCE_TYPE, default=None)
    metadata: Mapping[str, Json] | None = ruled(Optional(JsonObject()), default=attrs.Factory(dict))
    key: str | None = ruled(Optional(KEY), default=None)
    valid_from: str | None = ruled(Optional(Date()), default=None)
    valid_to: str | None = ruled(Optional(Date()), default=None)
    is_active: bool = ruled(Flag(), default=True)
    deleted_with: UUID | None = ruled(Optional(Id()), default=None)
    given: Collection[str] = ()

    def __attrs_post_init__(self) -> None:
        check(self)
        faults = self.missing() if self.id is None else []
        if self.source_entity_id is not None and self.source_entity_key is not None:
            faults.append(_end_fault("source"))
        if self.target_entity_id is not None and self.target_entity_key is not None:
            faults.append(_end_fault("target"))
        if self.deleted_with is not None and self.is_active:
            faults.append(Fault("/deleted_with", "not_deleted", "only a deleted relationship has it; leave it out"))
        if faults:
            raise InvalidInput(faults)
        require_period(self.valid_from, self.valid_to)

    @property
    def names_source(self) -> bool:
        """Whether it names its source."""
        return self.source_entity_id is not None or self.source_entity_key is not None

    @property
    def names_target(self) -> bool:
        """Whether it names its target."""
        return self.target_entity_id is not None or self.target_entity_key is not None

    def missing(self) -> list[Fault]:
        """The faults for what a new relationship needs and the line leaves out."""
        faults = [] if self.names_source else [_end_fault("source")]
        if self.relationship_type is None:
            faults.append(required("relationship_type"))
        return faults if self.names_target else [*faults, _end_fault("target")]


def _end_fault(end: str) -> Fault:
    return Fault(f"/{end}_entity_id", "end", f"name the {end} by {end}_entity_id or {end}_entity_key")


@attrs.frozen(kw_only=True, slots=False)
class NounLine:
    """What a line says about a record of another noun, checked as a whole: raises InvalidInput with every fault.

    `line_class` makes a class of this kind for each noun, with all fields of its draft. ``given`` is as in
    `EntityLine`; a field that is null is None.
    """

    noun: ClassVar[GraphNoun]
    never_empty: ClassVar[Sequence[str]]
    id: UUID | None = ruled(Optional(Id()), default=None)
    is_active: bool = ruled(Flag(), default=True)
    given: Collection[str] = ()

    def __attrs_post_init__(self) -> None:
        check(self)
        unique = self.noun.unique
        if self.id is None and (unique is None or any(getattr(self, name) is None for name in unique.fields)):
            names = "an id" if unique is None else f"{' and '.join(unique.fields)} or an id"
            advice = f"give {names}, or a second load would make a second {self.noun.name}"
            raise InvalidInput([Fault("/id" if unique is None else f"/{unique.fields[0]}", "required", advice)])


def line_class(noun: GraphNoun) -> type[NounLine]:
    """The class of a noun's lines: the fields of its draft, each of which may be left out or null."""
    fields = attrs.fields_dict(noun.draft)
    optional = {
        name: ruled(
            rule if isinstance(rule, Optional) else Optional(rule),
            default=None if fields[name].default is MISSING else fields[name].default,
        )
        for name, rule in rules_of(noun.draft).items()
    }
    cls: type[NounLine] = attrs.make_class(
        f"{noun.record.__name__}Line", optional, bases=(NounLine,), frozen=True, kw_only=True, slots=False
    )
    cls.noun, cls.never_empty = noun, noun.required
    return cls


GraphLine = EntityLine | RelationshipLine
Line = GraphLine | NounLine
_OWN: Final[Mapping[GraphNoun, type[Line]]] = {ENTITY: EntityLine, RELATIONSHIP: RelationshipLine}
LINES: Final[Mapping[object, type[Line]]] = {
    noun.name: _OWN[noun] if noun in _OWN else line_class(noun) for noun in GRAPH_NOUNS
}
"""What checks a line, by the kind that it names."""
_KINDS: Final = " or ".join(f'"kind": "{name}"' for name in LINES)


def read_line(item: object) -> Line | None:
    """What one line of NDJSON (bytes or str), or a mapping, says; None for a blank line.

    Raises InvalidInput with every fault. An item that is an InvalidInput itself, because no more could be read there,
    is raised.
    """
    if isinstance(item, InvalidInput):
        raise item
    if isinstance(item, bytes | str):
        if not item or item.isspace():
            return None
        fields = parse_line(item)
    else:
        fields = dict(item) if isinstance(item, Mapping) else item
    if type(fields) is not dict:
        raise InvalidInput([Fault("", "not_an_object", "a record is a JSON object")])
    kind = fields.pop("kind", None)
    cls = LINES.get(kind) if isinstance(kind, str) else None
    if cls is None:
        if kind is None and any(type(value) is list and value and type(value[0]) is dict for value in fields.values()):
            advice = "send the records without the object around them: one a line, or in an array"
            raise InvalidInput([Fault("", "enveloped", advice)])
        raise InvalidInput([Fault("/kind", "not_a_choice", f"give {_KINDS}")])
    record = build(cls, fields)
    get = fields.get
    emptied = [name for name in cls.never_empty if get(name, "") is None]
    if emptied:
        advice = "it can't be emptied; give a value, or leave it out to keep what is there"
        raise InvalidInput([Fault(f"/{name}", "required", advice) for name in emptied])
    object.__setattr__(record, "given", fields.keys())
    return record


def parse_line(line: bytes | str) -> object:
    """The JSON value in a line, as `parse_json` reads it. Raises InvalidInput."""
    if len(line) > LINE_BYTES_MAX:
        raise InvalidInput([Fault("", "too_large", f"a line has at most {LINE_BYTES_MAX} bytes; leave something out")])
    try:
        return parse_json(line, "the line")
    except InvalidInput:
        if b"\r{" in (line if isinstance(line, bytes) else line.encode(errors="replace")):
            advice = "end lines with a line feed (\\n), also after a carriage return (\\r)"
            raise InvalidInput([Fault("", MALFORMED, advice)]) from None
        raise


def write_line(record: Record) -> dict[str, Json]:
    """The record as a JSON object that `read_line` takes; leaves out what is empty, versions, times and actors."""
    return json_line(record, noun_of(record))
