"""Parts of records: every walk gives what it gives otherwise, but of each record only what is asked for."""

from typing import Any
from uuid import UUID

import attrs
import pytest

from kgl_core import InvalidInput, UnreadableRow
from kgl_core.exploration.walked_records import PART_FIELDS
from kgl_core.kernel.units_of_work import Store
from tests.contract.damage import raw
from tests.contract.exploration.drawing import Drawn

TABLES = ("entities", "entity_relationships")
ENDS = ("id", "source_entity_id", "target_entity_id")


@pytest.fixture
def drawn(store: Store) -> Drawn:
    """A graph whose records have something in most fields."""
    drawn = Drawn(store)
    drawn.draw("A-B .9, B-C .5, C-A, A-C .7", metadata={"ปี": [1843, None]}, valid_from="1990", valid_to="2000-02")
    a, b = drawn.ids("A B")
    drawn.kg.entities.patch(a, {"aliases": ["愛"], "key": "a", "metadata": {"n": 2**62}})
    drawn.kg.relationships.create(a, "likes", b, key="🔵", source="https://example.org", source_type="web")
    return drawn


@pytest.mark.parametrize("fields", [(), ("name",), ("relationship_type", "confidence"), ("metadata",), PART_FIELDS])
def test_every_walk(drawn: Drawn, fields: tuple[str, ...]) -> None:
    """Has the same records, and the ids always."""
    ids = drawn.ids("A B C")
    pattern = {"nodes": {"a": {}, "b": {}}, "relationships": {"r": {"source": "a", "target": "b"}}}
    walks: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
        ("neighborhood", (ids[0],), {"depth": 2}),
        ("neighborhood", (ids[0],), {"max_relationships": 1, "max_entities": 2}),
        ("paths", (ids[0], ids[2]), {"kind": "k_shortest"}),
        ("common_neighbors", (ids[:2],), {"limit": 1}),
        ("subgraph", (ids,), {}),
        ("subgraph", (), {"filter": {"type": "thing"}}),
        ("match", (pattern,), {}),
    ]
    for walk, arguments, query in walks:
        whole: Any = getattr(drawn.kg.graph, walk)(*arguments, **query)
        shown: Any = getattr(drawn.kg.graph.showing(*fields), walk)(*arguments, **query)
        for name in ("entities", "relationships"):
            expected = [getattr(each, "entity", each) for each in getattr(whole, name)]
            told = [getattr(each, "entity", each) for each in getattr(shown, name)]
            wanted = [each for each in (*ENDS, *fields) if hasattr(expected[0], each)] if expected else []
            assert told == [{each: getattr(record, each) for each in wanted} for record in expected], (walk, name)
        assert attrs.evolve(shown, entities=whole.entities, relationships=whole.relationships) == whole


def test_what_is_not_asked_for_is_not_read(store_url: str, drawn: Drawn) -> None:
    """Damage there goes unnoticed."""
    if store_url.startswith("memory"):
        return
    tables = {name: name if store_url.startswith("sqlite") else f"backend_entities.{name}" for name in TABLES}
    with raw(store_url) as database:
        database.run(f"UPDATE {tables['entities']} SET metadata = '[1]' WHERE name != 'A'")
        database.run(f"UPDATE {tables['entity_relationships']} SET metadata = '[1]'")
    [a] = drawn.ids("A")
    with pytest.raises(UnreadableRow):
        drawn.kg.graph.neighborhood(a)
    found = drawn.kg.graph.showing("name").neighborhood(a)
    assert {each.entity["name"] for each in found.entities} == {"A", "B", "C"}


def test_fields_that_are_not_there(drawn: Drawn) -> None:
    """Are named, with those that are."""
    with pytest.raises(InvalidInput, match=r"'nmae'; the fields are .*name"):
        drawn.kg.graph.showing("id", "nmae")
    for name in ([], {}, 10**5000, None, b"name"):
        with pytest.raises(InvalidInput, match="as text"):
            drawn.kg.graph.showing("id", name)  # type: ignore[arg-type]


@pytest.mark.parametrize("ids", [5, True, UUID(int=1), 1.5, "A", b"B", [None]])
def test_what_is_no_list_of_ids(drawn: Drawn, ids: Any) -> None:
    """Is refused, whatever it is, and nothing is looked for."""
    kg = drawn.kg
    finds = [kg.graph.common_neighbors, kg.graph.subgraph]
    finds += [lambda ids: kg.entities.get_many(ids=ids), lambda ids: kg.relationships.get_many(ids=ids)]
    for find in finds:
        with pytest.raises(InvalidInput, match="id"):
            find(ids)


def test_no_ids(drawn: Drawn) -> None:
    """Have no common neighbors, and are no subgraph where there is no filter either."""
    graph: Any = drawn.kg.graph
    for find, ids in ((graph.common_neighbors, None), (graph.common_neighbors, {}), (graph.subgraph, None)):
        with pytest.raises(InvalidInput, match="id"):
            find(ids)
