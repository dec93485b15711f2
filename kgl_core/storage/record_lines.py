"""Records: entities and relationships as JSON objects, one a line (NDJSON), for loads and dumps.

A record names its ``kind``. An entity is identified by its id or its key, a relationship by its id or by its ends and
type; the ends are named by id or by key. ``docs/reference/ndjson.md`` describes the format for its users.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final
from uuid import UUID

import attrs

from kgl_core.graph.entities import ALIASES, KEY, NAME, Entity, EntityDraft, Json
from kgl_core.graph.metadata import JsonObject
from kgl_core.graph.relationships import Relationship, RelationshipDraft
from kgl_core.graph.shared_fields import CONFIDENCE, SOURCE, SOURCE_TYPE
from kgl_core.kernel.checked_records import build, check, ruled, rules_of
from kgl_core.kernel.errors import Fault, InvalidInput
from kgl_core.kernel.field_rules import TYPE_NAME, Flag, Id, Optional
from kgl_core.kernel.strict_json import MALFORMED, parse_json

KINDS: Final = ("entity", "relationship")
LINE_BYTES_MAX: Final = 1024 * 1024


@attrs.frozen(kw_only=True)
class EntityRecord:
    """What a line says about an entity, checked as a whole: raises InvalidInput with every fault.

    ``given`` are the fields that the line has, even if they are null; ``aliases`` and ``metadata`` are None when they
    are null.
    """

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


@attrs.frozen(kw_only=True)
class RelationshipRecord:
    """What a line says about a relationship, checked as a whole: raises InvalidInput with every fault.

    Each end is named by id or by key, not by both. A line that names the relationship by id may leave out the ends and
    the type. ``deleted_with`` is the end that it was deleted with. ``given`` is as in `EntityRecord`.
    """

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
            faults.append(Fault("/relationship_type", "required", "give a relationship_type"))
        return faults if self.names_target else [*faults, _end_fault("target")]


def _end_fault(end: str) -> Fault:
    return Fault(f"/{end}_entity_id", "end", f"name the {end} by {end}_entity_id or {end}_entity_key")


Record = EntityRecord | RelationshipRecord
_CLASSES: Final[Mapping[object, type[Record]]] = {"entity": EntityRecord, "relationship": RelationshipRecord}
_NEVER_EMPTY: Final = ("type", "name", "relationship_type")


def read_record(item: object) -> Record | None:
    """The record in one line of NDJSON (bytes or str) or in a mapping; None for a blank line.

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
    cls = _CLASSES.get(kind) if isinstance(kind, str) else None
    if cls is None:
        if kind is None and any(type(value) is list and value and type(value[0]) is dict for value in fields.values()):
            advice = "send the records without the object around them: one a line, or in an array"
            raise InvalidInput([Fault("", "enveloped", advice)])
        raise InvalidInput([Fault("/kind", "not_a_choice", 'give "kind": "entity" or "kind": "relationship"')])
    record = build(cls, fields)
    get = fields.get
    if get("name", "") is None or get("type", "") is None or get("relationship_type", "") is None:
        emptied = [name for name in _NEVER_EMPTY if get(name, "") is None]
        advice = "it can't be emptied; give a value, or leave it out to keep what is there"
        raise InvalidInput([Fault(f"/{name}", "required", advice) for name in emptied])
    object.__setattr__(record, "given", fields.keys())
    return record


def parse_line(line: bytes | str) -> object:
    """The JSON value in a line, as `parse_json` reads it. Raises InvalidInput."""
    if len(line) > LINE_BYTES_MAX:
        raise InvalidInput([Fault("", "too_large", f"a line has at most {LINE_BYTES_MAX} bytes")])
    try:
        return parse_json(line, "the line")
    except InvalidInput:
        if b"\r{" in (line if isinstance(line, bytes) else line.encode(errors="replace")):
            advice = "end lines with a line feed (\\n), also after a carriage return (\\r)"
            raise InvalidInput([Fault("", MALFORMED, advice)]) from None
        raise


_ENTITY_FIELDS: Final = tuple(rules_of(EntityDraft))
_RELATIONSHIP_FIELDS: Final = tuple(rules_of(RelationshipDraft))


def write_record(record: Entity | Relationship) -> dict[str, Json]:
    """The record as a JSON object that `read_record` takes; leaves out what is empty, versions, times and actors."""
    if isinstance(record, Entity):
        kind, names = "entity", _ENTITY_FIELDS
    else:
        kind, names = "relationship", _RELATIONSHIP_FIELDS
    written: dict[str, Json] = {"kind": kind, "id": str(record.id)}
    for name in names:
        value = getattr(record, name)
        if value is None or value == () or value == {}:
            continue
        written[name] = list(value) if type(value) is tuple else str(value) if type(value) is UUID else value
    if not record.is_active:
        written["is_active"] = False
        if isinstance(record, Relationship) and record.deleted_with is not None:
            written["deleted_with"] = str(record.deleted_with)
    return written
