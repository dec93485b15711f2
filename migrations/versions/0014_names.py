"""the index of names"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
from alembic import context, op

from kgl_adapters.sql.graph.names import quoted_term
from kgl_adapters.sql.types import COUNT, ID, INTEGER, TEXT, Plain
from kgl_core.graph.naming.names import NameRow, named, rows_of

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_BATCH = 5_000
_TERMS = (
    "CREATE VIRTUAL TABLE entity_name_terms USING fts5(terms, content='', columnsize=0, detail=none, prefix='1 2',"
    """ tokenize="ascii tokenchars '!""#$%&''()*+,-./:;<=>?@[\\]^_`{|}~'")"""
)


def _is_sqlite() -> bool:
    return op.get_context().dialect.name == "sqlite"


def _schema() -> str | None:
    return None if _is_sqlite() else "backend_entities"


def upgrade() -> None:
    columns = [
        sa.Column("entity_id", ID, nullable=False),
        sa.Column("position", COUNT, nullable=False),
        sa.Column("field", TEXT, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("words", TEXT, nullable=False),
    ]
    if _is_sqlite():
        columns.insert(0, sa.Column("id", INTEGER, nullable=False))
        key: list[sa.Constraint] = [
            sa.PrimaryKeyConstraint("id", name="pk_entity_names"),
            sa.UniqueConstraint("entity_id", "position"),
        ]
    else:
        columns.append(sa.Column("terms", Plain("TSVECTOR"), nullable=False))
        key = [sa.PrimaryKeyConstraint("entity_id", "position", name="pk_entity_names")]
    op.create_table("entity_names", *columns, *key, schema=_schema(), sqlite_strict=True)
    if _is_sqlite():
        op.execute(sa.text(_TERMS.replace(":", "\\:")))
    _fill()
    op.create_index("ix_entity_names_words", "entity_names", ["words"], schema=_schema())
    if not _is_sqlite():
        op.create_index(
            "ix_entity_names_terms",
            "entity_names",
            ["terms"],
            schema=_schema(),
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},
        )


def _fill() -> None:
    """Index the names that there are, before the table has indexes, and say how far it is."""
    connection = op.get_bind()
    of_graph = "" if _schema() is None else f"{_schema()}."
    [total] = connection.execute(sa.text(f"SELECT count(*) FROM {of_graph}entities")).one()  # noqa: S608  # our name
    on_progress: Callable[[str, int, int], object] = context.config.attributes.get("on_progress", lambda *_: None)
    done = number = 0
    for batch in _batches(connection, of_graph):
        rows = [(id, row) for id, type, name, aliases, key in batch for row in _rows(type, name, aliases, key)]
        if _is_sqlite():
            held = [(number + place, id, *row) for place, (id, row) in enumerate(rows, 1)]
            connection.exec_driver_sql("INSERT INTO entity_names VALUES (?, ?, ?, ?, ?, ?)", held)
            terms = [(number + place, " ".join(row.terms)) for place, (_, row) in enumerate(rows, 1)]
            connection.exec_driver_sql("INSERT INTO entity_name_terms (rowid, terms) VALUES (?, ?)", terms)
        else:
            cursor: Any = connection.connection.cursor()
            with cursor.copy(f"COPY {of_graph}entity_names FROM STDIN") as copy:
                for id, row in rows:
                    terms_of_row = " ".join(quoted_term(term, is_sqlite=False) for term in row.terms)
                    copy.write_row((id, *row, terms_of_row))
        number += len(rows)
        done += len(batch)
        on_progress("entities", done, total)


def _batches(connection: sa.Connection, of_graph: str) -> Iterator[Any]:
    """The active entities by id: id, type, name, aliases and key."""
    begin = f"SELECT id, type, name, aliases, key FROM {of_graph}entities WHERE deleted_at IS NULL"  # noqa: S608
    end = f" ORDER BY id LIMIT {_BATCH}"
    batch = connection.execute(sa.text(begin + end)).all()
    after = sa.text(f"{begin} AND id > :id{end}")
    while batch:
        yield batch
        batch = connection.execute(after, {"id": batch[-1][0]}).all()


def _rows(type: str, name: str, aliases: Any, key: str | None) -> list[NameRow]:
    return [*rows_of(type, named(name, json.loads(aliases) if isinstance(aliases, str) else aliases, key))]


def downgrade() -> None:
    if _is_sqlite():
        op.execute("DROP TABLE entity_name_terms")
    op.drop_table("entity_names", schema=_schema())
