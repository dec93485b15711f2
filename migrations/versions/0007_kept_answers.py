"""kept answers of requests with an idempotency key"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kgl_adapters.sql.types import BYTES, INSTANT

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def _schema() -> str | None:
    return None if op.get_context().dialect.name == "sqlite" else "backend_auth"


def upgrade() -> None:
    schema = _schema()
    op.create_table(
        "kept_answers",
        sa.Column("id", BYTES, nullable=False),
        sa.Column("fingerprint", BYTES, nullable=False),
        sa.Column("answer", BYTES, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_kept_answers"),
        schema=schema,
        sqlite_strict=True,
    )
    op.create_index("ix_kept_answers_expires_at", "kept_answers", ["expires_at"], schema=schema)


def downgrade() -> None:
    op.drop_table("kept_answers", schema=_schema())
