"""Parts of records: only the columns that are asked for are read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.kernel.lookups import Finder
from kgl_adapters.sql.kernel.row_forms import compile_reader
from kgl_adapters.sql.kernel.tables import TABLES
from kgl_core.exploration.walked_records import Part
from kgl_core.graph.nouns import GraphNoun

_COMBINATIONS_MAX: Final = 128


def read_parts(session: Session, noun: GraphNoun, ids: Collection[UUID], names: Sequence[str]) -> Mapping[UUID, Part]:
    """These fields of the active records with these ids. Raises UnreadableRow."""
    finder, read = _reading(noun, tuple(names), session.is_sqlite)
    parts = [read(row) for row in finder.find(session, [(id,) for id in ids])]
    if "is_active" in names:
        for part in parts:
            part["is_active"] = True
    return {part["id"]: part for part in parts}


@lru_cache(_COMBINATIONS_MAX)
def _reading(
    noun: GraphNoun, names: tuple[str, ...], is_sqlite: bool
) -> tuple[Finder, Callable[[Sequence[Any]], dict[str, Any]]]:
    table = TABLES[noun][is_sqlite]
    fields = [field for field in noun.fields if field.name in names]
    finder = Finder(table, [table.c[field.name] for field in fields], [table.c.id])
    return finder, compile_reader(dict, fields, table.name, is_sqlite=is_sqlite)
