"""The tables of the graph."""

from __future__ import annotations

from typing import Final

from sqlalchemy import CheckConstraint, Column, Identity, Index, Table, func, text

from kgl_adapters.sql.kernel.tables import GRAPH, define, define_noun, index
from kgl_adapters.sql.types import ID, INSTANT, JSON, SEQUENCE, TEXT
from kgl_core.graph.entities import ENTITY
from kgl_core.graph.journal.runs import RUN
from kgl_core.graph.relationships import RELATIONSHIP

ENTITIES: Final = define_noun(
    ENTITY,
    "entities",
    GRAPH,
    lambda: [
        CheckConstraint("confidence BETWEEN 0 AND 1", name="confidence"),
        # By key: the active one, and those deleted that a load or an extraction may bring back.
        index("uq_entities_key", "key", where="deleted_at IS NULL AND key IS NOT NULL", unique=True),
        index("ix_entities_deleted_key", "key", where="deleted_at IS NOT NULL AND key IS NOT NULL"),
        # Listings in each order; by sort name also those with a name.
        index("ix_entities_created_at", "created_at", "id"),
        index("ix_entities_updated_at", "updated_at", "id"),
        index("ix_entities_sort_name", "sort_name", "id"),
        # Listings of a type, and counts by type.
        index("ix_entities_type", "type", "created_at", "id"),
        # Whether anything is deleted, and how much.
        index("ix_entities_deleted_at", "deleted_at", where="deleted_at IS NOT NULL"),
    ],
)
ACTIVE: Final = "deleted_at IS NULL"
RELATIONSHIPS: Final = define_noun(
    RELATIONSHIP,
    "entity_relationships",
    GRAPH,
    lambda: [
        CheckConstraint("confidence BETWEEN 0 AND 1", name="confidence"),
        # By ends, type and key: the active one, and those deleted that may come back.
        index(
            "uq_entity_relationships_triple",
            "source_entity_id",
            "relationship_type",
            "target_entity_id",
            "key",
            where=ACTIVE,
            unique=True,
        ),
        index(
            "ix_entity_relationships_deleted_source",
            "source_entity_id",
            "relationship_type",
            "target_entity_id",
            where="deleted_at IS NOT NULL",
        ),
        # What comes back with an entity; the one above has it by source.
        index("ix_entity_relationships_deleted_target", "target_entity_id", where="deleted_at IS NOT NULL"),
        # Whether anything is deleted, and how much.
        index("ix_entity_relationships_deleted_at", "deleted_at", where="deleted_at IS NOT NULL"),
        # Listings in each order.
        index("ix_entity_relationships_created_at", "created_at", "id"),
        index("ix_entity_relationships_updated_at", "updated_at", "id"),
        # Listings of a type, and counts by type.
        index("ix_entity_relationships_type", "relationship_type", "created_at", "id"),
    ],
)


def _index_steps(name: str, table: Table, left: str, entered: str) -> None:
    """Add an index of the steps from one end: in the order of walks, the strongest first, with all that they read.

    It also finds what an entity's deletion takes along, and lists the relationships of an entity.
    """
    c = table.c
    # PostgreSQL has unknown ones first unless told; SQLite has them last, and takes no word about it.
    confidence = c.confidence.desc() if table.schema is None else c.confidence.desc().nulls_last()
    columns = (c[left], confidence, c.created_at.desc(), c.id, c[entered], c.relationship_type)
    Index(name, *columns, postgresql_where=text(ACTIVE), sqlite_where=text(ACTIVE))


for _table in RELATIONSHIPS.values():
    _index_steps("ix_entity_relationships_leaving", _table, "source_entity_id", "target_entity_id")
    _index_steps("ix_entity_relationships_entering", _table, "target_entity_id", "source_entity_id")

SOURCE_INDEXED: Final = 600
"""So many characters of a source are indexed on PostgreSQL, whose indexes hold no long texts."""
STATED_ALONE: Final = "source IS NOT NULL AND NOT has_assertions AND deleted_at IS NULL"
"""What an active fact is of which nobody but its creator has said anything, and that names a source."""


def _index_source(name: str, table: Table) -> None:
    """Add an index of the active facts that alone say that their source supports them."""
    source = table.c.source if table.schema is None else func.substr(table.c.source, 1, SOURCE_INDEXED)
    condition = text(STATED_ALONE)
    Index(name, source, postgresql_where=condition, sqlite_where=condition)


for _table in ENTITIES.values():
    _index_source("ix_entities_source", _table)
for _table in RELATIONSHIPS.values():
    _index_source("ix_entity_relationships_source", _table)

RUNS: Final = define_noun(RUN, "runs", GRAPH, lambda: [index("ix_runs_created_at", "created_at", "id")])
CHANGES: Final = define(
    "changes",
    GRAPH,
    lambda is_sqlite: [
        Column("sequence", SEQUENCE, Identity(), primary_key=True),
        Column("at", INSTANT, nullable=False),
        Column("actor", TEXT, nullable=False),
        Column("action", TEXT, nullable=False),
        Column("subject", TEXT, nullable=False),
        Column("subject_id", ID, nullable=False),
        Column("record", JSON, nullable=False),
        Column("run", ID),
        index("ix_changes_run", "run", "sequence", where="run IS NOT NULL"),
    ],
)
