"""Neighborhoods: distances, the strongest first, caps, and going on from where something was left out."""

from itertools import pairwise
from uuid import uuid4

import pytest

from kgl_core import Deleted, InvalidInput, NotFound
from kgl_core.exploration import neighborhoods
from kgl_core.kernel.units_of_work import Store
from tests.contract.exploration.drawing import Drawn
from tests.contract.samples import Clock


def test_each_depth_reaches_one_further(store: Store) -> None:
    """Along a chain; where it ends, it ends."""
    drawn = Drawn(store)
    drawn.draw("N0-N1, N1-N2, N2-N3, N3-N4")
    for depth in range(7):
        distances, relationships, left_out = drawn.around("N0", depth=depth, direction="out")
        reached = min(depth, 4)
        assert distances == {f"N{n}": n for n in range(reached + 1)}
        assert set(relationships) == {f"N{n}-N{n + 1}" for n in range(reached)}
        assert left_out is None
    assert drawn.around("N2")[0] == {"N2": 0, "N1": 1, "N3": 1}
    assert drawn.around("N2", direction="in", depth=6)[0] == {"N2": 0, "N1": 1, "N0": 2}


def test_a_circle_with_a_loop(store: Store) -> None:
    """Each entity once, with its least distance; every relationship between them once, the loop too."""
    drawn = Drawn(store)
    drawn.draw("P-P, P-Q, Q-R, R-P")
    everything = {"P-P", "P-Q", "Q-R", "R-P"}
    assert drawn.around("P", depth=0)[1] == ["P-P"]
    assert drawn.around("P", direction="out")[0] == {"P": 0, "Q": 1}
    for depth in (2, 3):
        distances, relationships, _ = drawn.around("P", direction="out", depth=depth)
        assert (distances, set(relationships), len(relationships)) == ({"P": 0, "Q": 1, "R": 2}, everything, 4)
    for depth in (1, 2, 3):
        distances, relationships, left_out = drawn.around("P", depth=depth)
        assert (distances, set(relationships), left_out) == ({"P": 0, "Q": 1, "R": 1}, everything, None)


def test_parallel_relationships_lead_to_one_neighbor(store: Store) -> None:
    """And are all in the answer; one against the direction is not followed, but shown between what is there."""
    drawn = Drawn(store)
    drawn.draw("A-B, A-B/x .2, A-B/y .9, B-A .5")
    distances, relationships, left_out = drawn.around("A", direction="out")
    assert (distances, left_out) == ({"A": 0, "B": 1}, None)
    assert relationships == ["A-B/y", "B-A", "A-B/x", "A-B"]


LEAVES = "L1-Hub .1, L2-Hub .9, L3-Hub .5, L4-Hub .9, L5-Hub .3"


@pytest.mark.parametrize("center", ["Hub", "L1"])
def test_the_strongest_are_kept(store: Store, center: str) -> None:
    """Also where the hub is one step further; the relationships are only those among what is there."""
    drawn = Drawn(store)
    drawn.draw(LEAVES)
    more = 0 if center == "Hub" else 1
    own = [] if center == "Hub" else ["L1-Hub"]
    distances, relationships, left_out = drawn.around(center, depth=1 + more, max_entities=3 + more)
    assert set(distances) == {center, "Hub", "L2", "L4"}
    assert relationships == ["L4-Hub", "L2-Hub", *own]  # of two that are as sure, the newer comes first
    assert left_out == {"Hub": 3 if center == "Hub" else 2 + 1}  # that to L1 comes last, and is not looked at
    distances, relationships, left_out = drawn.around(center, depth=1 + more, max_entities=6)
    assert (set(distances), left_out) == ({"Hub", "L1", "L2", "L3", "L4", "L5"}, None)
    assert relationships == ["L4-Hub", "L2-Hub", "L3-Hub", "L5-Hub", "L1-Hub"]


def test_ties_are_in_the_order_of_ids(store: Store) -> None:
    """Where confidence and time are the same. What is unknown comes after 0."""
    drawn = Drawn(store, Clock())
    drawn.draw("Hub-A, Hub-B, Hub-C 0, Hub-D 0, Hub-E 1, Hub-F 1")
    made = drawn.relationships
    expected = [*sorted(["Hub-E", "Hub-F"], key=lambda name: made[name].id.int)]
    expected += sorted(["Hub-C", "Hub-D"], key=lambda name: made[name].id.int)
    expected += sorted(["Hub-A", "Hub-B"], key=lambda name: made[name].id.int)
    assert drawn.around("Hub")[1] == expected
    assert [f"Hub-{name}" for name in list(drawn.around("Hub")[0])[1:]] == expected
    for cap in range(1, 6):
        distances, relationships, left_out = drawn.around("Hub", max_per_entity=cap)
        assert (relationships, len(distances), left_out) == (expected[:cap], cap + 1, {"Hub": 6 - cap})


def test_no_hub_takes_the_place_of_all_others(store: Store) -> None:
    """The strongest of each entity first, then the second of each, however sure those of a hub are."""
    drawn = Drawn(store)
    drawn.draw("Ash-Hub 1, Ash-Elm 1, Elm-Oak .9, " + ", ".join(f"Hub-H{n} 1" for n in range(60)))
    distances, _, left_out = drawn.around("Ash", depth=2, direction="out", max_entities=50)
    assert {"Ash", "Elm", "Hub", "Oak"} < set(distances)
    assert len(distances) == 50
    assert left_out == {"Hub": 60 - 46}


@pytest.mark.parametrize(
    ("more", "distances", "left_out"),
    [
        ("Elm-Oak 1, Oak-Elm 1, Elm-Fir .5, Oak-Yew .4", {"Fir"}, {"Oak": 1}),  # the strongest reach nothing new
        ("Elm-E1 .9, Elm-E2 .8, Elm-E3 .7, Oak-O1 .6, Oak-O2 .5", {"E1"}, {"Elm": 2, "Oak": 2}),
        ("Elm-E1 .9, Elm-Oak .8, Oak-O1 .6", {"E1"}, {"Elm": 1, "Oak": 1}),  # what was not read may lead nowhere new
        ("Elm-E1 .9, Oak-E1 .8, Elm-Oak .7", {"E1"}, None),
    ],
)
def test_few_steps_are_read_first(
    store: Store, monkeypatch: pytest.MonkeyPatch, more: str, distances: set[str], left_out: dict[str, int] | None
) -> None:
    """The strongest of each; the others only if these don't fill the answer."""
    monkeypatch.setattr(neighborhoods, "_FEW_STEPS", 1)
    monkeypatch.setattr(neighborhoods, "_STEPS_FOR_ONE", 0)
    drawn = Drawn(store)
    drawn.draw(f"Ash-Elm 1, Ash-Oak .9, {more}")
    found = drawn.around("Ash", depth=2, direction="out", max_entities=4)
    assert (set(found[0]), found[2]) == ({"Ash", "Elm", "Oak"} | distances, left_out)


def test_layers_that_are_all_joined(store: Store) -> None:
    """Each entity once, however many ways lead to it."""
    drawn = Drawn(store)
    layers = [[f"{layer}.{n}" for n in range(8)] for layer in range(6)]
    drawn.draw(",".join(f"{a}-{b}" for one, next in pairwise(layers) for a in one for b in next))
    distances, relationships, left_out = drawn.around("0.0", depth=5, direction="out")
    assert distances == {"0.0": 0} | {name: layer for layer in range(1, 6) for name in layers[layer]}
    assert (len(relationships), left_out) == (8 + 4 * 64, None)


def test_caps_of_relationships(store: Store) -> None:
    """The strongest are given, and the answer says that there are more."""
    drawn = Drawn(store)
    drawn.draw(LEAVES)
    for cap in range(6):
        found = drawn.kg.graph.neighborhood(drawn.entity("Hub").id, max_relationships=cap)
        assert drawn.names(each.id for each in found.relationships) == drawn.around("Hub")[1][:cap]
        assert len(found.entities) == 6
        assert (found.truncated is None) == (cap == 5)
        assert found.truncated is None or (found.truncated.reason, found.truncated.at) == ("max_relationships", ())
        less = drawn.kg.graph.neighborhood(drawn.entity("Hub").id, max_relationships=cap, max_entities=4).truncated
        assert less is not None
        assert (less.reason, less.more_relationships) == ("max_entities", cap < 3)


def test_entities_without_relationships(store: Store) -> None:
    """With a cap of 0 none are shown; whether there are any is told all the same."""
    drawn = Drawn(store)
    drawn.draw("A-B, B-C, L-L")
    drawn.entity("Alone")
    for name, depth, wanted in (("A", 2, "A B C"), ("A", 0, "A"), ("L", 1, "L"), ("Alone", 1, "Alone")):
        found = drawn.kg.graph.neighborhood(drawn.entity(name).id, depth=depth, max_relationships=0)
        assert drawn.names(each.entity.id for each in found.entities) == wanted.split()
        assert found.relationships == ()
        more = drawn.kg.graph.neighborhood(drawn.entity(name).id, depth=depth).relationships
        assert (found.truncated is not None and found.truncated.more_relationships) == bool(more)


def test_what_is_gone_is_not_walked(store: Store) -> None:
    """Deleted relationships and entities, and what nothing supports any more; restored, they are back."""
    drawn = Drawn(store)
    drawn.draw("A-B, A-C, C-D, A-E, E-F")
    kg = drawn.kg
    kg.relationships.delete(drawn.relationships["A-B"].id)
    kg.entities.delete(drawn.entity("C").id)
    ends = {"source_entity_id": drawn.entity("A").id, "target_entity_id": drawn.entity("F").id}
    kg.extract("page", "spert", {"entities": [], "relationships": [{**ends, "relationship_type": "likes"}]})
    assert drawn.kg.relationships.count(relationship_type="likes") == 1
    assert set(names_around(drawn, "A", 1)) == {"E", "F"}
    assert drawn.common("A E") == {"F"}
    kg.extract("page", "spert", {"entities": [], "relationships": []})
    assert kg.relationships.count(is_retired=True, is_active=False) == 1
    assert set(names_around(drawn, "A", 3)) == {"E", "F"}
    assert set(names_around(drawn, "A", 1)) == {"E"}
    assert drawn.paths("A", "F", limit=5) == ["A-E E-F"]
    assert drawn.outcomes("A", "B A") == ["no_path", "found"]
    assert drawn.common("A E") == set()
    assert drawn.among("A B E F") == ["E-F", "A-E"]
    assert kg.graph.summary(drawn.entity("A").id).degree == 1
    kg.entities.restore(drawn.entity("C").id)
    assert set(names_around(drawn, "A", 2)) == {"C", "D", "E", "F"}


def names_around(drawn: Drawn, name: str, depth: int) -> list[str]:
    """The names of the entities around one."""
    found = drawn.kg.graph.neighborhood(drawn.entity(name).id, depth=depth)
    return [each.entity.name for each in found.entities[1:]]


def test_an_entity_that_is_not_there(store: Store) -> None:
    """The error names it."""
    drawn = Drawn(store)
    drawn.draw("A-B, B-C")
    gone, unknown = drawn.entity("B").id, uuid4()
    drawn.kg.entities.delete(gone)
    for ask in (drawn.kg.graph.neighborhood, drawn.kg.graph.summary):
        with pytest.raises(NotFound, match=str(unknown)):
            ask(unknown)
        with pytest.raises(Deleted, match=str(gone)):
            ask(gone)
        with pytest.raises(InvalidInput):
            ask("Ada")
