"""Walks over the tables of the graph."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final
from uuid import UUID

from kgl_adapters.sql.engine.encoding import UNREADABLE, unreadable
from kgl_adapters.sql.engine.queries import Query
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.exploration.walk_statements import STATEMENTS, Shape
from kgl_adapters.sql.graph.tables import RELATIONSHIPS
from kgl_adapters.sql.kernel.json_columns import read_metadata
from kgl_adapters.sql.kernel.listings import period_parameters
from kgl_adapters.sql.kernel.lookups import array
from kgl_core.exploration.walks import Degree, Direction, Place, Step, WalkFilter, strength, weight_of

FEW: Final = 1_000
"""An entity with more relationships than this is not looked through for those to certain others, if that can be."""
_NO_LIMIT: Final = 2**31 - 1
_LISTS: Final = ("relationship_type", "not_relationship_type", "entity_type")


class SqlWalks:
    """A `kgl_core.exploration.walks.Walks`."""

    def __init__(self, session: Session) -> None:
        self._session, self._encoding = session, session.encoding
        self._statements = STATEMENTS[session.is_sqlite]

    def steps(
        self,
        entity_ids: Sequence[UUID],
        filter: WalkFilter,
        *,
        each: int | None = None,
        limit: int,
        after: Place | None = None,
        free: Collection[UUID] = (),
        weight: str | None = None,
    ) -> Sequence[Step]:
        shape, parameters = self._read(filter, after, free, has_weight=weight is not None)
        parameters |= {"each": _NO_LIMIT if each is None else each, "limit": limit}
        query = self._statements.steps(shape)
        found: dict[UUID, list[Step]] = {}
        for row in islice(self._of_each(query, entity_ids, parameters), limit):
            step = self._step(row, weight)
            found.setdefault(step.from_id, []).append(step)
        return [step for id in entity_ids for step in found.get(id, ())]

    def counts(self, entity_ids: Collection[UUID], filter: WalkFilter, most: int) -> Mapping[UUID, int]:
        shape, parameters = self._read(filter)
        rows = self._of_each(self._statements.counts(shape), [*entity_ids], {**parameters, "most": most})
        return dict(rows)

    def between(
        self, source_ids: Collection[UUID], target_ids: Collection[UUID], filter: WalkFilter, limit: int
    ) -> Sequence[Step]:
        if not source_ids or not target_ids:
            return ()
        few_out, many_out = self._split(source_ids, "out")
        few_in, many_in = self._split(target_ids, "in")
        shape, parameters = self._read(filter)
        shape = shape.without_entities()
        if not self._session.is_sqlite:
            arrays = {"few_out": few_out, "targets": [*target_ids], "few_in": few_in}
            arrays |= {"many_out": many_out, "many_in": many_in}
            parameters |= {name: array(ids) for name, ids in arrays.items()} | {"limit": limit}
            rows = self._session.fetch(self._statements.between(shape), parameters)
            return [self._step((*row, True)) for row in rows]
        found = [
            *self._adjacent(shape, parameters, few_out, target_ids, leaving=True),
            *self._adjacent(shape, parameters, few_in, many_out, leaving=False),
            *self._adjacent(shape, parameters, many_out, many_in, leaving=True),
        ]
        return sorted(found, key=lambda step: strength(step.place))[:limit]

    def degrees(self, entity_id: UUID) -> Sequence[Degree]:
        rows = self._session.fetch(self._statements.degrees, {"id": self._encoding.id(entity_id)})
        return [Degree(*row) for row in sorted(rows)]

    def _adjacent(
        self,
        shape: Shape,
        parameters: Mapping[str, Any],
        ids: Sequence[UUID],
        others: Collection[UUID],
        *,
        leaving: bool,
    ) -> Iterator[Step]:
        """The relationships that leave or enter some entities, to or from some others, on SQLite."""
        query = self._statements.adjacent(shape, leaving=leaving)
        wanted = frozenset(map(self._encoding.id, others))
        for id in ids if wanted else ():
            for row in self._session.fetch(query, {**parameters, "id": self._encoding.id(id)}):
                if row[leaving] in wanted:
                    yield self._step(row)

    def _split(self, ids: Collection[UUID], direction: Direction) -> tuple[list[UUID], list[UUID]]:
        """Those of some entities that have few relationships in this direction, and those that have many."""
        counts = self.counts(ids, WalkFilter(direction=direction), FEW + 1)
        few: list[UUID] = []
        many: list[UUID] = []
        for id in ids:
            (many if counts.get(id, 0) > FEW else few).append(id)
        return few, many

    def _of_each(
        self, query: Query, ids: Sequence[UUID], parameters: Mapping[str, Any]
    ) -> Iterator[tuple[UUID, *tuple[Any, ...]]]:
        """What a statement finds for each of the ids: rows that begin with the id."""
        if not ids:
            return
        if self._session.is_sqlite:
            for id in ids:
                for row in self._session.fetch(query, {**parameters, "id": self._encoding.id(id)}):
                    yield (id, *row)
        else:
            yield from self._session.fetch(query, {**parameters, "ids": array(ids)})

    def _step(self, row: Sequence[Any], weight: str | None = None) -> Step:
        """The step in a row. Raises UnreadableRow."""
        from_id, to_id, confidence, created_at, id, is_forward, *metadata = row
        encoding = self._encoding
        try:
            place = Place(confidence, encoding.read_instant(created_at), encoding.read_id(id))
            weighed = weight_of(read_metadata(metadata[0]).get(weight)) if weight is not None else None
            from_id = from_id if type(from_id) is UUID else encoding.read_id(from_id)
            return Step(from_id, encoding.read_id(to_id), place, bool(is_forward), weighed)
        except UNREADABLE as error:
            raise unreadable(RELATIONSHIPS[encoding.is_sqlite].name, (id,), error) from error

    def _read(
        self, filter: WalkFilter, after: Place | None = None, free: Collection[UUID] = (), *, has_weight: bool = False
    ) -> tuple[Shape, dict[str, Any]]:
        """What the SQL depends on, and the parameters of its conditions."""
        encoding = self._encoding
        parameters: dict[str, Any] = {}
        lists = {name: getattr(filter, name) for name in _LISTS}
        lists["free"] = tuple(map(encoding.id, free)) if filter.entity_type else ()
        for name, values in lists.items():
            parameters |= {f"{name}_{n}": value for n, value in enumerate(values)}
        for name in ("min_confidence", "min_sources"):
            if getattr(filter, name) is not None:
                parameters[name] = getattr(filter, name)
        if filter.valid_at is not None:
            parameters |= period_parameters("valid_at", filter.valid_at, encoding)
        begin = ""
        if after is not None:
            begin = "unknown" if after.confidence is None else "known"
            parameters |= {"after_at": encoding.instant(after.created_at), "after_id": encoding.id(after.id)}
            parameters |= {} if after.confidence is None else {"after_confidence": after.confidence}
        shape = Shape(
            direction=filter.direction,
            min_confidence=filter.min_confidence is not None,
            min_sources=filter.min_sources is not None,
            valid_at=filter.valid_at is not None,
            has_weight=has_weight,
            after=begin,
            **{name: len(values) for name, values in lists.items()},
        )
        return shape, parameters
