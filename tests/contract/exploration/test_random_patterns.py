"""Random patterns on a random graph: every store finds what trying out all combinations finds."""

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import cmp_to_key
from itertools import product
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kgl_core import Entity, KnowledgeGraph, Relationship
from kgl_core.exploration.pattern_parts import PARTS_MAX
from kgl_core.exploration.patterns import Pattern, read_pattern

Bound = Mapping[str, Any]
TYPES = ("red", "blue")
DATES = (None, "1994", "1995-06")


def metadata_of(chance: random.Random) -> dict[str, Any]:
    """What a record holds: few values, so that many are the same."""
    return {} if chance.random() < 0.3 else {"v": chance.choice([0, 1, 1.0, "1", "x", True, None])}


@pytest.fixture
def graph(kg: KnowledgeGraph) -> KnowledgeGraph:
    """A small graph with loops, parallel relationships, and what is deleted."""
    chance = random.Random(7)
    confidences = (None, 0.25, 0.5, 0.75)
    entities = [
        kg.entities.create(
            type=chance.choice(TYPES),
            name=chance.choice("abc"),
            confidence=chance.choice(confidences),
            metadata=metadata_of(chance),
        )
        for _ in range(8)
    ]
    for number in range(18):
        one, other = chance.choice(entities), chance.choice(entities)
        made = kg.relationships.create(
            one.id,
            chance.choice(TYPES),
            other.id,
            key=f"{number}",
            confidence=chance.choice(confidences),
            metadata=metadata_of(chance),
            valid_from=chance.choice(DATES),
        )
        if number % 7 == 0:
            kg.relationships.delete(made.id)
    kg.entities.delete(entities[-1].id)
    return kg


values = st.sampled_from([0, 1, "1", "x", True, False, None])
ordered = st.sampled_from([0, 1, 0.5, "1", "w"])
tests = st.one_of(
    values,
    st.fixed_dictionaries({"ne": values}),
    st.fixed_dictionaries({"in": st.lists(values, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"exists": st.booleans()}),
    st.fixed_dictionaries({}, optional={"gte": ordered, "lt": ordered}).filter(bool),
)
conditions = {
    "type": st.sampled_from([*TYPES, ["red", "blue"]]),
    "metadata": st.fixed_dictionaries({"v": tests}),
    "min_confidence": st.sampled_from([0.25, 0.5]),
}
nodes = st.just({}) | st.fixed_dictionaries({}, optional={**conditions, "name": st.sampled_from("aB")})
of_relationships = {**conditions, "valid_at": st.sampled_from(["1994-05", "1995", "1993"])}
directions = st.sampled_from(["out", "both"])


@st.composite
def parts(draw: st.DrawFn, around: Sequence[str], prefix: str, most: int) -> dict[str, Any]:
    """One to ``most`` relationships that hold on to nodes around them, and the nodes that are new with them."""
    there, new, found = list(around), {}, {}
    for number in range(draw(st.integers(1, most))):
        near = draw(st.sampled_from(there))
        if draw(st.booleans()):
            far = f"{prefix}n{number}"
            new[far] = draw(nodes)
            there.append(far)
        else:
            far = draw(st.sampled_from(there))
        ends = (near, far) if draw(st.booleans()) else (far, near)
        asked = draw(st.fixed_dictionaries({"direction": directions}, optional=of_relationships))
        found[f"{prefix}r{number}"] = {"source": ends[0], "target": ends[1], **asked}
    return {"nodes": new, "relationships": found}


@st.composite
def patterns(draw: st.DrawFn) -> dict[str, Any]:
    """A pattern with up to six relationships, some of them in parts of their own."""
    first = {"nodes": {"a": draw(nodes)}, "relationships": {}}
    if draw(st.integers(0, 5)):
        more = draw(parts(["a"], "", 2))
        first = {"nodes": first["nodes"] | more["nodes"], "relationships": more["relationships"]}
    around, optional = [*first["nodes"]], []
    for number in range(draw(st.integers(0, 2))):
        optional.append(draw(parts(around, f"o{number}", 2 if number == 0 else 1)))
        around += optional[-1]["nodes"]
    missing = [draw(parts([*first["nodes"]], "m", 1))] if draw(st.integers(0, 2)) == 2 else []
    assume(sum(len(part["nodes"]) for part in (first, *optional, *missing)) <= PARTS_MAX)
    pattern = {**first, "optional": optional, "not_exists": missing, "limit": 1_000, "count": True}
    variables = [name for part in (first, *optional) for kind in ("nodes", "relationships") for name in part[kind]]
    shown = variables
    if draw(st.booleans()):
        shown = pattern["return"] = draw(st.lists(st.sampled_from(variables), min_size=1, unique=True))
    order = st.fixed_dictionaries({"variable": st.sampled_from(shown), "descending": st.booleans()})
    by = st.sampled_from([{"field": "confidence"}, {"metadata": "v"}])
    pattern["order"] = [draw(order) | draw(by) for _ in range(draw(st.integers(0, 2)))]
    return pattern


def passes(record: Entity | Relationship, type: str, asked: Any) -> bool:
    """Whether a record is as asked, but for dates and names."""
    if asked.type and type not in asked.type:
        return False
    if asked.min_confidence is not None and (record.confidence or 0) < asked.min_confidence:
        return False
    for test in asked.metadata:
        there = test.name in record.metadata
        value = record.metadata.get(test.name)
        kind = (type_of(value), value)
        wanted = [(type_of(each), each) for each in test.values]
        good = {
            "exists": there == test.values[0],
            "eq": there and kind in wanted,
            "in": there and kind in wanted,
            "ne": there and kind not in wanted,
            "gte": there and kind[0] == wanted[0][0] and kind[0] != "other" and value >= test.values[0],
            "lt": there and kind[0] == wanted[0][0] and kind[0] != "other" and value < test.values[0],
        }[test.operator]
        if not good:
            return False
    return True


def type_of(value: Any) -> str:
    """The kind of a value; ``other`` has no order."""
    if isinstance(value, bool) or value is None:
        return "other" if value is None else "other flag"
    return "text" if isinstance(value, str) else "number"


class Naive:
    """Tries out every combination of relationships, and of their directions."""

    def __init__(self, kg: KnowledgeGraph) -> None:
        self.entities = {each.id: each for each in kg.entities.list(limit=200).items}
        self.relationships = kg.relationships.list(limit=200).items

    def fitting(self, part: Any, bound: Bound, valid: Mapping[str, set[Any]]) -> Iterator[Bound]:
        """All ways in which a part fits beside what is bound."""
        names = [*part.relationships]
        lone = [name for name in part.nodes if not names]
        for entity in self.entities.values() if lone else ():
            if self.is_node(entity, part.nodes[lone[0]]):
                yield {**bound, lone[0]: entity}
        choices = [
            [(row, turned) for row in self.relationships if row.id in valid[name] for turned in (False, True)]
            for name in names
        ]
        for chosen in product(*choices) if names else ():
            made: dict[str, Any] | None = dict(bound)
            for name, (row, turned) in zip(names, chosen, strict=True):
                made = self.with_one(made, part, name, row, turned=turned)
                if made is None:
                    break
            if made is not None:
                yield made

    def with_one(self, bound: Any, part: Any, name: str, row: Relationship, *, turned: bool) -> dict[str, Any] | None:
        """What is bound with one relationship more; None if it does not go together."""
        asked = part.relationships[name]
        loops = row.source_entity_id == row.target_entity_id
        if (turned and (asked.direction == "out" or loops)) or any(each == row for each in bound.values()):
            return None
        ends = (row.target_entity_id, row.source_entity_id) if turned else row.ends
        made = {**bound, name: row}
        for variable, id in zip(asked.ends, ends, strict=True):
            entity = self.entities[id]
            if variable not in made:
                if not self.is_node(entity, part.nodes[variable]):
                    return None
                made[variable] = entity
            elif made[variable] != entity:
                return None
        return made

    def is_node(self, entity: Entity, asked: Any) -> bool:
        """Whether an entity fits a node."""
        return (asked.name is None or entity.name == asked.name.lower()) and passes(entity, entity.type, asked)

    def rows(self, kg: KnowledgeGraph, pattern: Pattern) -> list[tuple[Any, ...]]:
        """The ids of all rows in order."""
        valid = {}
        for part in (*pattern.shown_parts, *pattern.not_exists):
            for name, asked in part.relationships.items():
                dated = {} if asked.valid_at is None else {"valid_at": asked.valid_at}
                listed = kg.relationships.list(limit=200, **dated).items
                valid[name] = {row.id for row in listed if passes(row, row.relationship_type, asked)}
        found: dict[tuple[Any, ...], Bound] = {}
        for bound in self.fitting(pattern, {}, valid):
            if any(next(self.fitting(part, bound, valid), None) for part in pattern.not_exists):
                continue
            rows = [bound]
            for part in pattern.optional:
                none = dict.fromkeys([*part.nodes, *part.relationships])
                rows = [more for row in rows for more in ([*self.fitting(part, row, valid)] or [{**row, **none}])]
            for row in rows:
                found[tuple(row[name] and row[name].id for name in pattern.returned)] = row
        return sorted(
            found, key=cmp_to_key(lambda one, other: compared(pattern, (one, found[one]), (other, found[other])))
        )


def compared(pattern: Pattern, one: Any, other: Any) -> int:
    """How two rows are sorted: below 0 if the one comes first."""
    for order in pattern.order:
        values = []
        for _, bound in (one, other):
            record = bound[order.variable]
            value = None
            if record is not None:
                value = record.confidence if order.metadata is None else record.metadata.get(order.metadata)
            values.append(None if type_of(value).startswith("other") else (type_of(value) == "text", value))
        if values[0] != values[1]:
            if None in values:
                return 1 if values[0] is None else -1
            return (1 if values[0] > values[1] else -1) * (-1 if order.descending else 1)  # type: ignore[operator]
    keys = [[(id is None, id and id.int) for id in ids] for ids, _ in (one, other)]
    return -1 if keys[0] < keys[1] else 1


@settings(max_examples=150)
@given(asked=patterns())
def test_every_store_finds_what_trying_out_finds(graph: KnowledgeGraph, asked: dict[str, Any]) -> None:
    """The same rows in the same order."""
    pattern = read_pattern(asked)
    expected = Naive(graph).rows(graph, pattern)
    found = graph.graph.match(asked)
    assert [tuple(row.values()) for row in found.rows] == expected[:1_000]
    assert (found.total, found.truncated is None) == (len(expected), len(expected) <= 1_000)
    shown = {id for row in found.rows for id in row.values()} - {None}
    assert {each.id for each in (*found.entities, *found.relationships)} == shown
