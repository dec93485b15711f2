"""The statements of patterns, each compiled once for the patterns of one shape.

Every variable has its table once, joined to those before it. An optional part is joined from the left: its first
relationship only where all the rest of the part is there as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Join,
    Label,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
)
from sqlalchemy import literal_column as sql
from sqlalchemy.ext.compiler import compiles

from kgl_adapters.sql.engine.queries import Query
from kgl_adapters.sql.exploration.metadata_conditions import sort_columns, test_conditions
from kgl_adapters.sql.exploration.pattern_shapes import Asked, Shape
from kgl_adapters.sql.graph.tables import ENTITIES, RELATIONSHIPS

_SHAPES_MAX: Final = 512
Part = Sequence[Asked]


class JoinInOrder(Join):
    """A join whose left side SQLite reads first: it keeps no statistics by which it could find a better order."""

    inherit_cache = True


@compiles(JoinInOrder)
def _join_in_order(join: JoinInOrder, compiler: Any, **how: Any) -> str:
    how["asfrom"] = True
    left, right = compiler.process(join.left, **how), compiler.process(join.right, **how)
    how["asfrom"] = False
    return f"{left} CROSS JOIN {right} ON {compiler.process(join.onclause, **how)}"


class PatternStatements:
    """The statements of patterns for one kind of database."""

    def __init__(self, *, is_sqlite: bool) -> None:
        self._is_sqlite = is_sqlite
        self.rows = lru_cache(_SHAPES_MAX)(self._rows)
        self.count = lru_cache(_SHAPES_MAX)(self._count)

    def _rows(self, shape: Shape) -> Query:
        """The first ``:limit`` rows, in order: the ids that they show, and after them what they are sorted by."""
        statement = _Statement(shape, is_sqlite=self._is_sqlite)
        return Query(statement.rows(), is_sqlite=self._is_sqlite)

    def _count(self, shape: Shape) -> Query:
        """How many rows there are, up to ``:limit``."""
        rows = _Statement(shape, is_sqlite=self._is_sqlite).ids().limit(_limit()).subquery()
        return Query(select(func.count()).select_from(rows), is_sqlite=self._is_sqlite)


class _Statement:
    """One statement while it is made."""

    def __init__(self, shape: Shape, *, is_sqlite: bool) -> None:
        self._shape, self._is_sqlite = shape, is_sqlite
        parts = (shape.pattern, *shape.optional, *shape.not_exists)
        tables = {False: ENTITIES[is_sqlite], True: RELATIONSHIPS[is_sqlite]}
        self._asked = {asked.number: asked for part in parts for asked in part}
        self._tables: dict[int, Any] = {
            number: tables[asked.ends is not None].alias(f"v{number}") for number, asked in self._asked.items()
        }
        self._optional = frozenset(asked.number for part in shape.optional for asked in part)

    def ids(self) -> Select[Any]:
        """The ids that rows show, each combination once."""
        shown = [self._tables[number].c.id.label(f"id_{number}") for number in self._shape.returned]
        return self._of(shown)

    def rows(self) -> Select[Any]:
        """The rows in order."""
        keys: list[Label[Any]] = []
        order: list[ColumnElement[Any]] = []
        for place, by in enumerate(self._shape.order):
            table = self._tables[by.number]
            if by.column is None:
                columns = sort_columns(table.c.metadata, f"order_{place}", is_sqlite=self._is_sqlite)
            else:
                columns = [table.c[by.column]]
            for column in columns:
                key = column.label(f"key_{len(keys)}")
                keys.append(key)
                order.append((key.desc() if by.is_descending else key.asc()).nulls_last())
        shown = [self._tables[number].c.id.label(f"id_{number}") for number in self._shape.returned]
        order += [
            id.nulls_last() if number in self._optional else id
            for number, id in zip(self._shape.returned, shown, strict=True)
        ]
        return self._of([*shown, *keys]).order_by(*order).limit(_limit())

    def _of(self, columns: Sequence[ColumnElement[Any]]) -> Select[Any]:
        shape = self._shape
        first, *others = shape.pattern
        joined: FromClause = self._tables[first.number]
        known = [first.number]
        for asked in others:
            joined = self._joined(joined, asked.number, self._conditions(asked, known))
            known.append(asked.number)
        missing = [~self._exists(part, known) for part in shape.not_exists]
        for part in shape.optional:
            for place, asked in enumerate(part):
                conditions = self._conditions(asked, known)
                known.append(asked.number)
                if place:
                    conditions.append(self._tables[part[0].number].c.id.is_not(None))
                if rest := part[place + 1 :]:
                    conditions.append(self._exists(rest, known))
                joined = joined.outerjoin(self._tables[asked.number], and_(*conditions))
        found = select(*columns).select_from(joined).where(*self._own_conditions(first), *missing)
        return found if shape.shows_all else found.distinct()

    def _exists(self, part: Part, known: Sequence[int]) -> ColumnElement[bool]:
        """Whether what is known can be extended by this part."""
        around = [self._tables[number] for number in known]
        first, *others = part
        conditions = self._conditions(first, known)
        joined: FromClause = self._tables[first.number]
        placed = [*known, first.number]
        for asked in others:
            joined = self._joined(joined, asked.number, self._conditions(asked, placed))
            placed.append(asked.number)
        return exists(select(sql("1")).select_from(joined).where(*conditions).correlate(*around))

    def _joined(self, before: FromClause, number: int, conditions: Sequence[ColumnElement[bool]]) -> FromClause:
        kind = JoinInOrder if self._is_sqlite else Join
        return kind(before, self._tables[number], and_(*conditions))

    def _conditions(self, asked: Asked, known: Sequence[int]) -> list[ColumnElement[bool]]:
        """What must hold for a variable, beside those that are known."""
        joins = self._joins_of_node(asked, known) if asked.ends is None else self._joins_of_relationship(asked, known)
        return [*joins, *self._own_conditions(asked)]

    def _joins_of_node(self, asked: Asked, known: Sequence[int]) -> list[ColumnElement[bool]]:
        """It is at the other end of the relationship that is placed before it."""
        relationship = self._asked[known[-1]] if self._asked[known[-1]].ends else self._asked[known[-2]]
        table = self._tables[relationship.number].c
        source, target = relationship.ends or (0, 0)
        is_target = target == asked.number
        near, far = (table.source_entity_id, table.target_entity_id)[:: 1 if is_target else -1]
        if relationship.is_both:
            number = source if is_target else target
            if number not in known:
                return [self._tables[asked.number].c.id.in_([near, far])]
            other = self._tables[number].c.id
            far = case((near == other, far), else_=near)
        return [self._tables[asked.number].c.id == far]

    def _joins_of_relationship(self, asked: Asked, known: Sequence[int]) -> list[ColumnElement[bool]]:
        """It joins its ends, as far as they are known, and is none of the relationships that are known."""
        table = self._tables[asked.number].c
        columns = (table.source_entity_id, table.target_entity_id)

        def along(columns: Sequence[ColumnElement[Any]]) -> list[ColumnElement[bool]]:
            ends = zip(columns, asked.ends or (), strict=True)
            return [column == self._tables[end].c.id for column, end in ends if end in known]

        conditions = along(columns)
        if asked.is_both and conditions:
            conditions = [or_(and_(*conditions), and_(*along(columns[::-1])))]
        for number in known:
            if self._asked[number].ends is not None:
                other = self._tables[number].c.id
                is_other = table.id.is_distinct_from if number in self._optional else table.id.__ne__
                conditions.append(is_other(other))
        return conditions

    def _own_conditions(self, asked: Asked) -> list[ColumnElement[bool]]:
        """What must hold for the record itself."""
        table, own = self._tables[asked.number].c, f"v{asked.number}"
        conditions: list[ColumnElement[bool]] = [table.deleted_at.is_(None)]
        if asked.types:
            column = table.type if asked.ends is None else table.relationship_type
            wanted = [bindparam(f"{own}_type_{n}", type_=column.type) for n in range(asked.types)]
            conditions.append(column.in_(wanted) if asked.types > 1 else column == wanted[0])
        for name in asked.conditions:
            conditions += self._condition(table, own, name)
        return conditions + test_conditions(table.metadata, asked.tests, own)

    def _condition(self, table: Any, own: str, name: str) -> list[ColumnElement[bool]]:
        def given(column: ColumnElement[Any], name: str) -> ColumnElement[Any]:
            return bindparam(f"{own}_{name}", type_=column.type)

        match name:
            case "min_confidence":
                return [table.confidence >= given(table.confidence, name)]
            case "min_sources":
                return [table.sources_for >= given(table.sources_for, name)]
            case "valid_at":
                begins, ends = table.valid_begin_at, table.valid_end_at
                first, last = given(begins, "valid_at_first"), given(begins, "valid_at_last")
                return [or_(begins.is_(None), begins <= last), or_(ends.is_(None), ends > first)]
        return [table[name] == given(table[name], name)]


def _limit() -> ColumnElement[int]:
    return bindparam("limit", type_=Integer)


STATEMENTS: Final = {is_sqlite: PatternStatements(is_sqlite=is_sqlite) for is_sqlite in (False, True)}
"""By whether the database is SQLite."""
