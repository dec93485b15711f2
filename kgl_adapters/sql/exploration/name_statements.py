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
    false,
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
LOOKED_THROUGH_MAX: Final = 2_500
"""How many names that have the terms of a question are searched for its other parts, at most."""
_LOOKED_THROUGH_EACH: Final = 10
"""How many of them are searched for each name that may be taken."""
LENGTHS: Final = 10_000
"""More than the words of a name have characters: fit and length are compared as one number, in this base."""


@attrs.frozen
class Shape:
    """What the SQL of a search depends on: its filters, how many types and parts it has, and where names are taken.

    With ``is_whole``, the last word is looked for as a whole before it is as a beginning. The bounds are part of it,
    since PostgreSQL cannot plan well for a limit that it does not know.
    """

    filters: FilterShape
    types: int
    parts: int
    is_whole: bool
    beginning: bool
    candidates: int
    limit: int

    @property
    def looked_through(self) -> int:
        """How many names that have the terms are searched for the parts."""
        return min(LOOKED_THROUGH_MAX, _LOOKED_THROUGH_EACH * self.candidates)


class NameStatements:
    """The statements for one kind of database."""

    def __init__(self, *, is_sqlite: bool) -> None:
        self._is_sqlite = is_sqlite
        self._names = NAMES[is_sqlite]
        self._of_entities = ENTITY_TABLES[is_sqlite]
        self.hits = lru_cache(maxsize=_COMBINATIONS_MAX)(self._make_hits)
        self.facet = lru_cache(maxsize=_COMBINATIONS_MAX)(self._make_facet)

    def _make_hits(self, shape: Shape) -> Query:
        """The best entities, and before each whether not all names were looked at."""
        ways, is_cut = self._ways(shape)
        taken = union_all(*(select(way) for way in ways)).cte("taken")
        rank = func.min(taken.c.fit * _number(LENGTHS) + func.length(taken.c.words), type_=Integer).label("rank")
        best = select(taken.c.entity_id, rank).group_by(taken.c.entity_id).subquery("best")
        e = self._of_entities.table.c
        confidence = e.confidence.desc() if self._is_sqlite else e.confidence.desc().nulls_last()
        fitting = best.c.rank // _number(LENGTHS)
        # Their names, where they are compared in spelling.
        is_whole = fitting < _number(Fit.BEGINNING)
        names = [case((is_whole, c)).label(c.name) for c in (e.name, e.aliases, e.key)]
        columns = (e.id, best.c.rank, e.sources_for, e.confidence, *names, func.count().over().label("total"))
        found = self._joined(select(*columns), best, shape)
        found = found.order_by(fitting, e.sources_for.desc(), confidence, best.c.rank, e.id)
        ranked = found.limit(_number(shape.limit)).subquery("ranked")
        cut = select(is_cut.label("is_cut")).subquery("cut")
        return self._of_entities.listing.query(
            select(cut.c.is_cut, *ranked.c).select_from(cut.outerjoin(ranked, true()))
        )

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

    def _ways(self, shape: Shape) -> tuple[list[Any], ColumnElement[bool]]:
        """The names that are taken, in one to three ways, and whether there may be more.

        First those that begin as the question does. If these are too few, others that have its words; if the last may
        be a beginning, those that have it as a whole come before those that have it as a beginning.
        """
        c = self._names.c
        begins = and_(c.words >= bindparam("whole"), c.words < bindparam("beyond"))
        by_beginning = self._beginning(shape, begins).cte("by_beginning")
        ways = [by_beginning]
        left = _number(shape.candidates) - _count(by_beginning)
        cut: list[ColumnElement[bool]] = [left <= _number(0)]
        if shape.beginning:
            return ways, cut[0]
        if shape.is_whole:
            by_words = self._having("words", begins).limit(left).cte("by_words")
            ways.append(by_words)
            left = left - _count(by_words)
            cut.append(left <= _number(0))
        found = self._having("terms", begins)
        if shape.parts:
            some = found.limit(_number(shape.looked_through))
            # It is read twice. On PostgreSQL, it comes from what is materialized already.
            looked_through = some.cte("looked_through") if self._is_sqlite else some.subquery("looked_through")
            found = select(looked_through).where(*self._parts(shape, looked_through.c.words))
        by_terms = found.limit(left).cte("by_terms")
        ways.append(by_terms)
        cut.append(left <= _count(by_terms))
        if shape.parts:
            cut.append(_count(looked_through) >= _number(shape.looked_through))
        # One after the other, so that nothing is read only to be counted.
        return ways, case(*((condition, true()) for condition in cut), else_=false())

    def _beginning(self, shape: Shape, begins: ColumnElement[bool]) -> Select[Any]:
        """The names that begin as the question does."""
        c = self._names.c
        of_name = case((c.field == literal_column("'name'"), _number(Fit.NAME)), else_=_number(Fit.OTHER_NAME))
        fit = case((c.words == bindparam("whole"), of_name), else_=_number(Fit.BEGINNING))
        found = select(c.entity_id, fit.label("fit"), c.words).where(begins, *self._parts(shape, c.words))
        if shape.types:
            types = [bindparam(f"of_type_{n}", type_=c.type.type) for n in range(shape.types)]
            found = found.where(c.type.in_(types))
        return found.order_by(c.words).limit(_number(shape.candidates))

    def _having(self, parameter: str, begins: ColumnElement[bool]) -> Select[Any]:
        """The names that have the terms in a parameter, but don't begin as the question does."""
        names = self._names
        columns: Any = (names.c.entity_id, _number(Fit.WORDS).label("fit"), names.c.words)
        found = select(*columns).where(~begins)
        if self._is_sqlite:
            index = table(TERMS, column("rowid"))
            joined = index.join(names, names.c.id == index.c.rowid)
            return found.select_from(joined).where(text(f"{TERMS} MATCH :{parameter}"))
        # Materialized, it is planned without a LIMIT. With it, the planner may look through the table instead of the
        # index, in the belief that it will find enough soon.
        found = found.where(text(f"{names.fullname}.terms @@ CAST(:{parameter} AS tsquery)"))
        materialized: Any = found.cte(f"having_{parameter}").prefix_with("MATERIALIZED")
        return select(*materialized.c)

    def _parts(self, shape: Shape, words: ColumnElement[Any]) -> list[ColumnElement[bool]]:
        """The conditions that words have all parts of a question."""
        find = func.instr if self._is_sqlite else func.strpos
        padded = literal_column("' '").concat(words).concat(literal_column("' '"))
        return [find(padded, bindparam(f"part_{n}"), type_=Integer) > _number(0) for n in range(shape.parts)]


def _count(rows: Any) -> ColumnElement[int]:
    return select(func.count()).select_from(rows).scalar_subquery()


def _number(value: int) -> ColumnElement[int]:
    return literal_column(str(int(value)), Integer)
