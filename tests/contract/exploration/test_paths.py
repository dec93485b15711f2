"""Paths: the shortest, the k shortest, the most certain and the lightest, between one or several ends."""

from typing import Any
from uuid import uuid4

import pytest

from kgl_core import Deleted, NotFound
from kgl_core.exploration import shortest_paths
from kgl_core.kernel.units_of_work import Store
from tests.contract.exploration.drawing import Drawn

KINDS: list[dict[str, Any]] = [
    {"kind": "shortest"},
    {"kind": "k_shortest"},
    {"kind": "most_certain"},
    {"kind": "lightest", "weight": "km"},
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_chain(store: Store, kind: dict[str, Any]) -> None:
    """It is found if it is not longer than allowed."""
    drawn = Drawn(store)
    drawn.draw("N0-N1 .5, N1-N2 .5, N2-N3 .5, N3-N4 .5", metadata={"km": 2})
    for depth in range(13):
        found = drawn.paths("N0", "N3", max_depth=depth, **kind)
        assert found == (["N0-N1 N1-N2 N2-N3"] if depth >= 3 else [])
        assert drawn.outcomes("N0", "N3", max_depth=depth, **kind) == ["found" if found else "no_path"]
    [path] = drawn.kg.graph.paths(*drawn.ids("N0 N2"), **kind).paths
    assert path.weight == {"most_certain": 0.25, "lightest": 4}.get(kind["kind"], 2)
    [path] = drawn.kg.graph.paths(drawn.ids("N1"), drawn.ids("N1"), max_depth=0, **kind).paths
    assert (path.length, path.weight) == (0, 1 if kind["kind"] == "most_certain" else 0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_direction(store: Store, kind: dict[str, Any]) -> None:
    """What is followed against its own direction is marked."""
    drawn = Drawn(store)
    drawn.draw("a-b .9, c-b .9", metadata={"km": 1})
    assert drawn.paths("a", "c", direction="out", **kind) == []
    assert drawn.paths("a", "c", direction="in", **kind) == []
    assert drawn.paths("a", "c", **kind) == ["a-b <c-b"]
    assert drawn.paths("b", "c", direction="in", **kind) == ["<c-b"]
    assert drawn.paths("c", "b", direction="out", **kind) == ["c-b"]


def test_parallel_relationships_make_paths_of_their_own(store: Store) -> None:
    """By weight, each names its relationships, and none comes twice."""
    drawn = Drawn(store)
    for name, km in {"S-A": 1, "S-B": 1, "A-C": 1, "B-C": 5, "C-D": 1, "C-D/long": 9}.items():
        drawn.draw(name, metadata={"km": km})
    given = {"kind": "lightest", "weight": "km"}
    found = drawn.kg.graph.paths(drawn.ids("S"), drawn.ids("D"), limit=10, **given)
    assert [path.weight for path in found.paths] == [3, 7, 11, 15]
    assert [drawn.told(path) for path in found.paths] == [
        "S-A A-C C-D",
        "S-B B-C C-D",
        "S-A A-C C-D/long",
        "S-B B-C C-D/long",
    ]
    assert [pair.is_cut for pair in found.pairs] == [False]
    for limit in range(1, 5):
        cut = drawn.kg.graph.paths(drawn.ids("S"), drawn.ids("D"), limit=limit, **given)
        assert cut.paths == found.paths[:limit]
        assert [pair.is_cut for pair in cut.pairs] == [limit < 4]
    assert len(drawn.paths("S", "D", kind="k_shortest")) == len(drawn.paths("S", "D")) == 4
    assert drawn.paths("S", "D", limit=1) == ["S-B B-C C-D/long"]  # the strongest first steps: here the newest


def test_the_most_certain_is_not_the_shortest(store: Store) -> None:
    """A long way of sure steps is surer than a doubtful step; what is unknown is no step."""
    drawn = Drawn(store)
    drawn.draw("A-Z .5, A-B .9, B-Z .9, A-C 1, C-D 1, D-Z .8, A-Z/unknown, A-Z/never 0")
    found = drawn.kg.graph.paths(drawn.ids("A"), drawn.ids("Z"), kind="most_certain")
    assert [drawn.told(path) for path in found.paths] == ["A-B B-Z", "A-C C-D D-Z", "A-Z", "A-Z/never"]
    assert [path.weight for path in found.paths] == pytest.approx([0.81, 0.8, 0.5, 0])
    assert drawn.paths("A", "Z", kind="most_certain", max_depth=2) == ["A-B B-Z", "A-Z", "A-Z/never"]
    assert len(drawn.paths("A", "Z")) == 3


@pytest.mark.parametrize("value", [-1, "1", None, True, [1], 10**400, "NaN"])
def test_what_is_no_weight_is_no_step(store: Store, value: Any) -> None:
    """Only numbers of zero or more are."""
    drawn = Drawn(store)
    drawn.draw("A-Z", metadata={"km": value} if value != 10**400 else {"km": "far"})
    drawn.draw("A-B", metadata={"km": 0, "KM": 1})
    drawn.draw("B-Z", metadata={"km": 1.5})
    assert drawn.paths("A", "Z", kind="lightest", weight="km") == ["A-B B-Z"]
    assert drawn.outcomes("A", "Z", kind="lightest", weight="miles") == ["no_path"]


@pytest.mark.parametrize("weight", ["ระยะทาง", "距離", "🛤️ km", "a/b", "~", "'; --", '"', "km.x", "$"])
def test_weights_have_any_name(store: Store, weight: str) -> None:
    """In any script."""
    drawn = Drawn(store)
    drawn.draw("A-Z", metadata={weight: 5})
    drawn.draw("A-B, B-Z", metadata={weight: 2})
    assert drawn.paths("A", "Z", kind="lightest", weight=weight) == ["A-B B-Z", "A-Z"]


@pytest.mark.parametrize("kind", KINDS)
def test_several_ends(store: Store, kind: dict[str, Any]) -> None:
    """Each two have their paths: also one that is both, one behind another, and those at the greatest depth."""
    drawn = Drawn(store)
    drawn.draw("S-A .5, A-B .5, B-C .5, S-D .5, T-A .5", metadata={"km": 1})
    query = {"direction": "out", "max_depth": 3, **kind}
    assert drawn.paths("S T", "S B C D", **query) == [
        "",
        "S-A A-B",
        "S-A A-B B-C",
        "S-D",
        "T-A A-B",
        "T-A A-B B-C",
    ]
    assert drawn.outcomes("S T", "S B C D", **query) == [*["found"] * 4, "no_path", "found", "found", "no_path"]
    assert drawn.paths("S S", "B B", **query) == ["S-A A-B"]


@pytest.mark.parametrize("kind", KINDS)
def test_other_ends_are_no_way_through(store: Store, kind: dict[str, Any]) -> None:
    """An end's type is free where the path ends, and not on the way of another path."""
    drawn = Drawn(store)
    drawn.entity("S", "city")
    drawn.entity("T", "village")
    drawn.entity("Z", "village")
    drawn.draw("S-T .9, T-Z .9, S-A .5, A-B .5, B-Z .5", metadata={"km": 1})
    assert drawn.paths("S", "Z", entity_type="thing", **kind) == ["S-A A-B B-Z"]
    assert drawn.paths("S", "T Z", entity_type="thing", **kind)[:2] == ["S-T", "S-A A-B B-Z"]
    assert drawn.paths("T S", "Z", entity_type="thing", **kind) == ["T-Z", "S-A A-B B-Z"]
    assert drawn.paths("S", "Z", entity_type=["village", "city"], limit=1, **kind) == ["S-T T-Z"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_avoided(store: Store, kind: dict[str, Any]) -> None:
    """No path passes it, begins or ends there; unknown ids are no harm."""
    drawn = Drawn(store)
    drawn.draw("S-A .9, A-Z .9, S-B .5, B-C .5, C-Z .5", metadata={"km": 1})
    assert drawn.paths("S", "Z", limit=1, **kind) == ["S-A A-Z"]
    assert drawn.paths("S", "Z", avoid=drawn.ids("A"), **kind) == ["S-B B-C C-Z"]
    assert drawn.outcomes("S", "Z", avoid=drawn.ids("A C"), **kind) == ["no_path"]
    assert drawn.outcomes("S", "Z", avoid=str(uuid4()), **kind) == ["found"]
    for end in "SZ":
        assert drawn.outcomes("S", "Z", avoid=drawn.ids(end), **kind) == ["no_path"]
    assert drawn.outcomes("S Z", "S Z", avoid=drawn.ids("Z"), **kind) == ["found", *["no_path"] * 3]


@pytest.mark.parametrize("kind", KINDS)
def test_none_and_none_within_the_budget(store: Store, kind: dict[str, Any]) -> None:
    """Are different answers; with a budget that suffices, it is the same as with a large one."""
    drawn = Drawn(store)
    drawn.draw("A-B .5, B-C .5, C-D .5, D-E .5, E-F .5, X-Y .5, Y-Z .5", metadata={"km": 1})
    assert drawn.outcomes("A", "F", budget=1, **kind) == ["budget_spent"]
    assert drawn.outcomes("A", "X", **kind) == ["no_path"]
    told = [drawn.outcomes("A", "F", budget=budget, **kind)[0] for budget in range(1, 60)]
    assert set(told[told.index("found") :]) == {"found"}
    assert set(told[: told.index("found")]) == {"budget_spent"}
    told = [drawn.outcomes("A", "X", budget=budget, **kind)[0] for budget in range(1, 60)]
    assert set(told[told.index("no_path") :]) == {"no_path"}
    assert set(told[: told.index("no_path")]) == {"budget_spent"}
    assert drawn.outcomes("A", "F X", budget=1, **kind) == ["budget_spent", "budget_spent"]


@pytest.mark.parametrize("kind", ["shortest", "k_shortest"])
def test_a_loop_counts_once_against_the_budget(store: Store, kind: str) -> None:
    """It is one relationship, whichever way it is followed."""
    drawn = Drawn(store)
    drawn.draw("A-A")
    drawn.entity("B")
    assert drawn.outcomes("A", "B", budget=1, kind=kind) == ["no_path"]


@pytest.mark.parametrize("kind", KINDS)
def test_pairs_after_the_one_that_spent_the_budget(store: Store, kind: dict[str, Any]) -> None:
    """Are told that it is spent, however much the last look would have cost."""
    drawn = Drawn(store)
    drawn.draw("A-B .5, A-B/x .5, A-B/y .5, B-A .5, B-A/x .5, B-A/y .5, B-C .5, C-C .5, D-D .5", metadata={"km": 1})
    for budget in range(1, 40):
        told = drawn.outcomes("A", "B C D", budget=budget, **kind)
        assert told[:2] == sorted(told[:2], reverse=True), budget
    assert drawn.outcomes("A", "B C D", **kind) == ["found", "found", "no_path"]


def test_a_hub_at_one_end(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Is reached from the other end, without looking through what the hub has."""
    monkeypatch.setattr(shortest_paths, "_FIRST_LIMIT", 5)
    drawn = Drawn(store)
    drawn.draw("A-B, B-Hub, " + ", ".join(f"Hub-{n} .9" for n in range(60)))
    assert drawn.paths("A", "Hub", budget=30) == ["A-B B-Hub"]
    assert drawn.paths("Hub", "A", budget=30) == ["<B-Hub <A-B"]
    assert drawn.outcomes("Hub", "A", direction="out", budget=30) == ["no_path"]
    drawn.draw("Hub2-B, " + ", ".join(f"Hub2-h{n} .9" for n in range(60)))
    assert drawn.paths("Hub2", "Hub", max_depth=2) == ["Hub2-B B-Hub"]
    assert drawn.outcomes("Hub2", "Hub", budget=100) == ["budget_spent"]


def test_all_shortest_paths_up_to_a_limit(store: Store) -> None:
    """In the order of their steps, the strongest first; more than the limit are told."""
    drawn = Drawn(store)
    drawn.draw("A-B .5, A-C .9, B-Z .1, C-Z .2, B-Z/x .7, C-Z/x .1, A-D .1, D-E 1, E-Z 1")
    every = ["A-C C-Z", "A-C C-Z/x", "A-B B-Z/x", "A-B B-Z"]
    assert drawn.paths("A", "Z") == every
    for limit in range(1, 5):
        found = drawn.kg.graph.shortest_paths(drawn.ids("A"), drawn.ids("Z"), limit=limit)
        assert [drawn.told(path) for path in found.paths] == every[:limit]
        assert found.pairs[0].is_cut == (limit < 4)


def test_an_end_that_is_not_there(store: Store) -> None:
    """The error names which."""
    drawn = Drawn(store)
    drawn.draw("A-B, B-C")
    a, b = drawn.ids("A B")
    drawn.kg.entities.delete(b)
    for unknown in (uuid4(), uuid4()):
        for ends in ((a, unknown), (unknown, a), ([a, unknown], a)):
            with pytest.raises(NotFound, match=str(unknown)):
                drawn.kg.graph.paths(*ends)
        with pytest.raises(NotFound, match=str(unknown)):
            drawn.kg.graph.common_neighbors([a, unknown])
    with pytest.raises(Deleted, match=str(b)):
        drawn.kg.graph.paths(a, b)
    with pytest.raises(Deleted, match=str(b)):
        drawn.kg.graph.common_neighbors([a, b])
