"""Random graphs and questions: all stores give the same answers, and networkx says that they are right."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgl_adapters import connect
from kgl_core import KnowledgeGraph
from kgl_core.exploration.neighborhoods import Truncated
from kgl_core.graph.entities import ENTITY
from kgl_core.graph.relationships import RELATIONSHIP
from tests.conftest import STORES
from tests.contract.exploration.random_graphs import Graph, filters, graphs

Ask = Callable[[Callable[[KnowledgeGraph], Any]], Any]


@pytest.fixture
def stores(empty_url: Callable[[str], str]) -> Iterator[list[KnowledgeGraph]]:
    """A graph on each store."""
    with ExitStack() as stack:
        yield [stack.enter_context(connect(empty_url(store), migrate=None)) for store in STORES]


def asking(stores: list[KnowledgeGraph], graph: Graph) -> Ask:
    """Keeps a graph in every store; then asks all of them, and gives the answer on which they agree."""
    for kg in stores:
        with kg._context.store.begin() as uow:
            uow.of(ENTITY).add(graph.entities)
            uow.of(RELATIONSHIP).add(graph.relationships)
            uow.commit()

    def ask(question: Callable[[KnowledgeGraph], Any]) -> Any:
        first, *others = [question(kg) for kg in stores]
        for other in others:
            assert other == first
        return first

    return ask


def weigh(kind: str, roads: Any, steps: tuple[UUID, ...]) -> float | None:
    """What a path of these relationships weighs; None if it has a step that this kind does not take."""
    about = {key: data for _, _, key, data in roads.edges(keys=True, data=True)}
    total = 1.0 if kind == "most_certain" else 0.0
    for step in steps:
        value = {"lightest": about[step]["km"], "most_certain": about[step]["confidence"]}.get(kind, 1)
        if not isinstance(value, int | float) or value < 0:
            return None
        total = total * value if kind == "most_certain" else total + value
    return total


def simple_paths(roads: Any, start: UUID, end: UUID, max_depth: int) -> list[tuple[UUID, ...]]:
    """Every simple path, as the relationships that it takes."""
    import networkx as nx

    if start == end:
        return [()]
    return [tuple(key for *_, key in path) for path in nx.all_simple_edge_paths(roads, start, end, cutoff=max_depth)]


@settings(max_examples=40)
@given(graph=graphs(), filter=filters, depth=st.integers(0, 6), caps=st.data())
def test_neighborhoods(stores: list[KnowledgeGraph], graph: Graph, filter: Any, depth: int, caps: Any) -> None:
    """Distances and what joins the entities are as networkx has them; with caps, less, which is told."""
    import networkx as nx

    ask = asking(stores, graph)
    start = graph.entities[0].id
    roads = graph.roads(filter)
    found = ask(lambda kg: kg.graph.neighborhood(start, depth=depth, **filter))
    distances = nx.single_source_shortest_path_length(roads, start, cutoff=depth)
    assert {each.entity.id: each.distance for each in found.entities} == distances
    assert found.truncated is None
    assert ask(lambda kg: kg.graph.distances(start, depth=depth, **filter)).by_id == distances
    nearest = ask(lambda kg: kg.graph.distances(start, depth=depth, max_entities=3, **filter))
    assert nearest.is_cut == (len(distances) > 3)
    reached = max(nearest.by_id.values(), default=-1) if nearest.is_cut else depth
    assert nearest.by_id == {id: distance for id, distance in distances.items() if distance <= reached}
    among = graph.roads({**filter, "direction": "out", "entity_type": ()}).subgraph(distances)
    places = {each.id: each for each in found.relationships}
    assert set(places) == {key for *_, key in among.edges(keys=True)}
    given = {
        "max_entities": caps.draw(st.integers(1, 12)),
        "max_per_entity": caps.draw(st.integers(1, 4)),
        "max_relationships": caps.draw(st.integers(0, 12)),
    }
    cut = ask(lambda kg: kg.graph.neighborhood(start, depth=depth, **filter, **given))
    assert len(cut.entities) <= given["max_entities"]
    assert len(cut.relationships) <= given["max_relationships"]
    for each in cut.entities:
        assert distances[each.entity.id] <= each.distance <= depth
    is_whole = len(cut.entities) == len(found.entities) and len(cut.relationships) == len(found.relationships)
    assert is_whole or cut.truncated is not None
    check_cuts(ask, cut.truncated, roads, filter, depth)


@settings(max_examples=30)
@given(graph=graphs(), filter=filters)
def test_the_relationships_of_an_entity(stores: list[KnowledgeGraph], graph: Graph, filter: Any) -> None:
    """All that a walk can follow from it, the strongest first, on one page or many."""
    ask = asking(stores, graph)
    start = graph.entities[0].id
    whole = ask(lambda kg: kg.graph.relationships(start, limit=200, **filter))
    assert {each.id for each in whole.items} == {key for *_, key in graph.roads(filter).out_edges(start, keys=True)}
    assert [*whole.items] == sorted(
        whole.items,
        key=lambda each: (each.confidence is None, -(each.confidence or 0), -each.created_at.timestamp(), each.id.int),
    )
    pages, cursor = [], None
    while len(pages) <= len(whole.items):
        page = ask(lambda kg, at=cursor: kg.graph.relationships(start, limit=1, cursor=at, **filter))
        pages += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    assert pages == [*whole.items]


def check_cuts(ask: Ask, truncated: Truncated | None, roads: Any, filter: Any, depth: int) -> None:
    """What is told of what was left out leads to exactly that many relationships, the next strongest."""
    for each in truncated.at if truncated else ():
        assert 0 < each.left_out <= roads.out_degree(each.id)
        is_loop_free = not roads.has_edge(each.id, each.id)
        rest = ask(lambda kg, at=each: kg.graph.neighborhood(at.id, cursor=at.cursor, depth=1, **filter))
        assert rest.truncated is None
        assert {entity.entity.id for entity in rest.entities} <= {each.id, *roads.successors(each.id)}
        assert len(rest.entities) - 1 <= each.left_out
        if is_loop_free and each.left_out == roads.out_degree(each.id):
            assert {entity.entity.id for entity in rest.entities} == {each.id, *roads.successors(each.id)}


@settings(max_examples=60)
@given(
    graph=graphs(),
    filter=filters,
    kind=st.sampled_from(("shortest", "k_shortest", "most_certain", "lightest")),
    ends=st.lists(st.integers(0, 24), min_size=3, max_size=3),
    max_depth=st.integers(0, 4),
    limit=st.integers(1, 12),
    avoid=st.lists(st.integers(0, 24), max_size=1),
)
def test_paths(
    stores: list[KnowledgeGraph],
    graph: Graph,
    filter: Any,
    kind: str,
    ends: list[int],
    max_depth: int,
    limit: int,
    avoid: list[int],
) -> None:
    """The best of all simple paths, and all of the shortest, from each to each."""
    ask = asking(stores, graph)
    one, other, third = (graph.entities[end % len(graph.entities)].id for end in ends)
    barred = [graph.entities[end % len(graph.entities)].id for end in avoid]
    query: dict[str, Any] = {"kind": kind, "max_depth": max_depth, "limit": limit, "avoid": barred, **filter}
    if kind == "lightest":
        query["weight"] = "km"
    found = ask(lambda kg: kg.graph.paths([one, other], [third, one], **query))
    assert len(found.pairs) == len({one, other}) * len({third, one})
    paths = list(found.paths)
    for pair in found.pairs:
        own = [path for path in paths if (path.entity_ids[0], path.entity_ids[-1]) == (pair.from_id, pair.to_id)]
        roads = graph.roads(filter, (pair.from_id, pair.to_id))
        roads.remove_nodes_from(barred)
        is_barred = pair.from_id in barred or pair.to_id in barred
        every = [] if is_barred else simple_paths(roads, pair.from_id, pair.to_id, max_depth)
        weights = {steps: weigh(kind, roads, steps) for steps in every}
        weights = {steps: weight for steps, weight in weights.items() if weight is not None}
        if kind == "shortest":
            weights = {steps: weight for steps, weight in weights.items() if weight == min(weights.values())}
        best = sorted(weights.values(), reverse=kind == "most_certain")
        assert pair.outcome == ("found" if best else "no_path")
        assert [path.weight for path in own] == pytest.approx(best[:limit])
        assert len({path.relationship_ids for path in own}) == len(own)
        assert {path.relationship_ids for path in own} <= set(weights)
        assert pair.is_cut == (len(best) > limit)
    tight = ask(lambda kg: [kg.graph.paths(one, third, budget=budget, **query) for budget in (1, 5, 25)])
    for answer in tight:
        assert answer.pairs[0].outcome == "budget_spent" or answer.pairs == found.pairs[: len(answer.pairs)]
        assert answer.paths == found.paths[: len(answer.paths)]


@settings(max_examples=40)
@given(
    graph=graphs(), filter=filters, picked=st.lists(st.integers(0, 24), min_size=2, max_size=10), cap=st.integers(0, 9)
)
def test_subgraphs_common_neighbors_and_degrees(
    stores: list[KnowledgeGraph], graph: Graph, filter: Any, picked: list[int], cap: int
) -> None:
    """As networkx has them."""
    ask = asking(stores, graph)
    ids = list(dict.fromkeys(graph.entities[n % len(graph.entities)].id for n in picked))
    forward = graph.roads({**filter, "direction": "out", "entity_type": ()})
    found = ask(lambda kg: kg.graph.subgraph(ids, **filter))
    expected = {key for *_, key in forward.subgraph(ids).edges(keys=True)}
    order = sorted(
        (each for each in graph.relationships if each.id in expected),
        key=lambda each: (each.confidence is None, -(each.confidence or 0), -each.created_at.timestamp(), each.id.int),
    )
    assert [each.id for each in found.relationships] == [each.id for each in order]
    cut = ask(lambda kg: kg.graph.subgraph(ids, max_relationships=cap, **filter))
    assert [each.id for each in cut.relationships] == [each.id for each in order][:cap]

    roads = graph.roads(filter)
    if len(ids) > 1:
        shared = set.intersection(*(set(roads.successors(id)) for id in ids)).difference(ids)
        common = ask(lambda kg: kg.graph.common_neighbors(ids, **filter))
        assert [each.id for each in common.entities] == sorted(shared, key=lambda id: id.int)
        joining = {key for id, other in product(ids, shared) for key in roads.get_edge_data(id, other) or ()}
        assert {each.id for each in common.relationships} == joining

    whole = graph.roads({"direction": "out"})
    summary = ask(lambda kg: kg.graph.summary(ids[0]))
    assert summary.degree == whole.degree(ids[0])
    counted = {(each.relationship_type, each.direction): each.count for each in summary.degrees}
    assert sum(n for (_, direction), n in counted.items() if direction == "in") == whole.in_degree(ids[0])
