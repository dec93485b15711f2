"""indexes for every listing and walk"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ACTIVE = "deleted_at IS NULL"
_DELETED = "deleted_at IS NOT NULL"

INDEXES: tuple[tuple[str, str, list[str], str | None], ...] = (
    ("ix_entities_deleted_key", "entities", ["key"], f"{_DELETED} AND key IS NOT NULL"),
    ("ix_entities_created_at", "entities", ["created_at", "id"], None),
    ("ix_entities_updated_at", "entities", ["updated_at", "id"], None),
    ("ix_entities_sort_name", "entities", ["sort_name", "id"], None),
    ("ix_entities_type", "entities", ["type", "created_at", "id"], None),
    ("ix_entities_deleted_at", "entities", ["deleted_at"], _DELETED),
    (
        "ix_entity_relationships_target",
        "entity_relationships",
        ["target_entity_id", "relationship_type", "source_entity_id"],
        _ACTIVE,
    ),
    (
        "ix_entity_relationships_deleted_source",
        "entity_relationships",
        ["source_entity_id", "relationship_type", "target_entity_id"],
        _DELETED,
    ),
    ("ix_entity_relationships_deleted_target", "entity_relationships", ["target_entity_id"], _DELETED),
    ("ix_entity_relationships_deleted_at", "entity_relationships", ["deleted_at"], _DELETED),
    (
        "ix_entity_relationships_of_source",
        "entity_relationships",
        ["source_entity_id", "created_at", "id"],
        None,
    ),
    (
        "ix_entity_relationships_of_target",
        "entity_relationships",
        ["target_entity_id", "created_at", "id"],
        None,
    ),
    ("ix_entity_relationships_created_at", "entity_relationships", ["created_at", "id"], None),
    ("ix_entity_relationships_updated_at", "entity_relationships", ["updated_at", "id"], None),
    ("ix_entity_relationships_type", "entity_relationships", ["relationship_type", "created_at", "id"], None),
)


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        for name, table, columns, where in INDEXES:
            op.create_index(name, table, columns, sqlite_where=None if where is None else sa.text(where))
        return
    # Built beside writers; waiting for them blocks nobody, so that it needs no lock_timeout.
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout TO 0")
        for name, table, columns, where in INDEXES:
            # What an interrupted build leaves behind is invalid, and only in the way.
            op.drop_index(name, table, schema="backend_entities", if_exists=True, postgresql_concurrently=True)
            op.create_index(
                name,
                table,
                columns,
                schema="backend_entities",
                postgresql_where=None if where is None else sa.text(where),
                postgresql_concurrently=True,
            )
        op.execute("SET lock_timeout TO '5s'")


def downgrade() -> None:
    is_sqlite = op.get_context().dialect.name == "sqlite"
    for name, table, _, _ in reversed(INDEXES):
        op.drop_index(name, table, schema=None if is_sqlite else "backend_entities")
