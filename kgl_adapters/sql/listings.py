"""Lists records by filters and a sort. The SQL of each combination is compiled once."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import attrs
from sqlalchemy import Column, ColumnElement, Table, bindparam, func, literal_column, or_, select

from kgl_adapters.sql.encoding import Encoding
from kgl_adapters.sql.engine.queries import Query
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.statements import order_page, position_parameters
from kgl_core.graph.shared_fields import RecordFilter
from kgl_core.kernel.pages import Position

_COMBINATIONS_MAX: Final = 1024

FilterShape = tuple[tuple[str, int], ...]
"""What the SQL of a listing depends on: the names of its filters, and how many values each has."""


@attrs.frozen
class Condition:
    """The WHERE clause of a filter: any of these columns compares so with its value, or equals any of its values."""

    columns: Sequence[Column[Any]]
    operator: Callable[[Any, Any], ColumnElement[bool]] = operator.eq

    def of(self, name: str, count: int) -> ColumnElement[bool]:
        """The condition with a parameter for each of ``count`` values."""
        type_ = self.columns[0].type
        if count == 1:  # an index can give the order only where there is one value
            return or_(*(self.operator(column, bindparam(name, type_=type_)) for column in self.columns))
        values = [bindparam(parameter, type_=type_) for parameter in _names(name, count)]
        return or_(*(column.in_(values) for column in self.columns))


class Listing:
    """Lists the records of a table. ``conditions`` are its own filters, beside those that all records have."""

    def __init__(
        self,
        table: Table,
        columns: Sequence[ColumnElement[Any]],
        conditions: Mapping[str, Condition],
        *,
        is_sqlite: bool,
    ) -> None:
        self._table, self._columns, self._is_sqlite = table, columns, is_sqlite
        self._conditions = {**_shared_conditions(table), **conditions}
        self._query = lru_cache(maxsize=_COMBINATIONS_MAX)(self._make_query)

    def page(
        self, session: Session, filter: RecordFilter, sort: str, after: Position | None, limit: int
    ) -> list[tuple[Any, ...]]:
        """Up to ``limit`` rows that pass ``filter``, those past ``after``, ordered by the column ``sort`` and then id.

        A ``sort`` that begins with - is descending.
        """
        given, parameters = self._read(filter, session.encoding)
        parameters |= position_parameters(after, session.encoding)
        return session.fetch(self._query(given, filter.is_active, sort, after is not None, limit), parameters)

    def count(self, session: Session, filter: RecordFilter) -> int:
        """How many rows pass ``filter``."""
        given, parameters = self._read(filter, session.encoding)
        [(count,)] = session.fetch(self._query(given, filter.is_active), parameters)
        return int(count)

    def _read(self, filter: RecordFilter, encoding: Encoding) -> tuple[FilterShape, dict[str, Any]]:
        """Which filters are used, and the parameters of their conditions."""
        given: list[tuple[str, int]] = []
        parameters: dict[str, Any] = {}
        for name in self._conditions:
            value = getattr(filter, name)
            if value is None or value == ():
                continue
            values = value if isinstance(value, tuple) else (value,)
            given.append((name, len(values)))
            parameters.update(zip(_names(name, len(values)), map(encoding.value, values), strict=True))
        return tuple(given), parameters

    def _make_query(
        self,
        given: FilterShape,
        is_active: bool | None,
        sort: str | None = None,
        is_after: bool = False,
        limit: int = 0,
    ) -> Query:
        """The query of a page, or without ``sort`` of the count."""
        table = self._table
        statement = select(func.count()).select_from(table) if sort is None else select(*self._columns)
        statement = statement.where(*(self._conditions[name].of(name, count) for name, count in given))
        if is_active is not None:
            statement = statement.where(table.c.deleted_at.is_(None) if is_active else table.c.deleted_at.is_not(None))
        if sort is None:
            return Query(statement, is_sqlite=self._is_sqlite)
        statement = order_page(statement, table, table.c[sort.removeprefix("-")], sort, is_after=is_after)
        # As a number: PostgreSQL makes a new plan at each call for a limit that it does not know.
        return Query(statement.limit(literal_column(str(limit))), is_sqlite=self._is_sqlite)


def _shared_conditions(table: Table) -> dict[str, Condition]:
    columns = table.c
    return {
        "min_confidence": Condition([columns.confidence], operator.ge),
        "max_confidence": Condition([columns.confidence], operator.le),
        "source": Condition([columns.source]),
        "source_type": Condition([columns.source_type]),
        "created_after": Condition([columns.created_at], operator.gt),
        "created_before": Condition([columns.created_at], operator.lt),
        "updated_after": Condition([columns.updated_at], operator.gt),
        "updated_before": Condition([columns.updated_at], operator.lt),
    }


def _names(name: str, count: int) -> Sequence[str]:
    """The parameters of a filter with that many values."""
    return [name] if count == 1 else [f"{name}_{number}" for number in range(count)]
