"""Parts of records: only the columns that are asked for are read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column

from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.kernel.lookups import Finder
from kgl_adapters.sql.kernel.row_forms import compile_reader
from kgl_adapters.sql.kernel.tables import TABLES
from kgl_core.exploration.walked_records import Part
from kgl_core.graph.nouns import GraphNoun

PARTS_MAX: Final = 128
"""For how many combinations of fields a statement is kept."""


def read_parts(session: Session, noun: GraphNoun, ids: Collection[UUID], names: Sequence[str]) -> Mapping[UUID, Part]:
    """These fields of the active records with these ids. Raises UnreadableRow."""
    finder, read = _finding(noun, tuple(names), session.is_sqlite)
    parts = [read(row) for row in finder.find(session, [(id,) for id in ids])]
    return {part["id"]: part for part in parts}


def reading_parts(
    noun: GraphNoun, names: Collection[str], *, is_sqlite: bool
) -> tuple[Sequence[Column[Any]], Callable[[Sequence[Any]], Part]]:
    """The columns to read of active records for these fields, and what makes a part of a row. It raises UnreadableRow.

    ``id`` must be among the fields.
    """
    table = TABLES[noun][is_sqlite]
    fields = [field for field in noun.fields if field.name in names]
    read: Callable[[Sequence[Any]], Part] = compile_reader(dict, fields, table.name, is_sqlite=is_sqlite)
    columns = [table.c[field.name] for field in fields]
    return columns, (lambda row: {**read(row), "is_active": True}) if "is_active" in names else read


@lru_cache(PARTS_MAX)
def _finding(
    noun: GraphNoun, names: tuple[str, ...], is_sqlite: bool
) -> tuple[Finder, Callable[[Sequence[Any]], Part]]:
    table = TABLES[noun][is_sqlite]
    columns, read = reading_parts(noun, names, is_sqlite=is_sqlite)
    return Finder(table, columns, [table.c.id]), read
