"""relationships with a key and with dates"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

from kgl_adapters.sql.types import CONFIDENCE, COUNT, ID, INSTANT, JSON, TEXT
from kgl_core.kernel.store_errors import StoreError

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLE, SCHEMA = "entity_relationships", "backend_entities"
UNIQUE = f"uq_{TABLE}_triple"
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
NEW_FIELDS = ("key", "valid_from", "valid_to")
NO_NEW_FACTS = ',"key":null,"valid_from":null,"valid_to":null}'
"""How the record of a change ends that has none of them."""
OF_RELATIONSHIPS = sa.text("subject = 'relationship'")
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
    # Building the index commits what comes before it, which an interrupted upgrade finds there when it is run again.
    for column in new_columns():
        op.add_column(TABLE, column, schema=SCHEMA, if_not_exists=True)
    op.execute(f"ALTER TABLE {SCHEMA}.{TABLE} DROP CONSTRAINT IF EXISTS ck_{TABLE}_self")
    swap_unique()


def downgrade() -> None:
    is_sqlite = op.get_context().dialect.name == "sqlite"
    if not is_sqlite:
        op.execute(
            f"LOCK TABLE {SCHEMA}.{TABLE} IN ACCESS EXCLUSIVE MODE"
        )  # or a writer could add a key after the look
    schema = None if is_sqlite else SCHEMA
    require_old_facts(schema)
    shorten_changes(schema)
    if is_sqlite:
        rebuild([], [sa.CheckConstraint("source_entity_id <> target_entity_id", name="self")], _TRIPLE)
        return
    op.drop_index(UNIQUE, TABLE, schema=SCHEMA)
    op.create_index(UNIQUE, TABLE, _TRIPLE, unique=True, schema=SCHEMA, postgresql_where=sa.text(_ACTIVE))
    op.create_check_constraint("self", TABLE, "source_entity_id <> target_entity_id", schema=SCHEMA)
    for column in reversed(new_columns()):
        op.drop_column(TABLE, column.name, schema=SCHEMA)


def require_old_facts(schema: str | None) -> None:
    """Raise StoreError if relationships, or changes of them, have what the earlier schema can't hold."""
    bind = op.get_bind()
    kept = sa.table(TABLE, schema=schema)
    found = bind.execute(sa.select(sa.func.count()).select_from(kept).where(sa.text(_NEW_FACTS))).scalar_one()
    if not found:
        changes, text = changes_of(schema)
        names_dates = text.contains('"valid_to":') & ~text.endswith(NO_NEW_FACTS)
        told = bind.execute(
            sa.select(text).select_from(changes).where(OF_RELATIONSHIPS, names_dates).execution_options(yield_per=1_000)
        )
        found = sum(any(json.loads(record).get(name) for name in NEW_FIELDS) for (record,) in told)
    if found:
        raise StoreError(
            f"{found} relationships have or had a key, a date, or one entity at both ends, which the earlier schema"
            " can't hold: nothing was taken back; go back to a backup from before the upgrade, or import an export"
            " without them into a new database"
        )


def shorten_changes(schema: str | None) -> None:
    """Take the new fields, which are all null, out of the changes, where the earlier kgl does not know them."""
    changes, text = changes_of(schema)
    shorter = sa.func.substr(text, 1, sa.func.length(text) - len(NO_NEW_FACTS)) + "}"
    values = {"record": shorter if schema is None else sa.cast(shorter, JSON)}
    op.execute(changes.update().where(OF_RELATIONSHIPS, text.endswith(NO_NEW_FACTS)).values(values))


def changes_of(schema: str | None) -> tuple[sa.TableClause, sa.ColumnElement[str]]:
    """The table of the changes, and the text of their records."""
    changes = sa.table("changes", sa.column("record", JSON), schema=schema)
    return changes, sa.cast(changes.c.record, sa.Text)


def swap_unique() -> None:
    """Replace the unique index of active relationships on PostgreSQL, beside writers; one of the two always stands."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout TO 0")
        # What an interrupted build leaves behind is invalid, and only in the way.
        op.drop_index(f"{UNIQUE}_new", TABLE, schema=SCHEMA, if_exists=True, postgresql_concurrently=True)
        op.create_index(
            f"{UNIQUE}_new",
            TABLE,
            [*_TRIPLE, "key"],
            unique=True,
            schema=SCHEMA,
            postgresql_where=sa.text(_ACTIVE),
            postgresql_concurrently=True,
        )
        op.execute("SET lock_timeout TO '5s'")
    op.drop_index(UNIQUE, TABLE, schema=SCHEMA)
    op.execute(f"ALTER INDEX {SCHEMA}.{UNIQUE}_new RENAME TO {UNIQUE}")


def rebuild(more: list[sa.Column[str]], checks: list[sa.CheckConstraint], unique: list[str]) -> None:
    """Make the table anew on SQLite, which can't drop a constraint, with what it holds."""
    op.rename_table(TABLE, f"{TABLE}_old")
    for name, _, _ in (*INDEXES, (UNIQUE, [], None)):
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
    op.create_index(UNIQUE, TABLE, unique, unique=True, sqlite_where=sa.text(_ACTIVE))
    for name, columns, where in INDEXES:
        op.create_index(name, TABLE, columns, sqlite_where=None if where is None else sa.text(where))
