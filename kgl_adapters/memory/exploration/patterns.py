"""Patterns in dictionaries: each variable is given every record that fits, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from kgl_adapters.memory.graph.relationships import END_GROUPS
from kgl_adapters.memory.kernel.repository import Shelves
from kgl_core.exploration.metadata_tests import all_pass
from kgl_core.exploration.pattern_parts import NodePattern, PatternPart, RelationshipPattern, RowOrder
from kgl_core.exploration.patterns import Pattern, Row, anchor, walk_order
from kgl_core.graph.entities import ENTITY, Entity, sort_name
from kgl_core.graph.relationships import RELATIONSHIP, Relationship
from kgl_core.kernel.nouns.json_values import sort_key
from kgl_core.kernel.periods import Period, period_of
from kgl_core.kernel.store_errors import StatementTimeout

LOOKED_AT_MAX: Final = 1_000_000
"""How many relationships one pattern looks at, some of them many times: that takes a few seconds."""
Bound = Mapping[str, Any]
"""The records that variables stand for; None for one that is missing."""


class MemoryPatterns:
    """A `kgl_core.exploration.patterns.Patterns`. Raises StatementTimeout for what would take too long."""

    def __init__(self, shelves: Shelves) -> None:
        self._entities, self._relationships = shelves(ENTITY), shelves(RELATIONSHIP)
        self._looked_at = 0

    def rows(self, pattern: Pattern, limit: int) -> Sequence[Row]:
        found = {_ids(pattern, bound): bound for bound in self._all(pattern)}
        rows = sorted(found, key=lambda row: [(id is None, 0 if id is None else id.int) for id in row])
        for order in reversed(pattern.order):  # sorting keeps the order of what is alike
            values = {row: _value(found[row], order) for row in rows}
            having = [row for row in rows if values[row] is not None]
            having.sort(key=values.__getitem__, reverse=order.descending)
            rows = having + [row for row in rows if values[row] is None]
        return rows[:limit]

    def count(self, pattern: Pattern, most: int) -> int:
        return min(most, len({_ids(pattern, bound) for bound in self._all(pattern)}))

    def _all(self, pattern: Pattern) -> Iterator[Bound]:
        """All ways in which a pattern fits."""
        for bound in self._beginnings(pattern):
            for whole in self._extended(pattern, bound):
                if not any(next(self._extended(part, whole), None) for part in pattern.not_exists):
                    found = [whole]
                    for part in pattern.optional:
                        missing = dict.fromkeys((*part.nodes, *part.relationships))
                        found = [more for each in found for more in _any_or(self._extended(part, each), each, missing)]
                    yield from found

    def _beginnings(self, pattern: Pattern) -> Iterator[Bound]:
        first = anchor(pattern) or next(iter(pattern.nodes))
        node = pattern.nodes[first]
        entities = self._entities.rows.values() if node.id is None else [self._entities.rows.get(node.id)]
        return ({first: entity} for entity in entities if entity is not None and _fits_node(entity, node))

    def _extended(self, part: Pattern | PatternPart, bound: Bound) -> Iterator[Bound]:
        """All ways in which a part fits, beside what variables stand for already."""
        found: Iterator[Bound] = iter([bound])
        for name, relationship in walk_order(part, set(bound)):
            found = self._related(found, name, relationship, part.nodes)
        return found

    def _related(
        self, all_bound: Iterator[Bound], name: str, asked: RelationshipPattern, nodes: Mapping[str, NodePattern]
    ) -> Iterator[Bound]:
        """What variables stand for, and with it each relationship that fits, and the entity at its other end."""
        period = None if asked.valid_at is None else period_of(asked.valid_at) or Period()
        for bound in all_bound:
            is_from_source = asked.source in bound
            near, far = asked.ends if is_from_source else reversed(asked.ends)
            if bound[near] is None:  # it is of an optional part that is missing
                continue
            taken = {each.id for each in bound.values() if isinstance(each, Relationship)}
            for row, other_id in self._steps(bound[near].id, asked, is_from_source=is_from_source):
                self._looked_at += 1
                if self._looked_at > LOOKED_AT_MAX:
                    raise StatementTimeout("or use a database: it looks at more than a store in memory does")
                if row.id in taken or not _fits_relationship(row, asked, period):
                    continue
                if far in bound:
                    if bound[far] is not None and bound[far].id == other_id:
                        yield {**bound, name: row}
                    continue
                other = self._entities.rows.get(other_id)
                if other is not None and _fits_node(other, nodes[far]):
                    yield {**bound, name: row, far: other}

    def _steps(
        self, id: UUID, asked: RelationshipPattern, *, is_from_source: bool
    ) -> Iterator[tuple[Relationship, UUID]]:
        """The relationships at an entity that run as asked, and the entity at the other end of each."""
        is_both = asked.direction == "both"
        if is_both or is_from_source:
            for row in self._touching("out", id):
                yield row, row.target_entity_id
        if is_both or not is_from_source:
            for row in self._touching("in", id):
                if not (is_both and row.source_entity_id == id):
                    yield row, row.source_entity_id

    def _touching(self, direction: str, id: UUID) -> Iterator[Relationship]:
        for each in self._relationships.groups.get((END_GROUPS[direction], id)) or ():
            row = self._relationships.rows.get(each)
            if row is not None:
                yield row


def _ids(pattern: Pattern, bound: Bound) -> Row:
    return tuple(None if bound[name] is None else bound[name].id for name in pattern.returned)


def _any_or(found: Iterator[Bound], bound: Bound, missing: Bound) -> Iterator[Bound]:
    """What is found, or if that is nothing, what was there before, without what is missing."""
    is_missing = True
    for each in found:
        is_missing = False
        yield each
    if is_missing:
        yield {**bound, **missing}


def _value(bound: Bound, order: RowOrder) -> Any:
    """What a row is sorted by; None if it has no such value."""
    record = bound[order.variable]
    if record is None:
        return None
    if order.metadata is not None:
        return sort_key(record.metadata.get(order.metadata))
    return getattr(record, "sort_name" if order.field == "name" else str(order.field))


def _fits_node(entity: Entity, asked: NodePattern) -> bool:
    if asked.name is not None and entity.sort_name != sort_name(asked.name):
        return False
    if asked.id not in (None, entity.id) or asked.key not in (None, entity.key):
        return False
    return _fits(entity, entity.type, asked)


def _fits_relationship(row: Relationship, asked: RelationshipPattern, period: Period | None) -> bool:
    return _fits(row, row.relationship_type, asked) and (period is None or row.period.overlaps(period))


def _fits(record: Entity | Relationship, type: str, asked: NodePattern | RelationshipPattern) -> bool:
    """Whether a record fits in all that nodes and relationships have in common."""
    if not record.is_active or (asked.type and type not in asked.type):
        return False
    if asked.min_confidence is not None and (record.confidence is None or record.confidence < asked.min_confidence):
        return False
    if asked.min_sources is not None and record.sources_for < asked.min_sources:
        return False
    return all_pass(record.metadata, asked.metadata)
