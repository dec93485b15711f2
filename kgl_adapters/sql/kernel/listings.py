"""Lists records by filters and a sort. The SQL of each combination is compiled once."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, and_, bindparam, func, literal_column, or_, select

from kgl_adapters.sql.engine.encoding import Encoding
from kgl_adapters.sql.engine.queries import Query
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.kernel.json_values import has_names, holds, put_names, read_wanted
from kgl_adapters.sql.kernel.names import NameCondition
from kgl_adapters.sql.kernel.statements import order_page, position_parameters
from kgl_adapters.sql.kernel.tables import TABLES
from kgl_core.kernel.nouns.noun import NOUNS, AnyNoun, Comparison, Related
from kgl_core.kernel.nouns.pages import Position
from kgl_core.kernel.periods import MICROSECOND, Period, period_of
from kgl_core.kernel.text import past_beginning

_COMBINATIONS_MAX: Final = 1024
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

FilterShape = tuple[tuple[str, Any], ...]
"""What the SQL of a listing depends on: the names of its filters, and of most of them how many values they have."""

_OPERATORS: Final[Mapping[Comparison, Callable[[Any, Any], ColumnElement[bool]]]] = {
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Listing:
    """Lists the records of a noun's table by the filters and sorts that its description gives."""

    def __init__(self, noun: AnyNoun, table: Table, columns: Sequence[ColumnElement[Any]], *, is_sqlite: bool) -> None:
        self._noun, self._table, self._columns, self._is_sqlite = noun, table, columns, is_sqlite
        self._filters = tuple(noun.all_conditions)
        self._tells_state = noun.is_deletable
        self._by_name = {
            name: NameCondition(table, name, condition, is_sqlite=is_sqlite)
            for name, condition in noun.all_conditions.items()
            if condition.comparison == "same_name"
        }
        self._query = lru_cache(maxsize=_COMBINATIONS_MAX)(self._make_query)

    def page(
        self, session: Session, filter: Any, sort: str, after: Position | None, limit: int
    ) -> list[tuple[Any, ...]]:
        """Up to ``limit`` rows that pass ``filter``, those past ``after``, ordered by ``sort`` and then id.

        A ``sort`` that begins with - is descending.
        """
        given, parameters = self.read(filter, session)
        parameters |= position_parameters(after, session.encoding)
        return session.fetch(self._query(given, self._state(filter), sort, after is not None, limit), parameters)

    def count(self, session: Session, filter: Any) -> int:
        """How many rows pass ``filter``."""
        given, parameters = self.read(filter, session)
        [(count,)] = session.fetch(self._query(given, self._state(filter)), parameters)
        return int(count)

    def conditions(self, shape: FilterShape) -> Sequence[ColumnElement[bool]]:
        """The WHERE clauses of a filter on the noun's table, but for whether the records are deleted."""
        return [self._condition(name, asked) for name, asked in shape]

    def query(self, statement: Any) -> Query:
        """The query of a statement that has `conditions`."""
        return put_names(Query(statement, is_sqlite=self._is_sqlite), is_sqlite=self._is_sqlite)

    def _state(self, filter: Any) -> bool | None:
        """Which records are wanted where they can be deleted: the active (True), the deleted (False), or both."""
        return filter.is_active if self._tells_state else None

    def read(self, filter: Any, session: Session) -> tuple[FilterShape, dict[str, Any]]:
        """Which filters are used, and the parameters of their conditions."""
        given: list[tuple[str, Any]] = []
        parameters: dict[str, Any] = {}
        for name in self._filters:
            value = getattr(filter, name)
            if value is not None and value != ():
                shape, needed = self._read_one(name, value, session)
                given.append((name, shape))
                parameters |= needed
        return tuple(given), parameters

    def _read_one(self, name: str, value: Any, session: Session) -> tuple[Any, dict[str, Any]]:
        """What the SQL of a filter depends on, and the parameters of its condition."""
        encoding, condition = session.encoding, self._noun.all_conditions[name]
        match condition.comparison:
            case "overlaps":
                return 1, period_parameters(name, value, encoding)
            case "is_set":
                return value, {}
            case "same_name":
                return self._by_name[name].read(value, session)
            case "begins":
                end = past_beginning(value)
                return end is not None, {name: value} | ({} if end is None else {f"{name}_end": end})
            case "holds":
                return read_wanted(name, value)
            case "has_names":
                return value, {}
        values = value if isinstance(value, tuple) else (value,)
        parameters = dict(zip(_names(name, len(values)), map(encoding.value, values), strict=True))
        if condition.related is not None:
            parameters[f"{name}_related"] = encoding.value(condition.related.convert(value))
        return len(values), parameters

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
        statement = statement.where(*self.conditions(given))
        if is_active is not None:
            statement = statement.where(table.c.deleted_at.is_(None) if is_active else table.c.deleted_at.is_not(None))
        if sort is None:
            return self.query(statement)
        column = table.c[self._noun.sort_field(sort)]
        # What is unique by itself is ordered without the id, so that its index gives the order.
        unique = self._noun.unique
        is_unique = not self._tells_state and unique is not None and unique.fields == (column.name,)
        statement = order_page(statement, table, column, sort, is_after=is_after, is_unique=is_unique)
        # As a number: PostgreSQL makes a new plan at each call for a limit that it does not know.
        return self.query(statement.limit(literal_column(str(limit))))

    def _condition(self, name: str, shape: Any) -> ColumnElement[bool]:
        """The WHERE clause of a filter, by what `_read_one` says of it."""
        condition = self._noun.all_conditions[name]
        related = condition.related
        if related is None:
            return self._own_condition(name, shape)
        own = [self._own_condition(name, shape)] if condition.fields else []
        return or_(*own, self._related_condition(related, f"{name}_related"))

    def _related_condition(self, related: Related, parameter: str) -> ColumnElement[bool]:
        """The WHERE clause that asks for a record which is related, with one parameter."""
        other = TABLES[NOUNS[related.noun]][self._is_sqlite]
        refers = other.c[related.reference(self._noun)]
        asked = [other.c[related.field] == bindparam(parameter, type_=other.c[related.field].type)]
        asked += [other.c[name] == literal_column(f"'{value}'") for name, value in related.values.items()]
        asked += [other.c[name].is_(None) for name in related.unset]
        return self._table.c.id.in_(select(refers).where(*asked))

    def _own_condition(self, name: str, shape: Any) -> ColumnElement[bool]:
        condition = self._noun.all_conditions[name]
        columns = [self._table.c[field] for field in condition.fields]
        first, type_ = columns[0], columns[0].type
        match condition.comparison:
            case "is_set":
                return first.is_not(None) if shape else first.is_(None)
            case "overlaps":
                begins, ends = columns
                begin, end = (bindparam(f"{name}_{side}", type_=type_) for side in ("first", "last"))
                return (begins.is_(None) | (begins <= end)) & (ends.is_(None) | (ends > begin))
            case "same_name":
                return self._by_name[name].where(shape)
            case "begins":
                is_past = first >= bindparam(name, type_=type_)
                return is_past & (first < bindparam(f"{name}_end", type_=type_)) if shape else is_past
            case "holds":
                return and_(*holds(first.name, name, shape, is_sqlite=self._is_sqlite))
            case "has_names":
                return and_(*has_names(first.name, shape, is_sqlite=self._is_sqlite))
        if shape > 1:
            values = [bindparam(parameter, type_=type_) for parameter in _names(name, shape)]
            return or_(*(column.in_(values) for column in columns))
        value = bindparam(name, type_=type_)  # an index can give the order only where there is one value
        if condition.comparison == "contains":
            find = func.instr if self._is_sqlite else func.strpos
            return or_(*(find(column, value) > 0 for column in columns))
        return or_(*(_OPERATORS[condition.comparison](column, value) for column in columns))


def period_parameters(name: str, date: str, encoding: Encoding) -> dict[str, Any]:
    """The first and the last moment of the period that a date means; an open one has all moments on its side."""
    period = period_of(date) or Period()
    first = period.begin or _FIRST
    last = _LAST if period.end is None else period.end - MICROSECOND
    return {f"{name}_first": encoding.instant(first), f"{name}_last": encoding.instant(last)}


def _names(name: str, count: int) -> Sequence[str]:
    """The parameters of a filter with that many values."""
    return [name] if count == 1 else [f"{name}_{number}" for number in range(count)]
