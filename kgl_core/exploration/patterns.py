"""Patterns: entities and relationships between them that are looked for together.

Each way in which a pattern fits the graph is a row. Two nodes of a pattern may be the same entity, but no two of its
relationships are the same relationship, nor is one of an optional part or of a ``not_exists`` the same as another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, Protocol
from uuid import UUID

import attrs

from kgl_core.exploration.pattern_parts import (
    NODES,
    PARTS_MAX,
    RELATIONSHIPS,
    VARIABLE,
    Checked,
    NodePattern,
    PatternPart,
    RelationshipPattern,
    RowOrder,
)
from kgl_core.kernel.checked_records import Built, check, ruled, unknown_name
from kgl_core.kernel.errors import Fault, InvalidInput
from kgl_core.kernel.field_rules import Each, Flag, Integer, Optional
from kgl_core.kernel.nouns.pages import LIMIT_DEFAULT

ROWS_MAX: Final = 1_000
COUNTED_MAX: Final = 100_000
"""Where counting rows stops."""


@attrs.frozen(kw_only=True)
class Pattern(Checked):
    """What is looked for: nodes and relationships by variables of your choice, up to 6 of each in all.

    Only what is active fits. All nodes must be joined by relationships. ``optional`` are parts that may be missing: a
    row has null for their variables then. ``not_exists`` are parts that must not be there. ``return`` are the variables
    that rows show, all by default; rows that would show the same are one. They come in the ``order`` that is given, of
    variables that are shown, and then by the ids that they show. There are at most ``limit`` of them; ``count`` tells
    how many there are in all.
    """

    nodes: Mapping[str, NodePattern] = ruled(attrs.evolve(NODES, min_items=1))
    relationships: Mapping[str, RelationshipPattern] = ruled(RELATIONSHIPS, default=attrs.Factory(dict))
    optional: tuple[PatternPart, ...] = ruled(Each(Built(PatternPart), PARTS_MAX), default=())
    not_exists: tuple[PatternPart, ...] = ruled(Each(Built(PatternPart), PARTS_MAX), default=())
    return_: tuple[str, ...] | None = ruled(Optional(Each(VARIABLE, 2 * PARTS_MAX, min_items=1)), default=None)
    order: tuple[RowOrder, ...] = ruled(Each(Built(RowOrder), PARTS_MAX), default=())
    limit: int = ruled(Integer(1, ROWS_MAX), default=LIMIT_DEFAULT)
    count: bool = ruled(Flag(), default=False)

    def __attrs_post_init__(self) -> None:
        check(self)
        faults = [*_faults_of_names(self), *_faults_of_parts(self)] or [*_faults_of_rows(self)]
        if faults:
            raise InvalidInput(faults)

    @property
    def shown_parts(self) -> tuple[Pattern | PatternPart, ...]:
        """The parts whose variables rows can show: the pattern itself, and what is optional."""
        return (self, *self.optional)

    @property
    def shown(self) -> tuple[str, ...]:
        """The variables that can be shown."""
        return tuple(name for part in self.shown_parts for name in (*part.nodes, *part.relationships))

    @property
    def returned(self) -> tuple[str, ...]:
        """The variables that rows show."""
        return self.shown if self.return_ is None else self.return_


Row = tuple[UUID | None, ...]
"""The ids that a row shows, in the order of the pattern's `returned`; None for what is missing."""


class Patterns(Protocol):
    """Port: finds the rows of patterns among what is active. Every store gives the same rows in the same order."""

    def rows(self, pattern: Pattern, limit: int) -> Sequence[Row]:
        """The first ``limit`` rows, each once, in the order of the pattern and then by the ids that they show.

        What is missing comes last.
        """

    def count(self, pattern: Pattern, most: int) -> int:
        """How many rows there are; counting stops at ``most``."""


def read_pattern(given: object) -> Pattern:
    """The pattern in untrusted values. Raises InvalidInput with every fault."""
    faults: list[Fault] = []
    pattern: Pattern = Built(Pattern)(given, "", faults)
    if faults:
        raise InvalidInput(faults)
    return pattern


def anchor(pattern: Pattern) -> str | None:
    """The node where it is best to begin, because few entities are likely to fit it.

    None if every entity can fit any node, so that it is better to begin with a relationship, which has a type.
    """

    def worth(node: NodePattern) -> tuple[bool, ...]:
        # In the order of how few entities indexes are likely to find; metadata has none.
        return (node.id is not None, node.key is not None, node.name is not None, bool(node.type), bool(node.metadata))

    best = max(pattern.nodes, key=lambda name: worth(pattern.nodes[name]))
    is_rare = any(worth(pattern.nodes[best])[:-1])
    return None if not is_rare and any(each.type for each in pattern.relationships.values()) else best


def walk_order(part: Pattern | PatternPart, known: set[str]) -> Iterator[tuple[str, RelationshipPattern]]:
    """The relationships of a part in an order in which each has an end that is known, or that one before it has.

    If nothing is known, the first of them has a type, if any has.
    """
    known, left = set(known), dict(part.relationships)
    while left:
        # Both ends are known if that can be: it leaves the fewest rows.
        name = max(left, key=lambda each: (sum(end in known for end in left[each].ends), bool(left[each].type)))
        relationship = left.pop(name)
        known.update(relationship.ends)
        yield name, relationship


def _places(pattern: Pattern) -> Iterator[tuple[str, Pattern | PatternPart]]:
    """The parts of a pattern, each with the pointer to it."""
    yield "", pattern
    for name in ("optional", "not_exists"):
        for number, part in enumerate(getattr(pattern, name)):
            yield f"/{name}/{number}", part


def _faults_of_names(pattern: Pattern) -> Iterator[Fault]:
    """A fault for each variable that stands for two things, and for more nodes or relationships than there may be."""
    taken: set[str] = set()
    for kind in ("nodes", "relationships"):
        number = 0
        for at, part in _places(pattern):
            for name in getattr(part, kind):
                number += 1
                if name in taken:
                    yield Fault(
                        f"{at}/{kind}/{name}", "taken", "this variable stands for something else; choose another"
                    )
                taken.add(name)
        if number > PARTS_MAX:
            advice = f"at most {PARTS_MAX} {kind} in all, optional parts and not_exists included, not {number}"
            yield Fault(f"/{kind}", "too_many", f"{advice}; ask for less at a time")


def _faults_of_parts(pattern: Pattern) -> Iterator[Fault]:
    """A fault for each end that is no node, and for each node that nothing joins to the others."""
    known: set[str] = set()
    for at, part in _places(pattern):
        around = set(pattern.nodes) if at.startswith("/not_exists") else known
        there = {*around, *part.nodes}
        faults = [*_faults_of_ends(at, part, there)]
        yield from faults or _faults_of_joins(at, part, around or {next(iter(part.nodes))})
        known |= there if not at.startswith("/not_exists") else set()


def _faults_of_ends(at: str, part: Pattern | PatternPart, there: Collection[str]) -> Iterator[Fault]:
    for name, relationship in part.relationships.items():
        for side, end in zip(("source", "target"), relationship.ends, strict=True):
            if end not in there:
                yield attrs.evolve(unknown_name(end, there, "node"), pointer=f"{at}/relationships/{name}/{side}")


def _faults_of_joins(at: str, part: Pattern | PatternPart, around: set[str]) -> Iterator[Fault]:
    """A fault for each node that the relationships do not join to those around the part, or to the first node."""
    reached = set(around)
    for _ in part.relationships:
        for relationship in part.relationships.values():
            if not reached.isdisjoint(relationship.ends):
                reached.update(relationship.ends)
    for name in part.nodes:
        if name not in reached:
            advice = "no relationships lead from the other nodes to this one; add them, or ask in a pattern of its own"
            yield Fault(f"{at}/nodes/{name}", "disconnected", advice)


def _faults_of_rows(pattern: Pattern) -> Iterator[Fault]:
    """A fault for each variable that can't be shown, or is sorted by and not shown, and for what it is sorted by."""
    known = pattern.shown
    for number, name in enumerate(pattern.returned):
        at = f"/return/{number}"
        if name not in known:
            if any(name in (*part.nodes, *part.relationships) for part in pattern.not_exists):
                yield Fault(at, "not_shown", "what must not be there can't be shown; leave it out")
            else:
                yield attrs.evolve(unknown_name(name, known, "variable"), pointer=at)
        elif name in pattern.returned[:number]:
            yield Fault(at, "repeated", "give it once")
    nodes = {name for part in pattern.shown_parts for name in part.nodes}
    for number, order in enumerate(pattern.order):
        at = f"/order/{number}"
        if order.variable not in pattern.returned:
            advice = "rows are sorted by what they show: add this variable to return, or sort by another"
            fault = Fault("", "not_shown", advice)
            if order.variable not in known:
                fault = unknown_name(order.variable, known, "variable")
            yield attrs.evolve(fault, pointer=f"{at}/variable")
        if (order.field is None) == (order.metadata is None):
            advice = "give either a field, or metadata with a name in it"
            yield Fault(f"{at}/field", "not_together", advice)
        elif order.field == "name" and order.variable in {*known} - nodes:
            yield Fault(f"{at}/field", "not_a_choice", "relationships have no name; sort by another field")
