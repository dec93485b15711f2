"""Converts rows to entities, relationships and changes, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kgl_adapters.sql.encoding import Encoding, moment_of, moment_or_none, reads, uuid_of
from kgl_adapters.sql.graph.json_columns import (
    read_array,
    read_changed_record,
    read_object,
    write_changed_record,
    write_json,
)
from kgl_core.graph.changes import Change, ChangeAction
from kgl_core.graph.entities import Entity
from kgl_core.graph.relationships import Relationship
from kgl_core.kernel.permissions import Actor

ENTITY_COLUMNS: Final = (
    "id",
    "type",
    "name",
    "aliases",
    "key",
    "confidence",
    "source",
    "source_type",
    "metadata",
    "created_by",
    "created_at",
    "updated_at",
    "version",
    "deleted_at",
    "deleted_by",
)
RELATIONSHIP_COLUMNS: Final = (
    "id",
    "source_entity_id",
    "relationship_type",
    "target_entity_id",
    "confidence",
    "source",
    "source_type",
    "metadata",
    "created_by",
    "created_at",
    "updated_at",
    "version",
    "deleted_at",
    "deleted_by",
    "deleted_with",
)
CHANGE_COLUMNS: Final = ("at", "actor", "action", "subject", "subject_id", "record")
_NO_METADATA: Final = "{}"
_NO_ALIASES: Final = "[]"
_ACTIONS: Final = {action: action.value for action in ChangeAction}  # an enum's value is slow to get


class GraphRows(Encoding):
    """The rows of the graph in one kind of database."""

    @reads("entities")
    def entity(self, row: Sequence[Any]) -> Entity:
        """The entity in a row of ENTITY_COLUMNS."""
        (id, type, name, aliases, key, confidence, source, source_type, metadata, created_by, created_at, updated_at,
         version, deleted_at, deleted_by) = row  # fmt: skip
        if self.is_sqlite:
            id = uuid_of(id)
            created_at, updated_at, deleted_at = (
                moment_of(created_at),
                moment_of(updated_at),
                moment_or_none(deleted_at),
            )
        return Entity(
            id=id,
            type=type,
            name=name,
            aliases=() if aliases == _NO_ALIASES else tuple(read_array(aliases)),
            key=key,
            confidence=confidence,
            source=source,
            source_type=source_type,
            metadata={} if metadata == _NO_METADATA else read_object(metadata),
            created_by=Actor.parse(created_by),
            created_at=created_at,
            updated_at=updated_at,
            version=version,
            deleted_at=deleted_at,
            deleted_by=None if deleted_by is None else Actor.parse(deleted_by),
        )

    def entity_values(self, entity: Entity) -> tuple[Any, ...]:
        """The values of ENTITY_COLUMNS and sort_name, in the order of the table's columns."""
        return (
            self.id(entity.id),
            entity.type,
            entity.name,
            write_json(entity.aliases) if entity.aliases else _NO_ALIASES,
            entity.key,
            entity.confidence,
            entity.source,
            entity.source_type,
            write_json(entity.metadata) if entity.metadata else _NO_METADATA,
            str(entity.created_by),
            self.instant(entity.created_at),
            self.instant(entity.updated_at),
            entity.version,
            None if entity.deleted_at is None else self.instant(entity.deleted_at),
            None if entity.deleted_by is None else str(entity.deleted_by),
            entity.sort_name,  # derived, so the table has it last
        )

    @reads("entity_relationships")
    def relationship(self, row: Sequence[Any]) -> Relationship:
        """The relationship in a row of RELATIONSHIP_COLUMNS."""
        (id, source_entity_id, relationship_type, target_entity_id, confidence, source, source_type, metadata,
         created_by, created_at, updated_at, version, deleted_at, deleted_by, deleted_with) = row  # fmt: skip
        if self.is_sqlite:
            id, source_entity_id, target_entity_id = uuid_of(id), uuid_of(source_entity_id), uuid_of(target_entity_id)
            deleted_with = None if deleted_with is None else uuid_of(deleted_with)
            created_at, updated_at, deleted_at = (
                moment_of(created_at),
                moment_of(updated_at),
                moment_or_none(deleted_at),
            )
        return Relationship(
            id=id,
            source_entity_id=source_entity_id,
            relationship_type=relationship_type,
            target_entity_id=target_entity_id,
            confidence=confidence,
            source=source,
            source_type=source_type,
            metadata={} if metadata == _NO_METADATA else read_object(metadata),
            created_by=Actor.parse(created_by),
            created_at=created_at,
            updated_at=updated_at,
            version=version,
            deleted_at=deleted_at,
            deleted_by=None if deleted_by is None else Actor.parse(deleted_by),
            deleted_with=deleted_with,
        )

    def relationship_values(self, relationship: Relationship) -> tuple[Any, ...]:
        """The values of RELATIONSHIP_COLUMNS."""
        return (
            self.id(relationship.id),
            self.id(relationship.source_entity_id),
            relationship.relationship_type,
            self.id(relationship.target_entity_id),
            relationship.confidence,
            relationship.source,
            relationship.source_type,
            write_json(relationship.metadata) if relationship.metadata else _NO_METADATA,
            str(relationship.created_by),
            self.instant(relationship.created_at),
            self.instant(relationship.updated_at),
            relationship.version,
            None if relationship.deleted_at is None else self.instant(relationship.deleted_at),
            None if relationship.deleted_by is None else str(relationship.deleted_by),
            None if relationship.deleted_with is None else self.id(relationship.deleted_with),
        )

    def change_values(self, change: Change) -> tuple[Any, ...]:
        """The values of CHANGE_COLUMNS."""
        is_entity = isinstance(change.record, Entity)
        return (
            self.instant(change.at),
            str(change.actor),
            _ACTIONS[change.action],
            "entity" if is_entity else "relationship",
            self.id(change.record.id),
            write_changed_record(change.record),
        )

    @reads("changes")
    def change(self, row: Sequence[Any]) -> Change:
        """The change in a row of ``sequence`` and CHANGE_COLUMNS without subject_id."""
        _, at, actor, action, subject, record = row
        return Change(
            self.read_instant(at), Actor.parse(actor), ChangeAction(action), read_changed_record(subject, record)
        )


GRAPH_ROWS: Final[Mapping[bool, GraphRows]] = {is_sqlite: GraphRows(is_sqlite=is_sqlite) for is_sqlite in (False, True)}
"""By whether the database is SQLite."""
