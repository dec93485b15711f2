"""refresh tokens and throttling counters"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kgl_adapters.sql.types import BYTES, COUNT, ID, INSTANT

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INDEXES = (
    ("ix_refresh_tokens_family", "refresh_tokens", "family"),
    ("ix_refresh_tokens_user_id", "refresh_tokens", "user_id"),
    ("ix_refresh_tokens_expires_at", "refresh_tokens", "expires_at"),
    ("ix_throttle_counters_expires_at", "throttle_counters", "expires_at"),
)


def _schema() -> str | None:
    return None if op.get_context().dialect.name == "sqlite" else "backend_auth"


def upgrade() -> None:
    schema = _schema()
    user_id = "users.id" if schema is None else f"{schema}.users.id"
    op.create_table(
        "refresh_tokens",
        sa.Column("hash", BYTES, nullable=False),
        sa.Column("family", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("auth_version", COUNT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("used_at", INSTANT),
        sa.Column("revoked_at", INSTANT),
        sa.PrimaryKeyConstraint("hash", name="pk_refresh_tokens"),
        sa.ForeignKeyConstraint(["user_id"], [user_id], name="fk_refresh_tokens_user_id"),
        schema=schema,
        sqlite_strict=True,
    )
    op.create_table(
        "throttle_counters",
        sa.Column("key", BYTES, nullable=False),
        sa.Column("count", COUNT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_throttle_counters"),
        schema=schema,
        sqlite_strict=True,
    )
    for name, table, column in INDEXES:
        op.create_index(name, table, [column], schema=schema)


def downgrade() -> None:
    for table in ("throttle_counters", "refresh_tokens"):
        op.drop_table(table, schema=_schema())
