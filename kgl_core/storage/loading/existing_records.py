"""What can become of a loaded record, and what the record that it names holds afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import attrs

from kgl_core.graph.entities import Entity
from kgl_core.graph.merge_patch import merge_patch
from kgl_core.graph.metadata import JsonObject
from kgl_core.graph.relationships import Relationship
from kgl_core.kernel.checked_records import same_values
from kgl_core.kernel.errors import Conflict, Fault, InvalidInput
from kgl_core.storage.record_lines import EntityRecord, RelationshipRecord

_METADATA: Final = JsonObject()


class Outcome(StrEnum):
    """What became of a record."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    KEPT = "kept"
    REFUSED = "refused"


class Existing(StrEnum):
    """What becomes of an entity or relationship that a record names and the graph holds already.

    MERGE sets the fields that the record gives, REPLACE all fields, so that those left out become empty. KEEP leaves
    what is there, REFUSE refuses the record.
    """

    MERGE = "merge"
    REPLACE = "replace"
    KEEP = "keep"
    REFUSE = "refuse"


class RecordRefused(Conflict):
    """The graph's present state forbids this record. ``code`` says why."""

    def __init__(self, code: str, detail: str) -> None:
        self.code = code  # type: ignore[misc]  # one class, because only their codes tell these apart
        super().__init__(detail)


class KeyTaken(RecordRefused):
    """The key that a record gives an entity is held by another entity, which may still give it up."""

    def __init__(self, key: str, holder: UUID) -> None:
        super().__init__("key_taken", f"the key {key} is held by entity {holder}; leave out the id to update that one")


LEAVING: Final = (Existing.KEEP, Existing.REFUSE)
"""The ways in which nothing that exists is changed."""


def already_exists(kind: str, current: Entity | Relationship) -> RecordRefused:
    """The refusal of a record that names something which exists."""
    advice = "import it with existing=merge or existing=replace to change it"
    return RecordRefused("already_exists", f"{kind} {current.id} is here already; {advice}")


def settle(
    values: dict[str, Any],
    record: EntityRecord | RelationshipRecord,
    current: Entity | Relationship,
    *,
    is_whole: bool,
) -> Mapping[str, Any]:
    """The fields of a stored record that change: metadata is merged name by name, unless ``is_whole`` is set.

    Metadata that is there already, including nulls, stays as it is. Raises InvalidInput when it becomes too large.
    """
    is_as_given = record.metadata is not None and values.get("aliases", ()) is not None
    if "metadata" in values:
        values["metadata"] = record.metadata or {}
        if not (is_whole or record.metadata is None or current.metadata == record.metadata):
            is_as_given = False
            merged = merge_patch(current.metadata, record.metadata)
            faults: list[Fault] = []
            values["metadata"] = _METADATA(merged, "/metadata", faults)
            if faults:
                raise InvalidInput(faults)
    if "aliases" in values and values["aliases"] is None:
        values["aliases"] = ()
    if is_as_given or not same_values(current, attrs.evolve(current, **values), values):
        return values
    return {}
