"""The statements of patterns, each compiled once for the patterns of one shape.

Every variable has its table once, joined to those before it. An optional part is joined from the left: its first
relationship only where all the rest of the part is there as well.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Label,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    true,
)
from sqlalchemy import literal_column as sql

from kgl_adapters.sql.engine.queries import Query
from kgl_adapters.sql.exploration.metadata_conditions import sort_columns, test_conditions
from kgl_adapters.sql.exploration.pattern_shapes import Asked, Shape
from kgl_adapters.sql.graph.tables import ENTITIES, RELATIONSHIPS

_SHAPES_MAX: Final = 512
Part = Sequence[Asked]


class PatternStatements:
    """The statements of patterns for one kind of database."""

    def __init__(self, *, is_sqlite: bool) -> None:
        self._is_sqlite = is_sqlite
        self.rows = lru_cache(_SHAPES_MAX)(self._rows)
        self.count = lru_cache(_SHAPES_MAX)(self._count)

    def _rows(self, shape: Shape) -> Query:
        """The first ``:limit`` rows, in order: the ids that they show, and after them what they are sorted by."""
        return self._query(_Statement(shape, is_sqlite=self._is_sqlite).rows())

    def _count(self, shape: Shape) -> Query:
        """How many rows there are, up to ``:limit``."""
        rows = _Statement(shape, is_sqlite=self._is_sqlite).ids().limit(_limit()).subquery()
        return self._query(select(func.count()).select_from(rows))

    def _query(self, statement: Select[Any]) -> Query:
        query = Query(statement, is_sqlite=self._is_sqlite)
        if self._is_sqlite:
            # SQLite has no statistics by which it could find a good order: for these joins, it keeps the one given.
            query.text = re.sub(r"(?<! OUTER) JOIN ", " CROSS JOIN ", query.text)
        return query


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
        self._ids: dict[int, ColumnElement[Any]] = {number: table.c.id for number, table in self._tables.items()}
        self._optional = frozenset(asked.number for part in shape.optional for asked in part)
        self._join_all()

    def ids(self) -> Select[Any]:
        """The ids that rows show, each combination once."""
        return self._found(keys=[])

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
        found = self._found(keys)
        for number, id in zip(self._shape.returned, found.selected_columns, strict=False):
            order.append(id.nulls_last() if number in self._optional else id)
        return found.order_by(*order).limit(_limit())

    def _found(self, keys: Sequence[Label[Any]]) -> Select[Any]:
        """The ids that rows show, and after them what they are sorted by."""
        shown = [self._ids[number].label(f"id_{number}") for number in self._shape.returned]
        found = select(*shown, *keys).select_from(self._all).where(*self._wanted)
        return found if self._shape.shows_all else found.distinct()

    def _join_all(self) -> None:
        """Join the tables of all variables that can be shown, and note what must hold besides."""
        first, *others = self._shape.pattern
        joined: FromClause = self._tables[first.number]
        known = [first.number]
        for asked in others:
            joined = self._joined(joined, asked, known)
            known.append(asked.number)
        missing = [~self._exists(part, known) for part in self._shape.not_exists]
        self._wanted = [*(self._conditions(first, []) or ()), *missing]
        for part in self._shape.optional:
            for place, asked in enumerate(part):
                conditions = self._conditions(asked, known)
                known.append(asked.number)
                if conditions is None:
                    continue
                if place:
                    conditions.append(self._ids[part[0].number].is_not(None))
                rest = part[place + 1 :]
                if not all(each.is_bare for each in rest):
                    conditions.append(self._exists(rest, known))
                joined = joined.outerjoin(self._tables[asked.number], and_(*conditions))
        self._all = joined

    def _joined(self, before: FromClause, asked: Asked, known: Sequence[int]) -> FromClause:
        """What is joined, and with it a variable, if that needs a table."""
        conditions = self._conditions(asked, known)
        if conditions is None:
            return before
        table = self._tables[asked.number]
        if self._is_sqlite or asked.ends is None or len({*asked.ends} & {*known}) < 2:
            return before.join(table, and_(*conditions))
        # PostgreSQL could join such a relationship by one end alone: of two hubs, that would give all pairs of what is
        # around them. The fence makes it look for the few that have both ends.
        fenced = select(table).where(*conditions).offset(sql("0")).lateral(f"v{asked.number}")
        self._tables[asked.number], self._ids[asked.number] = fenced, fenced.c.id
        return before.join(fenced, true())

    def _exists(self, part: Part, known: Sequence[int]) -> ColumnElement[bool]:
        """Whether what is known can be extended by this part."""
        placed = list(known)
        tables: list[Any] = []
        wanted: list[ColumnElement[bool]] = []
        for asked in part:
            conditions = self._conditions(asked, placed)
            placed.append(asked.number)
            if conditions is not None:
                tables.append(self._tables[asked.number])
                wanted += conditions
        joined: FromClause = tables[0]
        for table in tables[1:]:
            joined = joined.join(table, true())
        around = [self._tables[number] for number in known]
        return exists(select(sql("1")).select_from(joined).where(*wanted).correlate(*around))

    def _conditions(self, asked: Asked, known: Sequence[int]) -> list[ColumnElement[bool]] | None:
        """What must hold for a variable, beside those that are known; None for a node that needs no table.

        Such a node is known by the relationship that leads to it: relationships that are active have active ends.
        """
        if asked.ends is not None:
            return [*self._joins_of_relationship(asked, known), *self._own_conditions(asked)]
        if not known:
            return self._own_conditions(asked)
        ends = self._ends_of(asked, known)
        if asked.is_bare and len(ends) == 1:
            [self._ids[asked.number]] = ends
            return None
        id = self._tables[asked.number].c.id
        return [id == ends[0] if len(ends) == 1 else id.in_(ends), *self._own_conditions(asked)]

    def _ends_of(self, asked: Asked, known: Sequence[int]) -> list[ColumnElement[Any]]:
        """The end at which the relationship has this node that is placed before it; both if it can be either."""
        relationship = next(each for number in reversed(known) if (each := self._asked[number]).ends)
        table = self._tables[relationship.number].c
        source, target = relationship.ends or (0, 0)
        is_target = target == asked.number
        near, far = (table.source_entity_id, table.target_entity_id)[:: 1 if is_target else -1]
        if not relationship.is_both:
            return [far]
        other = source if is_target else target
        return [case((near == self._ids[other], far), else_=near)] if other in known else [near, far]

    def _joins_of_relationship(self, asked: Asked, known: Sequence[int]) -> list[ColumnElement[bool]]:
        """It joins its ends, as far as they are known, and is none of the relationships that are known."""
        table = self._tables[asked.number].c
        columns = (table.source_entity_id, table.target_entity_id)

        def along(columns: Sequence[ColumnElement[Any]]) -> list[ColumnElement[bool]]:
            ends = zip(columns, asked.ends or (), strict=True)
            return [column == self._ids[end] for column, end in ends if end in known]

        conditions = along(columns)
        if not conditions and len({*(asked.ends or ())}) == 1:
            conditions = [columns[0] == columns[1]]
        elif conditions and asked.is_both:
            conditions = [or_(and_(*conditions), and_(*along(columns[::-1])))]
        for number in known:
            if self._asked[number].ends is not None:
                is_other = table.id.is_distinct_from if number in self._optional else table.id.__ne__
                conditions.append(is_other(self._ids[number]))
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
