"""Walks over the tables of the graph."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, islice
from typing import Any, Final
from uuid import UUID

from kgl_adapters.sql.engine.encoding import UNREADABLE, unreadable
from kgl_adapters.sql.engine.queries import Query
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.exploration.record_parts import read_parts
from kgl_adapters.sql.exploration.walk_shapes import Shape
from kgl_adapters.sql.exploration.walk_statements import STATEMENTS
from kgl_adapters.sql.graph.tables import RELATIONSHIPS
from kgl_adapters.sql.kernel.json_columns import read_metadata, write_json
from kgl_adapters.sql.kernel.listings import period_parameters
from kgl_adapters.sql.kernel.lookups import array, joined
from kgl_core.exploration.walked_records import Part
from kgl_core.exploration.walks import Degree, Place, Step, WalkFilter, strength, weight_of
from kgl_core.graph.nouns import GraphNoun

LOOKED_THROUGH: Final = 2_000_000
"""How many relationships are looked through for those to certain others, before they are looked for from these."""
LOOKED_AT_ONCE: Final = 200_000
"""How many relationships PostgreSQL looks at before it is asked which entities have too many."""
_NO_LIMIT: Final = 2**31 - 1
_LISTS: Final = ("relationship_type", "not_relationship_type", "entity_type")


class SqlWalks:
    """A `kgl_core.exploration.walks.Walks`."""

    def __init__(self, session: Session) -> None:
        session.limit_time()
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
        rows = islice(self._of_each(query, entity_ids, parameters), limit)
        found: list[list[Step]] = [[] for _ in entity_ids]
        if self._session.is_sqlite or weight is not None:
            for at, *row in rows:
                found[at].append(self._step(entity_ids[at], row, weight))
        else:  # what PostgreSQL gives is what a step has; to call its class would take twice as long
            make = tuple.__new__
            for at, to_id, confidence, created_at, id, is_forward in rows:
                place = make(Place, (confidence, created_at, id))
                found[at].append(make(Step, (entity_ids[at], to_id, place, bool(is_forward), None, None)))
        return [*chain.from_iterable(found)]

    def neighbors(
        self, entity_ids: Sequence[UUID], filter: WalkFilter, *, limit: int, free: Collection[UUID] = ()
    ) -> Sequence[tuple[UUID, UUID]]:
        shape, parameters = self._read(filter, free=free)
        query = self._statements.neighbors(shape)
        rows = islice(self._of_each(query, entity_ids, {**parameters, "limit": limit}), limit)
        if not self._session.is_sqlite:
            return [(entity_ids[at], entered) for at, entered in rows]
        read_id = self._encoding.read_id
        return [(entity_ids[at], read_id(entered)) for at, entered in rows]

    def distances(self, entity_id: UUID, filter: WalkFilter, depth: int, least: int) -> Mapping[UUID, int]:
        shape, parameters = self._read(filter)
        # An entity can be found again at every distance, so that so many rows have at least ``least`` of them.
        parameters |= {"id": self._encoding.id(entity_id), "depth": depth, "limit": least * (depth + 1)}
        rows = self._session.fetch(self._statements.distances(shape), parameters)
        nearest = dict(reversed(rows))  # the last of an id counts, and the nearest come first
        if not self._session.is_sqlite:
            return nearest
        return {self._encoding.read_id(id): distance for id, distance in nearest.items()}

    def counts(self, entity_ids: Collection[UUID], filter: WalkFilter, most: int) -> Mapping[UUID, int]:
        if not entity_ids:
            return {}
        shape, parameters = self._read(filter)
        query, parameters = self._statements.counts(shape), {**parameters, "most": most}
        if not self._session.is_sqlite:
            ids = [*entity_ids]
            return {ids[at]: min(count, most) for at, count in self._of_each(query, ids, parameters)}
        known = {id.bytes: id for id in entity_ids}
        rows = self._session.fetch(query, {**parameters, **_listed("ids", entity_ids)})
        return {known[id]: min(count, most) for id, count in rows}

    def between(
        self, source_ids: Collection[UUID], target_ids: Collection[UUID], filter: WalkFilter, limit: int
    ) -> Sequence[Step]:
        asked = (filter, limit)
        found, many_out = self._adjacent(source_ids, target_ids, *asked, leaving=True)
        if not many_out:
            return found
        more, many_in = self._adjacent(target_ids, many_out, *asked, leaving=False)
        rest, _ = self._adjacent(many_out, many_in, *asked, leaving=True, every=True)
        return sorted(found + more + rest, key=lambda step: strength(step.place))[:limit]

    def degrees(self, entity_id: UUID) -> Sequence[Degree]:
        rows = self._session.fetch(self._statements.degrees, {"id": self._encoding.id(entity_id)})
        return [Degree(*row) for row in sorted(rows)]

    def parts(self, noun: GraphNoun, ids: Collection[UUID], names: Sequence[str]) -> Mapping[UUID, Part]:
        return read_parts(self._session, noun, ids, names)

    def _adjacent(
        self,
        ids: Collection[UUID],
        others: Collection[UUID],
        filter: WalkFilter,
        limit: int,
        *,
        leaving: bool,
        every: bool = False,
    ) -> tuple[list[Step], list[UUID]]:
        """The strongest relationships that leave or enter some entities, to or from some others.

        Unless ``every`` one is wanted, not too many are looked through in all: those of entities that have too many are
        left out, and these entities are told besides.
        """
        if not ids or not others:
            return [], []
        shape, parameters = self._read(filter)
        query = self._statements.adjacent(shape.without_entities(), leaving=leaving)
        parameters |= {"limit": limit, "total": _NO_LIMIT}
        many: list[UUID] = []
        if not every and not self._session.is_sqlite:
            at_once = {**parameters, "total": min(LOOKED_AT_ONCE, LOOKED_THROUGH)}
            rows = self._joined(query, at_once, ids, others)
            if not (rows and rows[0][-1]):
                return [_edge(*row) for row in rows], many
        if not every:
            many = self._many(ids, LOOKED_THROUGH // len(ids), leaving=leaving)
        few = frozenset(ids).difference(many) if many else ids
        rows = self._joined(query, parameters, few, others)
        if not self._session.is_sqlite:
            return [_edge(*row) for row in rows], many
        known = {id.bytes: id for id in (*few, *others)}  # to make an id of its bytes takes ten times as long
        return [self._read_edge(row, known) for row in rows], many

    def _joined(
        self, query: Query, parameters: Mapping[str, Any], ids: Collection[UUID], others: Collection[UUID]
    ) -> Sequence[tuple[Any, ...]]:
        """What a statement finds between these and those."""
        if self._session.is_sqlite:
            lists = {**_listed("ids", ids), **_listed("others", others)}
        else:
            given = array([*ids])
            lists = {"ids": given, "others": given if others is ids else array([*others])}
        return self._session.fetch(query, {**parameters, **lists})

    def _many(self, ids: Collection[UUID], each: int, *, leaving: bool) -> list[UUID]:
        """Those of the entities that have so many relationships, or more."""
        query, parameters = self._statements.many(leaving=leaving), {"each": each}
        if not self._session.is_sqlite:
            return [id for (id,) in self._session.fetch(query, {**parameters, "ids": array([*ids])})]
        known = {id.bytes: id for id in ids}
        return [known[id] for (id,) in self._session.fetch(query, {**parameters, **_listed("ids", ids)})]

    def _of_each(
        self, query: Query, ids: Sequence[UUID], parameters: Mapping[str, Any]
    ) -> Iterable[tuple[int, *tuple[Any, ...]]]:
        """What a statement finds for each of the ids: rows that begin with the id's place among them."""
        if self._session.is_sqlite:
            return self._one_by_one(query, ids, parameters)
        rows: Iterable[Any] = self._session.fetch(query, {**parameters, "ids": array(ids)}) if ids else ()
        return rows

    def _one_by_one(
        self, query: Query, ids: Sequence[UUID], parameters: Mapping[str, Any]
    ) -> Iterator[tuple[int, *tuple[Any, ...]]]:
        for at, id in enumerate(ids):
            for row in self._session.fetch(query, {**parameters, "id": self._encoding.id(id)}):
                yield (at, *row)

    def _step(self, from_id: UUID, row: Sequence[Any], weight: str | None) -> Step:
        """The step in a row. Raises UnreadableRow."""
        to_id, confidence, created_at, id, is_forward, *metadata = row
        encoding = self._encoding
        try:
            place = Place(confidence, encoding.read_instant(created_at), encoding.read_id(id))
            weighed = weight_of(read_metadata(metadata[0]).get(weight)) if weight is not None else None
            return Step(from_id, encoding.read_id(to_id), place, bool(is_forward), weighed)
        except UNREADABLE as error:
            raise unreadable(RELATIONSHIPS[encoding.is_sqlite].name, (id,), error) from error

    def _read_edge(self, row: Sequence[Any], known: Mapping[bytes, UUID]) -> Step:
        """As `_edge`, of a row of SQLite between entities that are known. Raises UnreadableRow."""
        source_id, target_id, confidence, created_at, id, type, far = row
        encoding = self._encoding
        try:
            ends, at = (known[source_id], known[target_id]), encoding.read_instant(created_at)
            return _edge(*ends, confidence, at, encoding.read_id(id), type, far)
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


def _edge(
    source_id: UUID,
    target_id: UUID,
    confidence: float | None,
    created_at: datetime,
    id: UUID,
    relationship_type: str,
    _: object,
) -> Step:
    """The step forward in a row of what is adjacent."""
    return Step(source_id, target_id, Place(confidence, created_at, id), True, None, relationship_type)


def _listed(name: str, ids: Collection[UUID]) -> dict[str, Any]:
    """Ids as parameters of SQLite's statements that go through them."""
    return {name: joined(ids), f"{name}_places": write_json([0] * len(ids))}
