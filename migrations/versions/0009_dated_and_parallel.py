"""relationships with a key and with dates"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kgl_adapters.sql.types import CONFIDENCE, COUNT, ID, INSTANT, JSON, TEXT

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLE = "entity_relationships"
_ACTIVE, _DELETED = "deleted_at IS NULL", "deleted_at IS NOT NULL"
_TRIPLE = ["source_entity_id", "relationship_type", "target_entity_id"]
_COLUMNS = (
    "id, source_entity_id, relationship_type, target_entity_id, confidence, source, source_type, metadata, created_by,"
    " created_at, updated_at, version, deleted_at, deleted_by, deleted_with"
)
INDEXES: tuple[tuple[str, list[str], str | None], ...] = (
    ("ix_entity_relationships_target", ["target_entity_id", "relationship_type", "source_entity_id"], _ACTIVE),
    ("ix_entity_relationships_deleted_source", _TRIPLE, _DELETED),
    ("ix_entity_relationships_deleted_target", ["target_entity_id"], _DELETED),
    ("ix_entity_relationships_deleted_at", ["deleted_at"], _DELETED),
    ("ix_entity_relationships_of_source", ["source_entity_id", "created_at", "id"], None),
    ("ix_entity_relationships_of_target", ["target_entity_id", "created_at", "id"], None),
    ("ix_entity_relationships_created_at", ["created_at", "id"], None),
    ("ix_entity_relationships_updated_at", ["updated_at", "id"], None),
    ("ix_entity_relationships_type", ["relationship_type", "created_at", "id"], None),
)
_NEW_FACTS = "key <> '' OR valid_from IS NOT NULL OR valid_to IS NOT NULL OR source_entity_id = target_entity_id"


def new_columns() -> list[sa.Column[str]]:
    """The columns that are new here."""
    return [
        sa.Column("key", TEXT, nullable=False, server_default=""),
        sa.Column("valid_from", TEXT),
        sa.Column("valid_to", TEXT),
        sa.Column("valid_begin_at", INSTANT),
        sa.Column("valid_end_at", INSTANT),
    ]


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        rebuild(new_columns(), [], [*_TRIPLE, "key"])
        return
    for column in new_columns():
        op.add_column(TABLE, column, schema="backend_entities")
    op.execute(f"ALTER TABLE backend_entities.{TABLE} DROP CONSTRAINT ck_{TABLE}_self")
    swap_unique()


def downgrade() -> None:
    is_sqlite = op.get_context().dialect.name == "sqlite"
    table = TABLE if is_sqlite else f"backend_entities.{TABLE}"
    found = op.get_bind().execute(sa.text(f"SELECT count(*) FROM {table} WHERE {_NEW_FACTS}")).scalar_one()  # noqa: S608
    if found:
        raise SystemExit(
            f"{found} relationships have a key, a date, or one entity at both ends, which the earlier schema can't"
            " hold; export and delete them first, or restore the backup from before the upgrade"
        )
    if is_sqlite:
        rebuild([], [sa.CheckConstraint("source_entity_id <> target_entity_id", name="self")], _TRIPLE)
        return
    op.drop_index(f"uq_{TABLE}_triple", TABLE, schema="backend_entities")
    op.create_index(
        f"uq_{TABLE}_triple",
        TABLE,
        _TRIPLE,
        unique=True,
        schema="backend_entities",
        postgresql_where=sa.text(_ACTIVE),
    )
    op.create_check_constraint("self", TABLE, "source_entity_id <> target_entity_id", schema="backend_entities")
    for column in reversed(new_columns()):
        op.drop_column(TABLE, column.name, schema="backend_entities")


def swap_unique() -> None:
    """Replace the unique index of active relationships on PostgreSQL, beside writers; one of the two always stands."""
    name = f"uq_{TABLE}_triple"
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout TO 0")
        # What an interrupted build leaves behind is invalid, and only in the way.
        op.drop_index(f"{name}_new", TABLE, schema="backend_entities", if_exists=True, postgresql_concurrently=True)
        op.create_index(
            f"{name}_new",
            TABLE,
            [*_TRIPLE, "key"],
            unique=True,
            schema="backend_entities",
            postgresql_where=sa.text(_ACTIVE),
            postgresql_concurrently=True,
        )
        op.drop_index(name, TABLE, schema="backend_entities", if_exists=True, postgresql_concurrently=True)
        op.execute("SET lock_timeout TO '5s'")
        op.execute(f"ALTER INDEX backend_entities.{name}_new RENAME TO {name}")


def rebuild(more: list[sa.Column[str]], checks: list[sa.CheckConstraint], unique: list[str]) -> None:
    """Make the table anew on SQLite, which can't drop a constraint, with what it holds."""
    op.rename_table(TABLE, f"{TABLE}_old")
    for name, _, _ in (*INDEXES, (f"uq_{TABLE}_triple", [], None)):
        op.drop_index(name)
    op.create_table(
        TABLE,
        sa.Column("id", ID),
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
        *more,
        sa.PrimaryKeyConstraint("id", name=f"pk_{TABLE}"),
        sa.ForeignKeyConstraint(["source_entity_id"], ["entities.id"], name=f"fk_{TABLE}_source_entity_id"),
        sa.ForeignKeyConstraint(["target_entity_id"], ["entities.id"], name=f"fk_{TABLE}_target_entity_id"),
        sa.CheckConstraint("confidence BETWEEN 0 AND 1", name="confidence"),
        *checks,
        sqlite_strict=True,
    )
    op.execute(f"INSERT INTO {TABLE} ({_COLUMNS}) SELECT {_COLUMNS} FROM {TABLE}_old ORDER BY id")  # noqa: S608
    op.drop_table(f"{TABLE}_old")
    op.create_index(f"uq_{TABLE}_triple", TABLE, unique, unique=True, sqlite_where=sa.text(_ACTIVE))
    for name, columns, where in INDEXES:
        op.create_index(name, TABLE, columns, sqlite_where=None if where is None else sa.text(where))
