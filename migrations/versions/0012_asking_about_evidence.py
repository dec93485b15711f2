"""what an assertion is about within a fact, versions of sources, and which assertions a run made"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kgl_adapters.sql.types import COUNT, TEXT
from kgl_core.kernel.store_errors import StoreError

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def _schema() -> str | None:
    return None if op.get_context().dialect.name == "sqlite" else "backend_entities"


def upgrade() -> None:
    # Constants, so that no row is written.
    op.add_column("sources", sa.Column("version", COUNT, nullable=False, server_default="1"), schema=_schema())
    op.add_column("assertions", sa.Column("about", TEXT), schema=_schema())
    of_runs = sa.text("run IS NOT NULL")
    op.create_index(
        "ix_assertions_run", "assertions", ["run"], schema=_schema(), postgresql_where=of_runs, sqlite_where=of_runs
    )


def downgrade() -> None:
    kept = sa.table("assertions", sa.column("about"), schema=_schema())
    of_values = sa.select(sa.literal_column("1")).select_from(kept).where(kept.c.about.is_not(None)).limit(1)
    if op.get_bind().execute(of_values).first() is not None:
        raise StoreError(
            "there are assertions about single values, which the earlier schema can't hold: nothing was taken back; go"
            " back to a backup from before the upgrade, or import an export into a new database"
        )
    op.drop_index("ix_assertions_run", "assertions", schema=_schema())
    op.drop_column("assertions", "about", schema=_schema())
    op.drop_column("sources", "version", schema=_schema())
