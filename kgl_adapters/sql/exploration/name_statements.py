"""The statements of searches in the index of names, each compiled once for the filters that it has."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import attrs
from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Subquery,
    and_,
    bindparam,
    case,
    column,
    func,
    literal_column,
    select,
    table,
    text,
    true,
    union_all,
)

from kgl_adapters.sql.engine.queries import Query
from kgl_adapters.sql.graph.entities import ENTITY_TABLES
from kgl_adapters.sql.graph.names import NAMES, TERMS
from kgl_adapters.sql.kernel.listings import FilterShape
from kgl_core.exploration.search.ranking import Fit

_COMBINATIONS_MAX: Final = 256
LOOKED_THROUGH_MAX: Final = 5_000
"""In how many names that have the terms of a question its other parts are looked for."""
LENGTHS: Final = 10_000
"""More than the words of a name have characters: fit and length are compared as one number, in this base."""


@attrs.frozen
class Shape:
    """What the SQL of a search depends on: its filters, how many types and parts it has, and where names are taken.

    The bounds are among it, since PostgreSQL makes a new plan at each call for a limit that it does not know.
    """

    filters: FilterShape
    types: int
    parts: int
    beginning: bool
    candidates: int
    limit: int

    @property
    def bounds(self) -> tuple[int, ...]:
        """Where the numbers before each hit reach these, in the same order, not all was looked at."""
        if self.beginning:
            return (self.candidates,)
        return (self.candidates, self.candidates, *([LOOKED_THROUGH_MAX] if self.parts else []))


class NameStatements:
    """The statements for one kind of database."""

    def __init__(self, *, is_sqlite: bool) -> None:
        self._is_sqlite = is_sqlite
        self._names = NAMES[is_sqlite]
        self._of_entities = ENTITY_TABLES[is_sqlite]
        self.hits = lru_cache(maxsize=_COMBINATIONS_MAX)(self._make_hits)
        self.facet = lru_cache(maxsize=_COMBINATIONS_MAX)(self._make_facet)

    def _make_hits(self, shape: Shape) -> Query:
        """The best entities, and before each how many names were taken in each way, as `Shape.bounds` has them."""
        ways, looked_through = self._ways(shape)
        taken = union_all(*(select(way) for way in ways)).cte("taken")
        c = taken.c
        # Whether a beginning fits is asked again: by terms, such names are found, too.
        of_name = case((c.field == literal_column("'name'"), _number(Fit.NAME)), else_=_number(Fit.OTHER_NAME))
        fit = case(
            (c.words == bindparam("whole"), of_name),
            (and_(c.words >= bindparam("whole"), c.words < bindparam("beyond")), _number(Fit.BEGINNING)),
            else_=_number(Fit.WORDS),
        )
        rank = func.min(fit * _number(LENGTHS) + func.length(c.words), type_=Integer).label("rank")
        best = select(c.entity_id, rank).group_by(c.entity_id).subquery("best")
        e = self._of_entities.table.c
        confidence = e.confidence.desc() if self._is_sqlite else e.confidence.desc().nulls_last()
        columns = (e.id, best.c.rank, e.sources_for, e.confidence, func.count().over().label("total"))
        found = self._joined(select(*columns), best, shape)
        fitting = best.c.rank // _number(LENGTHS)
        found = found.order_by(fitting, e.sources_for.desc(), confidence, best.c.rank, e.id)
        ranked = found.limit(_number(shape.limit)).subquery("ranked")
        counted = [*ways, *looked_through]
        counts = select(
            *(select(func.count()).select_from(each).scalar_subquery().label(each.name) for each in counted)
        )
        numbers = counts.subquery("numbers")
        joined = numbers.outerjoin(ranked, true())
        return self._of_entities.listing.query(select(*numbers.c, *ranked.c).select_from(joined))

    def _make_facet(self, shape: Shape, field: str) -> Query:
        """The values of a field among the entities that are found, and how many have each."""
        ways, _ = self._ways(shape)
        taken = union_all(*(select(way.c.entity_id) for way in ways)).subquery("taken")
        best = select(taken.c.entity_id).distinct().subquery("best")
        value = self._of_entities.table.c[field]
        count = func.count()
        found = (
            self._joined(select(value, count), best, shape)
            .group_by(value)
            .order_by(count.desc(), value.is_(None), value)
        )
        return self._of_entities.listing.query(found.limit(_number(shape.limit)))

    def _joined(self, statement: Any, best: Subquery, shape: Shape) -> Any:
        entities = self._of_entities
        conditions = entities.listing.conditions(shape.filters)
        joined = best.join(entities.table, entities.table.c.id == best.c.entity_id)
        return statement.select_from(joined).where(entities.is_active, *conditions)

    def _ways(self, shape: Shape) -> tuple[list[Any], list[Any]]:
        """The names that are taken: by their beginning, and unless these are enough, by their terms.

        Besides, the names with these terms in which parts of the question are looked for, if it has any.
        """
        names = self._names
        columns = (names.c.entity_id, names.c.field, names.c.words)
        of_type = []
        if shape.types:
            of_type = [
                names.c.type.in_([bindparam(f"of_type_{n}", type_=names.c.type.type) for n in range(shape.types)])
            ]
        parts = [self._has_part(names.c.words, f"part_{n}") for n in range(shape.parts)]
        begins = (names.c.words >= bindparam("whole"), names.c.words < bindparam("beyond"))
        by_beginning = select(*columns).where(*begins, *of_type, *parts).order_by(names.c.words)
        ways: list[Any] = [by_beginning.limit(_number(shape.candidates)).cte("by_beginning")]
        looked_through: list[Any] = []
        if not shape.beginning:
            by_terms = self._having_terms(select(*columns))
            if not self._is_sqlite:
                # Materialized, it is planned without the LIMIT. With it, the planner may look through the table instead
                # of the index, in the belief that it will find enough soon.
                by_terms = select(by_terms.cte("having_terms").prefix_with("MATERIALIZED"))
            if shape.parts:
                some = by_terms.limit(_number(LOOKED_THROUGH_MAX))
                # It is read twice. On PostgreSQL, it comes from what is materialized already.
                looked = some.cte("looked_through") if self._is_sqlite else some.subquery("looked_through")
                parts = [self._has_part(looked.c.words, f"part_{n}") for n in range(shape.parts)]
                by_terms = select(looked).where(*parts)
                looked_through.append(looked)
            # None where enough names begin with the question: others rank lower, and would only be looked at.
            enough = select(func.count()).select_from(ways[0]).scalar_subquery() >= _number(shape.candidates)
            limit = case((enough, _number(0)), else_=_number(shape.candidates))
            ways.append(by_terms.limit(limit).cte("by_terms"))
        return ways, looked_through

    def _having_terms(self, statement: Select[Any]) -> Select[Any]:
        names = self._names
        if not self._is_sqlite:
            return statement.where(text(f"{names.fullname}.terms @@ CAST(:terms AS tsquery)"))
        index = table(TERMS, column("rowid"))
        joined = index.join(names, names.c.id == index.c.rowid)
        return statement.select_from(joined).where(text(f"{TERMS} MATCH :terms"))

    def _has_part(self, words: ColumnElement[Any], parameter: str) -> ColumnElement[bool]:
        find = func.instr if self._is_sqlite else func.strpos
        padded = literal_column("' '").concat(words).concat(literal_column("' '"))
        found: ColumnElement[int] = find(padded, bindparam(parameter), type_=Integer)
        return found > _number(0)


def _number(value: int) -> ColumnElement[int]:
    return literal_column(str(int(value)), Integer)
