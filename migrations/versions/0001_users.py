"""users"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kgl_adapters.sql.types import COUNT, FLAG, ID, INSTANT, TEXT

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _schema() -> str | None:
    return None if op.get_context().dialect.name == "sqlite" else "backend_auth"


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("id", ID, nullable=False),
        sa.Column("email", TEXT, nullable=False),
        sa.Column("password_hash", TEXT, nullable=False),
        sa.Column("first_name", TEXT),
        sa.Column("last_name", TEXT),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("is_active", FLAG, nullable=False),
        sa.Column("auth_version", COUNT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("last_login_at", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.CheckConstraint("role IN ('user', 'moderator', 'admin')", name=op.f("ck_users_role")),
        schema=_schema(),
        sqlite_strict=True,
    )
    op.create_index("uq_users_email", "users", ["email"], unique=True, schema=_schema())


def downgrade() -> None:
    op.drop_table("users", schema=_schema())
