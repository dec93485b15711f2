"""Patterns: what fits, what a row shows and in which order, and how metadata is compared; the same on every store."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgl_core import Entity, InvalidInput, KnowledgeGraph
from kgl_core.exploration.matching import Matches
from kgl_core.exploration.subgraphs import Cap
from kgl_core.kernel.nouns.json_values import value_key

VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 1.0, 0.1 + 0.2, 0.3, 1.5, -2.5, 1e16, 10**16, 1e300, -1e300, 5e-324),
    *(2**53, 2**53 + 1, float(2**53), 2**62, 4.611686018427388e18, 4611686018427388000, 2**63 - 1, -(2**63)),
    *(
        "",
        "1",
        "1.0",
        "true",
        "null",
        "a",
        "B",
        "b",
        "é",
        "e\u0301",
        "ไทย",
        "日本",
        "🔵",
        "\uffff",
        'say "hi"',
        "a\\b",
        "%_",
    ),
    *([], [1], {}, {"a": 1}),
]
NAMES = [
    "year",
    "a.b",
    "$",
    "$.year",
    'say "hi"',
    "it's",
    "[0]",
    "",
    " ",
    "a\\b",
    "ปี",
    "年",
    "🔵",
    "é",
    "e\u0301",
    "0",
    "-",
]
KNOWS = {"source": "a", "type": "knows", "target": "b"}


def people(kg: KnowledgeGraph, names: str) -> list[Entity]:
    """Persons with these names, each of one letter."""
    return [kg.entities.create(type="person", name=name) for name in names]


def told(matches: Matches) -> list[str]:
    """The rows: names of entities and types of relationships, and - for what is missing."""
    words = {each.id: each.name for each in matches.entities}
    words |= {each.id: each.relationship_type for each in matches.relationships}
    return [" ".join("-" if id is None else words[id] for id in row.values()) for row in matches.rows]


def by_name(*variables: str) -> list[dict[str, Any]]:
    """The order by the names of these."""
    return [{"variable": variable, "field": "name"} for variable in variables]


def test_who_wrote_what_in_1843(kg: KnowledgeGraph) -> None:
    """Rows of ids, and the records once beside them."""
    ada, grace = people(kg, "AG")
    notes = kg.entities.create(type="work", name="Notes", metadata={"year": 1843})
    code = kg.entities.create(type="work", name="Code", metadata={"year": 1952})
    wrote = [kg.relationships.create(who.id, "wrote", what.id) for who, what in ((ada, notes), (grace, code))]
    found = kg.graph.match(
        {
            "nodes": {"a": {"type": "person"}, "b": {"type": "work", "metadata": {"year": 1843}}},
            "relationships": {"r": {"source": "a", "type": "wrote", "target": "b"}},
            "return": ["r", "a"],
            "limit": 20,
        }
    )
    assert found.rows == ({"r": wrote[0].id, "a": ada.id},)
    assert (found.entities, found.relationships) == ((ada,), (wrote[0],))
    assert (found.truncated, found.total) == (None, None)


def test_two_nodes_can_be_one_entity_but_two_relationships_are_two(kg: KnowledgeGraph) -> None:
    """Of a, who knows b twice: two rows; a loop makes both ends one, and is there once in any direction."""
    a, b = people(kg, "ab")
    kg.relationships.create(a.id, "knows", b.id)
    kg.relationships.create(a.id, "likes", b.id)
    kg.relationships.create(b.id, "knows", b.id)
    nodes: dict[str, Any] = {"x": {}, "y": {}, "z": {}}
    first, second = {"source": "x", "target": "y"}, {"source": "z", "target": "y"}
    both = {"nodes": nodes, "relationships": {"r": first, "s": second}, "return": ["x", "z", "r", "s"]}
    order = [*by_name("x", "z"), {"variable": "r", "field": "created_at"}]
    assert told(kg.graph.match({**both, "order": order})) == [
        *("a a knows likes", "a a likes knows", "a b knows knows", "a b likes knows"),
        *("b a knows knows", "b a knows likes"),
    ]
    either = {"nodes": {"a": {}, "b": {}}, "relationships": {"r": {**KNOWS, "direction": "both"}}}
    assert told(kg.graph.match({**either, "order": by_name("a", "b")})) == ["a b knows", "b a knows", "b b knows"]
    loop = {"nodes": {"a": {}}, "relationships": {"r": {"source": "a", "target": "a"}}}
    assert told(kg.graph.match(loop)) == ["b knows"]


def test_parts_that_may_be_missing_and_parts_that_must(kg: KnowledgeGraph) -> None:
    """An optional part is there as a whole or not at all; what must not be there is another relationship."""
    a, b, c, d = people(kg, "abcd")
    for one, other in ((a, b), (b, c), (d, b)):
        kg.relationships.create(one.id, "knows", other.id)
    whom = {"nodes": {"b": {}}, "relationships": {"r": KNOWS}}
    further = {"nodes": {"c": {}}, "relationships": {"s": {"source": "b", "type": "knows", "target": "c"}}}
    together = {
        "nodes": whom["nodes"] | further["nodes"],
        "relationships": whom["relationships"] | further["relationships"],
    }
    asked = {"nodes": {"a": {}}, "return": ["a", "b", "c"], "order": by_name("a", "b")}
    assert told(kg.graph.match({**asked, "optional": [whom, further]})) == ["a b c", "b c -", "c - -", "d b c"]
    assert told(kg.graph.match({**asked, "optional": [together]})) == ["a b c", "b - -", "c - -", "d b c"]
    other = {"nodes": {"o": {}}, "relationships": {"t": {"source": "o", "type": "knows", "target": "b"}}}
    alone = {"nodes": {"a": {}, "b": {}}, "relationships": {"r": KNOWS}, "not_exists": [other]}
    assert told(kg.graph.match(alone)) == ["b c knows"]


def test_rows_are_sorted_cut_and_counted(kg: KnowledgeGraph) -> None:
    """Unknown values come last in both directions; rows that show the same are one."""
    for name, confidence in (("a", 0.5), ("b", None), ("c", 0.9), ("d", 0.5)):
        one = kg.entities.create(type="person", name=name, confidence=confidence)
        for key in ("1", "2"):
            kg.relationships.create(one.id, "knows", one.id, key=key)
    asked: dict[str, Any] = {
        "nodes": {"a": {}},
        "relationships": {"r": {"source": "a", "target": "a"}},
        "return": ["a"],
        "order": [{"variable": "a", "field": "confidence"}, {"variable": "a", "field": "name", "descending": True}],
    }
    assert told(kg.graph.match(asked)) == ["d", "a", "c", "b"]
    asked["order"][0]["descending"] = True
    assert told(kg.graph.match(asked)) == ["c", "d", "a", "b"]
    found = kg.graph.match({**asked, "limit": 3, "count": True})
    assert (told(found), found.truncated, found.total, found.is_total_cut) == (
        ["c", "d", "a"],
        Cap(reason="limit"),
        4,
        False,
    )
    assert kg.graph.match({**asked, "limit": 4}).truncated is None
    shown = kg.graph.match({**asked, "return": ["a", "r"], "count": True, "limit": 1})
    assert shown.total == 8


def test_counting_stops(kg: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is told to have stopped."""
    monkeypatch.setattr("kgl_core.exploration.matching.COUNTED_MAX", 2)
    people(kg, "abc")
    found = kg.graph.match({"nodes": {"a": {}}, "limit": 1, "count": True})
    assert (found.total, found.is_total_cut) == (2, True)


def test_only_what_is_active_and_asked_for_fits(kg: KnowledgeGraph) -> None:
    """Every condition of a node and of a relationship by itself."""
    a, b, c, d = people(kg, "abcd")
    known = kg.entities.create(type="place", name="Zürich", key="zh", confidence=0.8)
    kg.entities.delete(d.id)
    for who, more in ((a, {"valid_from": "1994", "valid_to": "1995"}), (b, {"confidence": 0.7}), (c, {})):
        kg.relationships.create(who.id, "lives_in", known.id, **more)
    kg.relationships.delete(kg.relationships.create(c.id, "left", known.id).id)

    def fitting(node: Any = None, **conditions: Any) -> str:
        nodes = {"a": {}, "b": node or {}}
        relationship = {"source": "a", "target": "b", **conditions}
        found = kg.graph.match(
            {"nodes": nodes, "relationships": {"r": relationship}, "return": ["a"], "order": by_name("a")}
        )
        return "".join(told(found))

    assert fitting() == fitting(type=["left", "lives_in"]) == fitting(min_sources=1) == "abc"
    assert fitting(type="left") == fitting(min_sources=2) == fitting(min_confidence=0.71) == ""
    assert fitting(min_confidence=0.7) == "b"
    assert (fitting(valid_at="1994-05"), fitting(valid_at="1996")) == ("abc", "bc")
    for node in ({"key": "zh"}, {"id": str(known.id)}, {"name": "zurich"}, {"type": "place"}, {"min_confidence": 0.8}):
        assert fitting(node) == "abc"
        assert fitting({**node, "type": "person"}) == ""
    for node in ({"key": "ZH"}, {"id": str(a.id)}, {"name": "zur"}, {"min_confidence": 0.81}, {"min_sources": 2}):
        assert fitting(node) == ""
    assert told(kg.graph.match({"nodes": {"a": {"type": "person"}}, "order": by_name("a")})) == ["a", "b", "c"]


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same, by a way of its own."""
    if {type(one), type(other)} <= {int, float}:
        return Decimal(repr(one)) == Decimal(repr(other))
    return type(one) is type(other) and one == other and not isinstance(one, (list, dict))


def order_of(value: Any) -> Any:
    """What values are sorted by, by a way of its own; None for what has no order."""
    if isinstance(value, str):
        return (2, Decimal(0), value)
    return (1, Decimal(repr(value)), "") if type(value) in (int, float) else None


def test_metadata_is_compared_alike_on_every_store(kg: KnowledgeGraph) -> None:
    """Each value with each other, by each operator; what lacks the name passes ``exists: false`` alone."""
    for n, value in enumerate(VALUES):
        kg.entities.create(type="t", name=f"{n}", metadata={"v": value, "w": 0})
    kg.entities.create(type="t", name="without", metadata={"w": "v"})

    def found(test: Any) -> set[int]:
        matches = kg.graph.match({"nodes": {"a": {"metadata": {"v": test}}}, "limit": 1000})
        return {int(each.name) for each in matches.entities}

    everything = set(range(len(VALUES)))
    for value in VALUES:
        if isinstance(value, (list, dict)):
            continue
        alike = {n for n in everything if same(VALUES[n], value)}
        assert found(value) == found({"in": [value]}) == alike, value
        assert found({"ne": value}) == everything - alike, value
        own = order_of(value)
        if own is None:
            continue
        orders = {n: order for n in everything if (order := order_of(VALUES[n])) is not None and order[0] == own[0]}
        assert found({"gt": value}) == {n for n, order in orders.items() if order > own}, value
        assert found({"gte": value}) == {n for n, order in orders.items() if order >= own}, value
        assert found({"lt": value}) == {n for n, order in orders.items() if order < own}, value
        assert found({"lte": value}) == {n for n, order in orders.items() if order <= own}, value
    assert found({"exists": True}) == everything
    assert found({"in": [1, "a", None], "ne": None}) == {n for n in everything if VALUES[n] in (1, "a")} - {
        VALUES.index(True)
    }
    without = kg.graph.match({"nodes": {"a": {"metadata": {"v": {"exists": False}}}}})
    assert told(without) == ["without"]


@pytest.mark.parametrize("is_descending", [False, True])
def test_rows_are_sorted_by_metadata_alike_on_every_store(kg: KnowledgeGraph, *, is_descending: bool) -> None:
    """Numbers before text; what has no order comes last in both directions."""
    ids = {kg.entities.create(type="t", name="n", metadata={"v": value}).id: order_of(value) for value in VALUES}
    order = [{"variable": "a", "metadata": "v", "descending": is_descending}]
    found = kg.graph.match({"nodes": {"a": {}}, "order": order, "limit": 1000})
    by_id = sorted(ids, key=lambda id: id.int)
    having = sorted((id for id in by_id if ids[id] is not None), key=ids.__getitem__, reverse=is_descending)
    assert [row["a"] for row in found.rows] == having + [id for id in by_id if ids[id] is None]


def test_any_name_in_metadata_can_be_asked_for(kg: KnowledgeGraph) -> None:
    """Quotes, dots, signs that paths are made of, and every script."""
    for n, name in enumerate(NAMES):
        kg.entities.create(type="t", name=f"{n}", metadata={name: 1})
    for n, name in enumerate(NAMES):
        for test in (1, {"exists": True}, {"gt": 0}):
            assert told(kg.graph.match({"nodes": {"a": {"metadata": {name: test}}}})) == [f"{n}"], name


NUMBERS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([2**k + d for k in (53, 60, 62) for d in (-1, 0, 1)]),
    st.sampled_from([float(2**k) for k in (53, 60, 62, 63)]),
)


@given(NUMBERS, NUMBERS)
def test_keys_sort_as_numbers_do(one: float, other: float) -> None:
    """By their values as they are written in decimal."""
    keys = value_key(one), value_key(other)
    assert keys[0] is not None
    assert keys[1] is not None
    numbers = Decimal(repr(one)), Decimal(repr(other))
    assert (keys[0] < keys[1], keys[0] == keys[1]) == (numbers[0] < numbers[1], numbers[0] == numbers[1])


def test_a_pattern_is_refused_before_the_store_is_asked(kg: KnowledgeGraph) -> None:
    """With every fault."""
    with pytest.raises(InvalidInput) as refused:
        kg.graph.match({"nodes": {"a": {"typ": "person"}, "b": {}}, "retrun": ["a"]})
    assert [fault.pointer for fault in refused.value.faults] == ["/retrun", "/nodes/a/typ"]
