"""runs, and which run a change is part of"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from kgl_adapters.sql.types import ID, INSTANT, JSON, TEXT

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def _schema() -> str | None:
    return None if op.get_context().dialect.name == "sqlite" else "backend_entities"


def upgrade() -> None:
    is_sqlite = _schema() is None
    # An interrupted build of the index leaves on PostgreSQL what comes before it.
    op.create_table(
        "runs",
        sa.Column("id", ID, nullable=False),
        sa.Column("title", TEXT),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("created_by", TEXT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sa.Column("counts", JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        schema=_schema(),
        sqlite_strict=True,
        if_not_exists=not is_sqlite,
    )
    op.create_index("ix_runs_created_at", "runs", ["created_at", "id"], schema=_schema(), if_not_exists=not is_sqlite)
    of_runs = sa.text("run IS NOT NULL")
    if is_sqlite:
        op.add_column("changes", sa.Column("run", ID))
        op.create_index("ix_changes_run", "changes", ["run", "sequence"], sqlite_where=of_runs)
        return
    op.execute(f"ALTER TABLE {_schema()}.changes ADD COLUMN IF NOT EXISTS run uuid")
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout TO 0")
        # What an interrupted build leaves behind is invalid, and only in the way.
        op.drop_index("ix_changes_run", "changes", schema=_schema(), if_exists=True, postgresql_concurrently=True)
        op.create_index(
            "ix_changes_run",
            "changes",
            ["run", "sequence"],
            schema=_schema(),
            postgresql_where=of_runs,
            postgresql_concurrently=True,
        )
        op.execute("SET lock_timeout TO '5s'")


def downgrade() -> None:
    op.drop_index("ix_changes_run", "changes", schema=_schema())
    op.drop_column("changes", "run", schema=_schema())
    op.drop_table("runs", schema=_schema())
