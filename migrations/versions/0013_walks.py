"""relationships by strength at each end, for walks, in place of three indexes"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_TABLE, _SCHEMA = "entity_relationships", "backend_entities"
_ACTIVE = "deleted_at IS NULL"
_SOURCE, _TARGET = "source_entity_id", "target_entity_id"
Indexes = tuple[tuple[str, list[str], str | None], ...]
_OLD: Indexes = (
    ("ix_entity_relationships_target", [_TARGET, "relationship_type", _SOURCE], _ACTIVE),
    ("ix_entity_relationships_of_source", [_SOURCE, "created_at", "id"], None),
    ("ix_entity_relationships_of_target", [_TARGET, "created_at", "id"], None),
)


def _new() -> Indexes:
    last = "" if _is_sqlite() else " NULLS LAST"
    order = [f"confidence DESC{last}", "created_at DESC", "id"]
    return (
        ("ix_entity_relationships_leaving", [_SOURCE, *order, _TARGET, "relationship_type"], _ACTIVE),
        ("ix_entity_relationships_entering", [_TARGET, *order, _SOURCE, "relationship_type"], _ACTIVE),
    )


def upgrade() -> None:
    if _is_sqlite():
        _swap(_OLD, _new())
        return
    # Built beside writers; waiting for them blocks nobody, so that it needs no lock_timeout.
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout TO 0")
        for name, columns, where in _new():
            # What an interrupted build leaves behind is invalid, and only in the way.
            op.drop_index(name, _TABLE, schema=_SCHEMA, if_exists=True, postgresql_concurrently=True)
            _create(name, columns, where, postgresql_concurrently=True)
        for name, _, _ in _OLD:
            op.drop_index(name, _TABLE, schema=_SCHEMA, if_exists=True, postgresql_concurrently=True)
        op.execute("SET lock_timeout TO '5s'")


def downgrade() -> None:
    _swap(_new(), _OLD)


def _is_sqlite() -> bool:
    return op.get_context().dialect.name == "sqlite"


def _swap(old: Indexes, new: Indexes) -> None:
    for name, columns, where in new:
        _create(name, columns, where)
    for name, _, _ in old:
        op.drop_index(name, _TABLE, schema=None if _is_sqlite() else _SCHEMA)


def _create(name: str, columns: list[str], where: str | None, **options: bool) -> None:
    condition = None if where is None else sa.text(where)
    op.create_index(
        name,
        _TABLE,
        [sa.text(column) if " " in column else column for column in columns],
        schema=None if _is_sqlite() else _SCHEMA,
        sqlite_where=condition,
        postgresql_where=condition,
        **options,
    )
