"""entities, relationships and changes, with what must be unique"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kgl_adapters.sql.types import CONFIDENCE, COUNT, ID, INSTANT, JSON, SEQUENCE, TEXT

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


# Before a transaction takes its first number of the change log, it announces, by a shared lock that it holds to its
# end, that its numbers will be above the last one taken so far. Readers stop there: no change is skipped.
ANNOUNCE_CHANGES = """
CREATE FUNCTION backend_entities.announce_changes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    taken bigint;
BEGIN
    IF coalesce(current_setting('kgl.changes_announced', true), '') = '' THEN
        SELECT CASE WHEN is_called THEN last_value ELSE 0 END INTO taken FROM backend_entities.changes_sequence_seq;
        PERFORM pg_advisory_xact_lock_shared(-1 - taken);
        PERFORM set_config('kgl.changes_announced', 'yes', true);
    END IF;
    RETURN NULL;
END
$$
"""


def _is_sqlite() -> bool:
    return op.get_context().dialect.name == "sqlite"


def _schema() -> str | None:
    return None if _is_sqlite() else "backend_entities"


def upgrade() -> None:
    schema = _schema()
    entity_id = "entities.id" if schema is None else f"{schema}.entities.id"
    op.create_table(
        "entities",
        sa.Column("id", ID, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("aliases", JSON, nullable=False),
        sa.Column("key", TEXT),
        sa.Column("confidence", CONFIDENCE),
        sa.Column("source", TEXT),
        sa.Column("source_type", TEXT),
        sa.Column("metadata", JSON, nullable=False),
        sa.Column("created_by", TEXT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("version", COUNT, nullable=False),
        sa.Column("deleted_at", INSTANT),
        sa.Column("deleted_by", TEXT),
        sa.Column("sort_name", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_entities"),
        sa.CheckConstraint("confidence BETWEEN 0 AND 1", name=op.f("ck_entities_confidence")),
        schema=schema,
        sqlite_strict=True,
    )
    op.create_table(
        "entity_relationships",
        sa.Column("id", ID, nullable=False),
        sa.Column("source_entity_id", ID, nullable=False),
        sa.Column("relationship_type", TEXT, nullable=False),
        sa.Column("target_entity_id", ID, nullable=False),
        sa.Column("confidence", CONFIDENCE),
        sa.Column("source", TEXT),
        sa.Column("source_type", TEXT),
        sa.Column("metadata", JSON, nullable=False),
        sa.Column("created_by", TEXT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("version", COUNT, nullable=False),
        sa.Column("deleted_at", INSTANT),
        sa.Column("deleted_by", TEXT),
        sa.Column("deleted_with", ID),
        sa.PrimaryKeyConstraint("id", name="pk_entity_relationships"),
        sa.ForeignKeyConstraint(["source_entity_id"], [entity_id], name="fk_entity_relationships_source_entity_id"),
        sa.ForeignKeyConstraint(["target_entity_id"], [entity_id], name="fk_entity_relationships_target_entity_id"),
        sa.CheckConstraint("confidence BETWEEN 0 AND 1", name=op.f("ck_entity_relationships_confidence")),
        sa.CheckConstraint("source_entity_id <> target_entity_id", name=op.f("ck_entity_relationships_self")),
        schema=schema,
        sqlite_strict=True,
    )
    op.create_table(
        "changes",
        sa.Column("sequence", SEQUENCE, sa.Identity(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", TEXT, nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("subject_id", ID, nullable=False),
        sa.Column("record", JSON, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_changes"),
        schema=schema,
        sqlite_strict=True,
    )
    if not _is_sqlite():
        op.execute(ANNOUNCE_CHANGES)
        op.execute(
            "CREATE TRIGGER announce_changes BEFORE INSERT ON backend_entities.changes"
            " FOR EACH STATEMENT EXECUTE FUNCTION backend_entities.announce_changes()"
        )
    _index("uq_entities_key", "entities", ["key"], "deleted_at IS NULL AND key IS NOT NULL", unique=True)
    _index(
        "uq_entity_relationships_triple",
        "entity_relationships",
        ["source_entity_id", "relationship_type", "target_entity_id"],
        "deleted_at IS NULL",
        unique=True,
    )


def downgrade() -> None:
    for table in ("changes", "entity_relationships", "entities"):
        op.drop_table(table, schema=_schema())
    if not _is_sqlite():
        op.execute("DROP FUNCTION backend_entities.announce_changes()")


def _index(name: str, table: str, columns: list[str], where: str, *, unique: bool) -> None:
    condition = sa.text(where)
    op.create_index(
        name, table, columns, unique=unique, schema=_schema(), postgresql_where=condition, sqlite_where=condition
    )
