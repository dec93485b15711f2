"""service clients and revocations of access tokens"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kgl_adapters.sql.types import BYTES, COUNT, ID, INSTANT, TEXT

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INDEXES = (
    ("ix_oauth_clients_created_at", "oauth_clients", ("created_at", "id")),
    ("ix_revocations_subject", "revocations", ("subject",)),
    ("ix_revocations_expires_at", "revocations", ("expires_at",)),
)


def _schema() -> str | None:
    return None if op.get_context().dialect.name == "sqlite" else "backend_auth"


def upgrade() -> None:
    schema = _schema()
    op.create_table(
        "oauth_clients",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("secret_hash", BYTES, nullable=False),
        sa.Column("scopes", TEXT, nullable=False),
        sa.Column("created_by", TEXT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT),
        sa.Column("auth_version", COUNT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_oauth_clients"),
        schema=schema,
        sqlite_strict=True,
    )
    op.create_table(
        "revocations",
        sa.Column("id", ID, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_revocations"),
        schema=schema,
        sqlite_strict=True,
    )
    for name, table, columns in INDEXES:
        op.create_index(name, table, list(columns), schema=schema)


def downgrade() -> None:
    for table in ("revocations", "oauth_clients"):
        op.drop_table(table, schema=_schema())
