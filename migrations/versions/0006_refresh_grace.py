"""what makes a refresh token's child again"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kgl_adapters.sql.types import BYTES

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def _schema() -> str | None:
    return None if op.get_context().dialect.name == "sqlite" else "backend_auth"


def upgrade() -> None:
    op.add_column("refresh_tokens", sa.Column("child_seed", BYTES), schema=_schema())


def downgrade() -> None:
    op.drop_column("refresh_tokens", "child_seed", schema=_schema())
