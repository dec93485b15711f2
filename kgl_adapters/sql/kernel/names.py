"""Finds records by names that are the same in whatever spelling: by their sort form, among which the core decides."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Table, bindparam, literal_column, select

from kgl_adapters.sql.engine.queries import Query
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.kernel.lookups import among, texts
from kgl_core.kernel.nouns.noun import Condition
from kgl_core.kernel.nouns.spellings import SPELLINGS_MAX, spellings_of


class NameCondition:
    """The condition ``filter`` of a listing by names, each with the sort form that the second column has."""

    def __init__(self, table: Table, filter: str, condition: Condition, *, is_sqlite: bool) -> None:
        self._filter, self._sort_form, self._is_sqlite = filter, condition.sort_form, is_sqlite
        self._name, self._sorted = (table.c[field] for field in condition.fields)
        self._query = lru_cache(self._make_query)

    def read(self, wanted: Sequence[str], session: Session) -> tuple[int, dict[str, Any]]:
        """What the SQL depends on, and its parameters. Raises InvalidInput as `spellings_of` does."""
        forms = sorted({self._sort_form(name) for name in wanted})
        parameters: dict[str, Any] = {f"{self._filter}_{n}": form for n, form in enumerate(forms)}
        found = [name for (name,) in session.fetch(self._query(len(forms)), parameters)]
        spellings = sorted(spellings_of(wanted, found, self._filter))
        return len(forms), {**parameters, self._filter: texts(spellings, is_sqlite=self._is_sqlite)}

    def where(self, count: int) -> ColumnElement[bool]:
        """The WHERE clause for names that have ``count`` sort forms."""
        return self._is_found(count) & among(self._name, self._filter, is_sqlite=self._is_sqlite)

    def _is_found(self, count: int) -> ColumnElement[bool]:
        forms = [bindparam(f"{self._filter}_{n}", type_=self._sorted.type) for n in range(count)]
        return self._sorted == forms[0] if count == 1 else self._sorted.in_(forms)

    def _make_query(self, count: int) -> Query:
        """The names that have any of so many sort forms; one more than may be, at most."""
        found = select(self._name).distinct().where(self._is_found(count))
        return Query(found.limit(literal_column(str(SPELLINGS_MAX + 1))), is_sqlite=self._is_sqlite)
