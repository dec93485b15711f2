"""Defines tables: each once for PostgreSQL, in a schema, and once for SQLite, which knows no schemas.

The tables are as the newest migration leaves them; a test compares the two. SQLAlchemy's ``schema_translate_map`` would
spare the second set, but rewrites each statement whenever it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Column, ForeignKey, Index, MetaData, Table, text
from sqlalchemy.schema import SchemaItem

from kgl_adapters.sql.engine.driver_errors import note_unique
from kgl_adapters.sql.kernel.row_forms import form_of
from kgl_core.kernel.nouns.noun import AnyNoun

AUTH: Final = "backend_auth"
"""The schema of accounts, clients and tokens."""
GRAPH: Final = "backend_entities"
"""The schema of the graph."""
_NAMES: Final = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}
metadata: Final = MetaData(naming_convention=_NAMES)
sqlite_metadata: Final = MetaData(naming_convention=_NAMES)

Tables = Mapping[bool, Table]
"""A table by whether the database is SQLite."""
TABLES: Final[dict[AnyNoun, Tables]] = {}
"""The tables of nouns."""


def define(name: str, schema: str, make: Callable[[bool], Sequence[SchemaItem]]) -> Tables:
    """Define a table. ``make`` makes its columns, constraints and indexes anew, for SQLite when it is passed True."""
    return {
        False: Table(name, metadata, *make(False), schema=schema),
        True: Table(name, sqlite_metadata, *make(True), sqlite_strict=True),
    }


def define_noun(noun: AnyNoun, name: str, schema: str, make: Callable[[], Sequence[SchemaItem]]) -> Tables:
    """Define the table of a noun, whose columns its description gives; ``make`` makes its constraints and indexes.

    The index of a unique value is called ``uq_{table}_{name of the value}``.
    """
    tables = TABLES[noun] = define(name, schema, lambda is_sqlite: [*_columns(noun, is_sqlite), *make()])
    note_unique(f"pk_{name}", f"{name}.id", noun.name, "id")
    if noun.unique is not None:
        index, column = f"uq_{name}_{noun.unique.name}", f"{name}.{noun.unique.fields[0]}"
        note_unique(index, column, noun.name, noun.unique.name)
    return tables


def index(name: str, *columns: str, where: str | None = None, unique: bool = False) -> Index:
    """An index of these columns, and with ``where`` of a part of the rows."""
    condition = None if where is None else text(where)
    return Index(name, *columns, unique=unique, postgresql_where=condition, sqlite_where=condition)


def _columns(noun: AnyNoun, is_sqlite: bool) -> list[Column[Any]]:
    columns = []
    for field in (*noun.fields, *noun.derived_fields):
        referred = noun.references.get(field.name)
        keys = [] if referred is None else [ForeignKey(TABLES[referred][is_sqlite].c.id)]
        is_id = field.name == "id"
        column, can_be_null = form_of(field).column, field.is_optional and not field.is_empty_for_none
        default = "" if field.is_empty_for_none else None
        columns.append(
            Column(field.name, column, *keys, primary_key=is_id, nullable=can_be_null, server_default=default)
        )
    return columns
