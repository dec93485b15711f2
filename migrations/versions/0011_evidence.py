"""sources, assertions, and what facts show of them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kgl_adapters.sql.types import BYTES, CONFIDENCE, COUNT, FLAG, ID, INSTANT, JSON, TEXT
from kgl_core.kernel.store_errors import StoreError

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

FACTS = ("entities", "entity_relationships")
_INDEXES: tuple[tuple[str, list[str], str | None], ...] = (
    ("ix_assertions_entity", ["entity_id", "asserted_at", "id"], "entity_id IS NOT NULL"),
    ("ix_assertions_relationship", ["relationship_id", "asserted_at", "id"], "relationship_id IS NOT NULL"),
    ("ix_assertions_source", ["source_id", "asserted_at", "id"], "source_id IS NOT NULL"),
    ("ix_assertions_label", ["source_id", "label"], "label IS NOT NULL"),
    ("ix_assertions_asserted_at", ["asserted_at", "id"], None),
)


def _schema() -> str | None:
    return None if op.get_context().dialect.name == "sqlite" else "backend_entities"


def _fact_columns() -> list[sa.Column[object]]:
    # Constants, so that no row is written: facts that are there are supported by what they say themselves.
    no = sa.text("0" if _schema() is None else "false")
    return [
        sa.Column("pinned", JSON, nullable=False, server_default="[]"),
        sa.Column("sources_for", COUNT, nullable=False, server_default="1"),
        sa.Column("sources_against", COUNT, nullable=False, server_default="0"),
        sa.Column("is_retired", FLAG, nullable=False, server_default=no),
        sa.Column("has_assertions", FLAG, nullable=False, server_default=no),
    ]


def upgrade() -> None:
    schema = _schema()
    of_graph = "" if schema is None else f"{schema}."
    for table in FACTS:
        for column in _fact_columns():
            op.add_column(table, column, schema=schema)
    op.create_table(
        "sources",
        sa.Column("id", ID, nullable=False),
        sa.Column("uri", TEXT, nullable=False),
        sa.Column("title", TEXT),
        sa.Column("type", TEXT),
        sa.Column("published", TEXT),
        sa.Column("metadata", JSON, nullable=False),
        sa.Column("created_by", TEXT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("rank", COUNT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sources"),
        schema=schema,
        sqlite_strict=True,
    )
    op.create_index("ix_sources_created_at", "sources", ["created_at", "id"], schema=schema)
    op.create_table(
        "extractions",
        sa.Column("id", ID, nullable=False),
        sa.Column("source_id", ID, nullable=False),
        sa.Column("extractor", TEXT, nullable=False),
        sa.Column("created_by", TEXT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("extracted_at", INSTANT, nullable=False),
        sa.Column("run", ID),
        sa.Column("digest", BYTES),
        sa.PrimaryKeyConstraint("id", name="pk_extractions"),
        sa.ForeignKeyConstraint(["source_id"], [f"{of_graph}sources.id"], name="fk_extractions_source_id"),
        schema=schema,
        sqlite_strict=True,
    )
    op.create_index("ix_extractions_source", "extractions", ["source_id", "created_at", "id"], schema=schema)
    op.create_table(
        "assertions",
        sa.Column("id", ID, nullable=False),
        sa.Column("entity_id", ID),
        sa.Column("relationship_id", ID),
        sa.Column("source_id", ID),
        sa.Column("extractor", TEXT),
        sa.Column("extractor_version", TEXT),
        sa.Column("label", TEXT),
        sa.Column("stance", TEXT, nullable=False),
        sa.Column("confidence", CONFIDENCE),
        sa.Column("locations", JSON, nullable=False),
        sa.Column("values", JSON, nullable=False),
        sa.Column("run", ID),
        sa.Column("asserted_by", TEXT, nullable=False),
        sa.Column("asserted_at", INSTANT, nullable=False),
        sa.Column("withdrawn_at", INSTANT),
        sa.Column("withdrawn_by", TEXT),
        sa.Column("withdrawn_run", ID),
        sa.PrimaryKeyConstraint("id", name="pk_assertions"),
        sa.ForeignKeyConstraint(["entity_id"], [f"{of_graph}entities.id"], name="fk_assertions_entity_id"),
        sa.ForeignKeyConstraint(
            ["relationship_id"], [f"{of_graph}entity_relationships.id"], name="fk_assertions_relationship_id"
        ),
        sa.ForeignKeyConstraint(["source_id"], [f"{of_graph}sources.id"], name="fk_assertions_source_id"),
        sa.CheckConstraint("confidence BETWEEN 0 AND 1", name="confidence"),
        sa.CheckConstraint("(entity_id IS NULL) <> (relationship_id IS NULL)", name="fact"),
        schema=schema,
        sqlite_strict=True,
    )
    for name, columns, where in _INDEXES:
        condition = None if where is None else sa.text(where)
        op.create_index(name, "assertions", columns, schema=schema, postgresql_where=condition, sqlite_where=condition)


def downgrade() -> None:
    schema = _schema()
    bind = op.get_bind()
    for name in ("sources", "assertions"):
        kept = sa.table(name, schema=schema)
        if bind.execute(sa.select(sa.literal_column("1")).select_from(kept).limit(1)).first() is not None:
            raise StoreError(
                f"there are {name}, which the earlier schema can't hold: nothing was taken back; go back to a backup"
                " from before the upgrade, or import an export into a new database"
            )
    for name in ("assertions", "extractions", "sources"):
        op.drop_table(name, schema=schema)
    for table in FACTS:
        for column in reversed(_fact_columns()):
            op.drop_column(table, column.name, schema=schema)
