"""The statements of walks, each compiled once for the filters that it has.

PostgreSQL takes one step from many entities with one statement: their ids come as an array, and a lateral join gives
the first rows of each from the index. SQLite, which runs in this process, runs a small statement for each entity; what
joins many entities it finds with one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    Column,
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    Uuid,
    and_,
    bindparam,
    cast,
    func,
    literal_column,
    or_,
    select,
    text,
    true,
    union_all,
)

from kgl_adapters.sql.engine.queries import Query
from kgl_adapters.sql.exploration.walk_shapes import Shape
from kgl_adapters.sql.graph.tables import ENTITIES, RELATIONSHIPS
from kgl_adapters.sql.kernel.lookups import id_at

_COMBINATIONS_MAX: Final = 512


class WalkStatements:
    """The statements of walks for one kind of database."""

    def __init__(self, *, is_sqlite: bool) -> None:
        self._is_sqlite = is_sqlite
        self._table, self._entities = RELATIONSHIPS[is_sqlite], ENTITIES[is_sqlite]
        self.steps = lru_cache(_COMBINATIONS_MAX)(self._steps)
        self.neighbors = lru_cache(_COMBINATIONS_MAX)(self._neighbors)
        self.distances = lru_cache(_COMBINATIONS_MAX)(self._distances)
        self.counts = lru_cache(_COMBINATIONS_MAX)(self._counts)
        self.adjacent = lru_cache(_COMBINATIONS_MAX)(self._adjacent)
        self.many = lru_cache(self._many)
        self.degrees = self._degrees()

    def _steps(self, shape: Shape) -> Query:
        """``:each`` steps from each of ``:ids``, or in SQLite from ``:id``, the strongest first, and ``:limit`` in all.

        A row has the entity that is left, the one that is entered, the three parts of the place, whether the step is
        forward, and the metadata if a weight is wanted.
        """
        return self._of_each(lambda id: self._steps_of(shape, id, _number("each")), "limit")

    def _distances(self, shape: Shape) -> Query:
        """``:limit`` rows of an entity and its distance from ``:id``, up to ``:depth``, the nearest first.

        An entity can come again at a greater distance.
        """
        entities = self._entities
        begin: Any = select(entities.c.id, literal_column("0").label("distance")).where(
            entities.c.id == bindparam("id", type_=entities.c.id.type), entities.c.deleted_at.is_(None)
        )
        walk = begin.cte("walk", recursive=True)
        sides = shape.sides
        if self._is_sqlite or len(sides) == 1:
            further = [self._further(shape, walk, leaving=leaving) for leaving in sides]
        else:  # PostgreSQL lets a walk go on from itself only once
            both = union_all(*(self._entered(shape, literal_column("walk.id", Uuid), leaving=side) for side in sides))
            entered = both.lateral("entered")
            onward = select(entered.c.id, walk.c.distance + 1).select_from(walk.join(entered, true()))
            further = [onward.where(walk.c.distance < _number("depth"))]
        walk = walk.union(*further)
        return Query(select(walk.c.id, walk.c.distance).limit(_number("limit")), is_sqlite=self._is_sqlite)

    def _neighbors(self, shape: Shape) -> Query:
        """``:limit`` pairs of one of ``:ids`` and an entity that a step enters; in SQLite the latter for ``:id``."""

        def entered(id: ColumnElement[Any]) -> Any:
            parts = [self._entered(shape, id, leaving=leaving) for leaving in shape.sides]
            return (parts[0] if len(parts) == 1 else union_all(*parts)).limit(_number("limit"))

        return self._of_each(entered, "limit")

    def _further(self, shape: Shape, walk: FromClause, *, leaving: bool) -> Select[Any]:
        """What one step enters from the entities of a walk."""
        entered = self._entered(shape, walk.c.id, leaving=leaving)
        return entered.add_columns(walk.c.distance + 1).where(walk.c.distance < _number("depth"))

    def _entered(self, shape: Shape, id: ColumnElement[Any], *, leaving: bool) -> Select[Any]:
        """The ids of the entities that the steps from one enter."""
        near, far = self._ends(leaving=leaving)
        found: Select[Any] = select(far.label("id")).where(near == id, *self._admitted(shape))
        return self._entering(shape, self._each_once(shape, found, leaving=leaving), far)

    def _each_once(self, shape: Shape, found: Select[Any], *, leaving: bool) -> Select[Any]:
        """What is found of relationships, without the loops that the other direction finds as well."""
        if shape.direction != "both" or leaving:
            return found
        near, far = self._ends(leaving=leaving)
        return found.where(near != far)

    def _entering(self, shape: Shape, steps: Select[Any], far: Column[Any]) -> Select[Any]:
        """Those of some steps whose other end, ``far``, may be entered."""
        if not shape.entity_type:
            return steps
        others = self._entities.alias("others")
        entered = _any_of(others.c.type, "entity_type", shape.entity_type)
        if shape.free:
            entered = or_(entered, _any_of(far, "free", shape.free))
        return steps.join(others, others.c.id == far).where(entered)

    def _counts(self, shape: Shape) -> Query:
        """How many steps leave each of ``:ids``, up to ``:most`` to each side: rows of an entity and a number."""

        def counted(id: ColumnElement[Any]) -> Select[Any]:
            sides = [self._side(shape, id, _number("most"), leaving=leaving) for leaving in shape.sides]
            rows = union_all(*(select(side.subquery()) for side in sides)).subquery("rows")
            return select(func.count().label("steps")).select_from(rows)

        if not self._is_sqlite:
            return self._of_each(counted, None)
        given = _listed("ids")
        # As text, as in `_many`.
        return Query(select(given.c.id, counted(literal_column("ids.id")).scalar_subquery()), is_sqlite=True)

    def _adjacent(self, shape: Shape, *, leaving: bool) -> Query:
        """The ``:limit`` strongest relationships that leave or enter any of ``:ids``, to or from any of ``:others``.

        A row has the ends, the parts of the place, and the type. On PostgreSQL, no more than ``:total`` relationships
        are looked at. If there are so many, the last of them is the first row, and one more column says so.
        """
        if self._is_sqlite:
            given, others = _listed("ids"), _listed("others")
            edges = self._edges(shape, given.c.id, leaving=leaving).add_cte(others)
            # The sign keeps SQLite from looking for all that the others have.
            is_wanted = text("+far IN (SELECT id FROM others)")
            return Query(
                edges.where(is_wanted).order_by(*_strongest(self._table)).limit(_number("limit")), is_sqlite=True
            )
        given, others = _unnested("ids"), select(_unnested("others").c.id)
        # The limit of each keeps PostgreSQL from joining the whole table.
        edges = self._edges(shape, literal_column("ids.id", Uuid), leaving=leaving).limit(_number("total"))
        own = edges.lateral("own")
        numbered = select(*own.c, func.row_number().over().label("number")).select_from(given.join(own, true()))
        looked_at = numbered.limit(_number("total")).subquery("looked_at")
        is_last = looked_at.c.number == _number("total")
        columns = [column for column in looked_at.c if column.name not in ("far", "number")]
        # Beside OR, PostgreSQL looks each row up among the others in a hash table; it would sort them all for a join.
        found = select(*columns, is_last.label("is_last")).where(looked_at.c.far.in_(others) | is_last)
        strongest = found.order_by(is_last.desc(), *_strongest(looked_at)).limit(_number("limit"))
        return Query(strongest, is_sqlite=False)

    def _edges(self, shape: Shape, id: ColumnElement[Any], *, leaving: bool) -> Select[Any]:
        """The relationships that leave or enter one: ends, place, type, and the other end again."""
        table = self._table
        near, far = self._ends(leaving=leaving)
        ends = (table.c.source_entity_id, table.c.target_entity_id)
        found = select(*ends, *self._place(), table.c.relationship_type, far.label("far"))
        return found.where(near == id, *self._admitted(shape))

    def _many(self, *, leaving: bool) -> Query:
        """Those of ``:ids`` that ``:each`` or more relationships leave or enter."""
        near, _ = self._ends(leaving=leaving)
        given = _listed("ids") if self._is_sqlite else _unnested("ids")
        # As text: within the subquery of a subquery, the column itself would bring its table along.
        own = select(near).where(near == literal_column("ids.id"), self._table.c.deleted_at.is_(None))
        first = own.limit(_number("each")).subquery()
        count = select(func.count()).select_from(first).scalar_subquery()
        return Query(select(given.c.id).where(count >= _number("each")), is_sqlite=self._is_sqlite)

    def _degrees(self) -> Query:
        """How many relationships of each type leave and enter ``:id``: rows of type, direction and number."""
        table = self._table
        parts = []
        for leaving in (False, True):
            near, _ = self._ends(leaving=leaving)
            direction: ColumnElement[str] = literal_column("'out'" if leaving else "'in'")
            found = select(table.c.relationship_type, direction, func.count().label("number"))
            found = found.where(near == bindparam("id", type_=near.type), table.c.deleted_at.is_(None))
            parts.append(found.group_by(table.c.relationship_type))
        return Query(union_all(*parts), is_sqlite=self._is_sqlite)  # type: ignore[arg-type]

    def _of_each(self, rows_of: Any, limit: str | None) -> Query:
        """What a subquery gives for each of the ids: on PostgreSQL, rows that begin with the id's place, from 0."""
        if self._is_sqlite:
            return Query(rows_of(bindparam("id", type_=self._table.c.id.type)), is_sqlite=True)
        given = _unnested("ids")
        # As text: within the subqueries of a subquery, the column itself would bring its table along.
        rows = rows_of(literal_column("ids.id", Uuid)).lateral("rows")
        statement = select((given.c.place - 1).label("place"), *rows.c).select_from(given.join(rows, true()))
        return Query(statement if limit is None else statement.limit(_number(limit)), is_sqlite=False)

    def _steps_of(self, shape: Shape, id: ColumnElement[Any], most: ColumnElement[Any]) -> Select[Any]:
        """Up to ``most`` steps from one entity, the strongest first."""
        parts = [self._side(shape, id, most, leaving=leaving) for leaving in shape.sides]
        if len(parts) == 1:
            return parts[0]
        both = union_all(*(select(part.subquery()) for part in parts)).subquery("both")
        return select(both).order_by(*_strongest(both)).limit(most)

    def _side(self, shape: Shape, id: ColumnElement[Any], most: ColumnElement[Any], *, leaving: bool) -> Select[Any]:
        """The steps along the relationships that leave an entity, or against those that enter it."""
        table = self._table
        near, far = self._ends(leaving=leaving)
        metadata = [table.c.metadata] if shape.has_weight else []
        found: Select[Any] = select(
            far.label("to_id"), *self._place(), literal_column("1" if leaving else "0").label("forward"), *metadata
        ).where(near == id, *self._admitted(shape), *self._later(shape))
        found = self._each_once(shape, found, leaving=leaving)
        return self._entering(shape, found, far).order_by(*_strongest(table)).limit(most)

    def _ends(self, *, leaving: bool) -> tuple[Column[Any], Column[Any]]:
        """The columns of the end that is left, and the one that is entered."""
        source, target = self._table.c.source_entity_id, self._table.c.target_entity_id
        return (source, target) if leaving else (target, source)

    def _place(self) -> list[Column[Any]]:
        return [self._table.c.confidence, self._table.c.created_at, self._table.c.id]

    def _admitted(self, shape: Shape) -> list[ColumnElement[bool]]:
        """The conditions of active relationships that the filters admit."""
        c = self._table.c
        conditions: list[ColumnElement[bool]] = [c.deleted_at.is_(None)]
        if shape.relationship_type:
            conditions.append(_any_of(c.relationship_type, "relationship_type", shape.relationship_type))
        if shape.not_relationship_type:
            unwanted = _any_of(c.relationship_type, "not_relationship_type", shape.not_relationship_type)
            conditions.append(~unwanted)
        if shape.min_confidence:
            conditions.append(c.confidence >= bindparam("min_confidence", type_=c.confidence.type))
        if shape.min_sources:
            conditions.append(c.sources_for >= _number("min_sources"))
        if shape.valid_at:
            begins, ends = c.valid_begin_at, c.valid_end_at
            first, last = (bindparam(f"valid_at_{side}", type_=begins.type) for side in ("first", "last"))
            conditions += [or_(begins.is_(None), begins <= last), or_(ends.is_(None), ends > first)]
        return conditions

    def _later(self, shape: Shape) -> list[ColumnElement[bool]]:
        """The condition of what comes after a place."""
        if not shape.after:
            return []
        confidence, created_at, id = self._place()
        at, after_id = bindparam("after_at", type_=created_at.type), bindparam("after_id", type_=id.type)
        later = or_(created_at < at, and_(created_at == at, id > after_id))
        if shape.after == "unknown":
            return [confidence.is_(None), later]
        place = bindparam("after_confidence", type_=confidence.type)
        return [or_(confidence < place, confidence.is_(None), and_(confidence == place, later))]


def _strongest(rows: FromClause) -> list[ColumnElement[Any]]:
    """The order of places."""
    return [rows.c.confidence.desc().nulls_last(), rows.c.created_at.desc(), rows.c.id]


def _number(name: str) -> ColumnElement[int]:
    return bindparam(name, type_=Integer)


def _any_of(column: Column[Any], name: str, count: int) -> ColumnElement[bool]:
    return column.in_([bindparam(f"{name}_{n}", type_=column.type) for n in range(count)])


def _listed(name: str) -> Any:
    """The joined ids in a parameter, as a table with one column, on SQLite.

    Another parameter, with ``_places`` after its name, is a JSON array with an element for each of them.
    """
    each = func.json_each(bindparam(f"{name}_places", type_=Text())).table_valued("key", name=f"each_of_{name}")
    return select(id_at(name, each.c.key).label("id")).cte(name)


def _unnested(name: str) -> Any:
    """The ids in an array parameter, and their places in it from 1, as a table on PostgreSQL."""
    ids = func.unnest(cast(bindparam(name, type_=Text), ARRAY(Uuid)))
    return ids.table_valued("id", with_ordinality="place").render_derived(name=name)


STATEMENTS: Final = {is_sqlite: WalkStatements(is_sqlite=is_sqlite) for is_sqlite in (False, True)}
"""By whether the database is SQLite."""
