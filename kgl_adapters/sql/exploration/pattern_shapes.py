"""The shape of a pattern: what its SQL depends on, so that it is compiled once; and the parameters of its conditions.

Variables are numbered in the order in which they are placed: each has something to hold on to that comes before it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from kgl_adapters.sql.engine.encoding import Encoding
from kgl_adapters.sql.exploration.metadata_conditions import TestShape, read_tests
from kgl_adapters.sql.kernel.listings import period_parameters
from kgl_core.exploration.pattern_parts import NodePattern, PatternPart, RelationshipPattern
from kgl_core.exploration.patterns import Pattern, anchor, walk_order
from kgl_core.graph.entities import sort_name

_SAME: Final = ("id", "key", "min_confidence", "min_sources")


@attrs.frozen
class Asked:
    """What the SQL of one variable depends on: how many types it may have, its other conditions, and its ends.

    ``ends`` are the numbers of its nodes if it is a relationship, None if it is a node. A node ``is_bare`` if nothing
    is asked of it, so that its id is all that it needs.
    """

    number: int
    types: int
    conditions: tuple[str, ...]
    tests: tuple[TestShape, ...]
    ends: tuple[int, int] | None = None
    is_both: bool = False
    is_bare: bool = False


@attrs.frozen
class Sorted:
    """What rows are sorted by: a column, or metadata if that is None."""

    number: int
    column: str | None
    is_descending: bool


@attrs.frozen
class Shape:
    """What the SQL of a pattern depends on. Each part has its variables in the order in which they are placed.

    ``shows_all`` says that rows show every variable, so that no two are the same.
    """

    pattern: tuple[Asked, ...]
    optional: tuple[tuple[Asked, ...], ...]
    not_exists: tuple[tuple[Asked, ...], ...]
    returned: tuple[int, ...]
    order: tuple[Sorted, ...]
    shows_all: bool


class ShapeReader:
    """Reads the shape of a pattern, and collects the ``parameters`` of its conditions by name."""

    def __init__(self, pattern: Pattern, encoding: Encoding) -> None:
        self._pattern, self._encoding = pattern, encoding
        self._numbers: dict[str, int] = {}
        self.parameters: dict[str, Any] = {}

    def read(self) -> Shape:
        """The shape."""
        pattern = self._pattern
        first = anchor(pattern)
        begin = [] if first is None else [self._node(first, pattern.nodes[first])]
        begin += self._part(pattern, set() if first is None else {first})
        there = set(pattern.nodes)
        optional = []
        for part in pattern.optional:
            optional.append(self._part(part, there))
            there |= part.nodes.keys()
        numbers = self._numbers
        return Shape(
            pattern=tuple(begin),
            optional=tuple(optional),
            not_exists=tuple(self._part(part, set(pattern.nodes)) for part in pattern.not_exists),
            returned=tuple(numbers[name] for name in pattern.returned),
            order=tuple(self._sorted(number) for number in range(len(pattern.order))),
            shows_all=set(pattern.returned) == set(pattern.shown),
        )

    def _part(self, part: Pattern | PatternPart, known: set[str]) -> tuple[Asked, ...]:
        placed, known = [], set(known)
        for name, relationship in walk_order(part, known):
            placed.append(self._relationship(name, relationship))
            for end in dict.fromkeys(relationship.ends):
                if end not in known:
                    known.add(end)
                    placed.append(self._node(end, part.nodes[end]))
        return tuple(placed)

    def _number(self, name: str) -> int:
        return self._numbers.setdefault(name, len(self._numbers))

    def _node(self, name: str, node: NodePattern) -> Asked:
        given = {each: getattr(node, each) for each in _SAME if getattr(node, each) is not None}
        if node.name is not None:
            given["sort_name"] = sort_name(node.name)
        asked = self._asked(name, node, given)
        is_sorted_by = any(order.variable == name for order in self._pattern.order)
        return attrs.evolve(asked, is_bare=not (given or node.type or node.metadata or is_sorted_by))

    def _relationship(self, name: str, relationship: RelationshipPattern) -> Asked:
        given = {each: getattr(relationship, each) for each in _SAME[2:] if getattr(relationship, each) is not None}
        asked = self._asked(name, relationship, given)
        source, target = map(self._number, relationship.ends)
        asked = attrs.evolve(asked, ends=(source, target), is_both=relationship.direction == "both")
        if relationship.valid_at is None:
            return asked
        self.parameters |= period_parameters(f"v{asked.number}_valid_at", relationship.valid_at, self._encoding)
        return attrs.evolve(asked, conditions=(*asked.conditions, "valid_at"))

    def _asked(self, name: str, part: NodePattern | RelationshipPattern, given: Mapping[str, Any]) -> Asked:
        number = self._number(name)
        own = f"v{number}"
        for n, type in enumerate(part.type):
            self.parameters[f"{own}_type_{n}"] = type
        for condition, value in given.items():
            self.parameters[f"{own}_{condition}"] = self._encoding.value(value)
        tests, parameters = read_tests(part.metadata, own, is_sqlite=self._encoding.is_sqlite)
        self.parameters |= parameters
        return Asked(number, len(part.type), tuple(given), tests)

    def _sorted(self, place: int) -> Sorted:
        order = self._pattern.order[place]
        column = "sort_name" if order.field == "name" else order.field
        if order.metadata is not None:
            self.parameters[f"order_{place}"] = order.metadata
        return Sorted(self._numbers[order.variable], column, order.descending)
