"""How Alembic runs the migrations: on the connection that kgl hands over, or on DATABASE_URL when Alembic is called."""

from __future__ import annotations

import logging
import os

from alembic import context
from sqlalchemy import Connection

from kgl_adapters.connect import DEFAULT_URL
from kgl_adapters.sql.engine.engines import make_engine, parse_url
from kgl_adapters.sql.graph.names import TERMS
from kgl_adapters.sql.kernel.tables import AUTH, GRAPH
from kgl_adapters.sql.schema import SCHEMA
from kgl_adapters.sql.storage.migrating import VERSION_TABLE, migrating


def run(connection: Connection) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    context.configure(
        connection=connection,
        target_metadata=SCHEMA[is_sqlite],
        version_table=VERSION_TABLE,
        version_table_schema=None if is_sqlite else GRAPH,
        include_schemas=not is_sqlite,
        include_name=lambda name, kind, _: is_described(name, kind, is_sqlite=is_sqlite),
        # On SQLite all migrations are one transaction, which the connection is in already. So are all that are undone,
        # since one of them may refuse.
        transaction_per_migration=not is_sqlite and "undoing" not in context.config.attributes,
    )
    with context.begin_transaction():
        context.run_migrations()


def is_described(name: str | None, kind: str, *, is_sqlite: bool) -> bool:
    """Whether a schema or a table is one that the code describes: not so the full-text table, and those below it."""
    if kind == "schema":
        return is_sqlite or name in (AUTH, GRAPH)
    return kind != "table" or name is None or not name.startswith(TERMS)


def run_from_command_line() -> None:
    if context.is_offline_mode():
        raise SystemExit("kgl's migrations look at the database: run them without --sql")
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    engine = make_engine(parse_url(os.environ.get("DATABASE_URL", DEFAULT_URL)))
    try:
        with migrating(engine) as connection:
            run(connection)
    finally:
        engine.dispose()


handed_over = context.config.attributes.get("connection")
if handed_over is None:
    run_from_command_line()
else:
    run(handed_over)
