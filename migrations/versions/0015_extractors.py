"""extractors and how far they are trusted, with indexes of what each asserts and of what facts say for their source"""

from __future__ import annotations

from uuid import NAMESPACE_URL, uuid5

import sqlalchemy as sa
from alembic import op

from kgl_adapters.sql.types import COUNT, ID, INSTANT, TEXT
from kgl_core.kernel.store_errors import StoreError

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_ALONE = "source IS NOT NULL AND NOT has_assertions AND deleted_at IS NULL"
_INDEXES = (
    ("ix_assertions_extractor", "assertions", ["extractor", "id"], "extractor > '' AND withdrawn_at IS NULL"),
    ("ix_entities_source", "entities", ["source"], _ALONE),
    ("ix_entity_relationships_source", "entity_relationships", ["source"], _ALONE),
)


def _schema() -> str | None:
    return None if op.get_context().dialect.name == "sqlite" else "backend_entities"


def _extractors() -> sa.TableClause:
    columns = {"id": ID, "name": TEXT, "created_by": TEXT, "created_at": INSTANT, "rank": COUNT, "version": COUNT}
    return sa.table("extractors", *(sa.column(name, type_) for name, type_ in columns.items()), schema=_schema())


def upgrade() -> None:
    _index()
    op.create_table(
        "extractors",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("created_by", TEXT, nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("rank", COUNT, nullable=False),
        sa.Column("version", COUNT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_extractors"),
        schema=_schema(),
        sqlite_strict=True,
    )
    op.create_index("ix_extractors_created_at", "extractors", ["created_at", "id"], schema=_schema())
    _fill()


def _index() -> None:
    """Add the indexes: on PostgreSQL beside writers, and of long texts only the beginning."""
    if _schema() is None:
        for name, table, columns, where in _INDEXES:
            op.create_index(name, table, columns, sqlite_where=sa.text(where))
        return
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout TO 0")
        for name, table, columns, where in _INDEXES:
            # What an interrupted build leaves behind is invalid, and only in the way.
            op.drop_index(name, table, schema=_schema(), if_exists=True, postgresql_concurrently=True)
            op.create_index(
                name,
                table,
                [sa.text("substr(source, 1, 600)") if column == "source" else column for column in columns],
                schema=_schema(),
                postgresql_where=sa.text(where),
                postgresql_concurrently=True,
            )
        op.execute("SET lock_timeout TO '5s'")


def _fill() -> None:
    """Add the extractors that have asserted something, each with the author and the time of its first assertion."""
    bind = op.get_bind()
    columns = (sa.column("extractor"), sa.column("asserted_by"), sa.column("asserted_at", INSTANT))
    said = sa.table("assertions", *columns, sa.column("id", ID), schema=_schema()).c
    place = sa.func.row_number().over(partition_by=said.extractor, order_by=(said.asserted_at, said.id))
    ordered = sa.select(said.extractor, said.asserted_by, said.asserted_at, place.label("place"))
    first = ordered.where(said.extractor.is_not(None)).subquery()
    found = sa.select(first.c.extractor, first.c.asserted_by, first.c.asserted_at).where(first.c.place == 1)
    for name, by, at in bind.execute(found).all():
        id = uuid5(NAMESPACE_URL, name)
        noted = {"name": name, "created_by": by, "created_at": at, "rank": 0, "version": 1}
        bind.execute(sa.insert(_extractors()).values(id=id.bytes if _schema() is None else id, **noted))


def downgrade() -> None:
    extractors = _extractors()
    ranked = sa.select(extractors.c.id).where(extractors.c.rank != 0).limit(1)
    if op.get_bind().execute(ranked).first() is not None:
        raise StoreError(
            "there are extractors with a rank, which the earlier schema can't hold: nothing was taken back; set their"
            " ranks to 0, or go back to a backup from before the upgrade"
        )
    op.drop_table("extractors", schema=_schema())
    for name, table, _, _ in _INDEXES:
        op.drop_index(name, table, schema=_schema())
