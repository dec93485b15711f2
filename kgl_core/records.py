"""Records: entities and relationships as JSON objects, one a line (NDJSON), for loading and dumping.

A record names its ``kind``. An entity is found again by its id or its key, a relationship by its id or by its ends
and type; the ends are named by id or by key. ``docs/reference/ndjson.md`` describes the format for its users.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

import attrs

from kgl_core.entities import KEY, Entity, EntityDraft, Json
from kgl_core.errors import Fault, InvalidInput
from kgl_core.metadata import JsonObject
from kgl_core.provenance import CONFIDENCE, SOURCE, SOURCE_TYPE
from kgl_core.relationships import Relationship
from kgl_core.rules import TYPE_NAME, Flag, Id, Optional, build, check, ruled, rules_of
from kgl_core.strict_json import parse_json

KINDS: Final = ("entity", "relationship")
LINE_BYTES_MAX: Final = 1024 * 1024


@attrs.frozen(kw_only=True)
class EntityRecord(EntityDraft):
    """An entity to be loaded, checked as a whole: raises InvalidInput with every fault."""

    id: UUID | None = ruled(Optional(Id()), default=None)
    is_active: bool = ruled(Flag(), default=True)

    def __attrs_post_init__(self) -> None:
        check(self)
        if self.id is None and self.key is None:
            raise InvalidInput(
                [Fault("/key", "required", "give a key or an id, or a second load would make a second entity")]
            )


@attrs.frozen(kw_only=True)
class RelationshipRecord:
    """A relationship to be loaded, checked as a whole: raises InvalidInput with every fault.

    Each end is named by id or by key, not by both. ``deleted_with`` is the end whose deletion took it along.
    """

    id: UUID | None = ruled(Optional(Id()), default=None)
    source_entity_id: UUID | None = ruled(Optional(Id()), default=None)
    source_entity_key: str | None = ruled(Optional(KEY), default=None)
    relationship_type: str = ruled(TYPE_NAME)
    target_entity_id: UUID | None = ruled(Optional(Id()), default=None)
    target_entity_key: str | None = ruled(Optional(KEY), default=None)
    confidence: float | None = ruled(CONFIDENCE, default=None)
    source: str | None = ruled(SOURCE, default=None)
    source_type: str | None = ruled(SOURCE_TYPE, default=None)
    metadata: Mapping[str, Json] = ruled(JsonObject(), default=attrs.Factory(dict))
    is_active: bool = ruled(Flag(), default=True)
    deleted_with: UUID | None = ruled(Optional(Id()), default=None)

    def __attrs_post_init__(self) -> None:
        check(self)
        faults = []
        if (self.source_entity_id is None) == (self.source_entity_key is None):
            faults.append(Fault("/source_entity_id", "end", "name the source by source_entity_id or source_entity_key"))
        if (self.target_entity_id is None) == (self.target_entity_key is None):
            faults.append(Fault("/target_entity_id", "end", "name the target by target_entity_id or target_entity_key"))
        if self.deleted_with is not None and self.is_active:
            faults.append(Fault("/deleted_with", "not_deleted", "only a deleted relationship has it; leave it out"))
        if faults:
            raise InvalidInput(faults)


Record = EntityRecord | RelationshipRecord
_CLASSES: Final[Mapping[object, type[Record]]] = {"entity": EntityRecord, "relationship": RelationshipRecord}


def read_record(item: object) -> Record | None:
    """The record in one line of NDJSON (bytes or str) or in a mapping; None for a blank line.

    Raises InvalidInput with every fault.
    """
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
        raise InvalidInput([Fault("/kind", "not_a_choice", 'give "kind": "entity" or "kind": "relationship"')])
    return build(cls, fields)


def parse_line(line: bytes | str) -> object:
    """The JSON value in a line, as `parse_json` reads it. Raises InvalidInput."""
    if len(line) > LINE_BYTES_MAX:
        raise InvalidInput([Fault("", "too_large", f"a line has at most {LINE_BYTES_MAX} bytes")])
    return parse_json(line, "the line")


_ENTITY_FIELDS: Final = tuple(rules_of(EntityDraft))
_RELATIONSHIP_FIELDS: Final = (
    "source_entity_id",
    "relationship_type",
    "target_entity_id",
    "confidence",
    "source",
    "source_type",
    "metadata",
)


def write_record(record: Entity | Relationship) -> dict[str, Json]:
    """The record as a JSON object that `read_record` takes, without what is empty, versions, times and actors."""
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
