"""Neighborhoods: distances, the strongest first, caps, and going on from where something was left out."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest

from kgl_core import Deleted, HistoryLost, InvalidCursor, InvalidInput, NotFound
from kgl_core.exploration import neighborhoods
from kgl_core.exploration.neighborhoods import Neighborhood
from kgl_core.kernel.nouns.pages import encode_cursor
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


def seen_by_going_on(drawn: Drawn, start: str, **query: Any) -> dict[str, list[str]]:
    """Every entity that is reached by following every cursor, with the entities at which it was reached.

    Checks that what is said to be left out is what is left then.
    """
    seen: dict[str, list[str]] = {}
    todo: list[tuple[UUID, str | None, int | None]] = [(drawn.entity(start).id, None, None)]
    known = set()
    while todo:
        id, cursor, left_out = todo.pop()
        found = drawn.kg.graph.neighborhood(id, cursor=cursor, **query)
        if left_out is not None:
            rest = drawn.kg.graph.neighborhood(id, cursor=cursor, **{**query, "depth": 1, **UNCAPPED})
            assert rest.truncated is None
            assert len(rest.entities) - 1 <= left_out
        for each in found.entities[1:]:
            seen.setdefault(each.entity.name, []).append(*drawn.names([id]))
        for cut in found.truncated.at if found.truncated else ():
            assert cut.left_out > 0
            assert (cut.id, cut.cursor) not in known, "a cursor that leads to where it came from never ends"
            known.add((cut.id, cut.cursor))
            todo.append((cut.id, cut.cursor, cut.left_out))
    return seen


UNCAPPED = {"max_entities": 10_000, "max_per_entity": 10_000, "max_relationships": 50_000}


@pytest.mark.parametrize("caps", [{"max_per_entity": 3}, {"max_entities": 4}, {"max_per_entity": 2, "max_entities": 2}])
def test_going_on_shows_every_neighbor_once(store: Store, caps: dict[str, int]) -> None:
    """Without a gap and without showing one twice, over ties and unknown confidences and parallel relationships."""
    drawn = Drawn(store, Clock())
    sure = ("", ".5", "1", "0", ".5", "", ".5")
    drawn.draw(",".join(f"Hub-{n} {sure[n % 7]}" for n in range(20)))
    drawn.draw(",".join(f"{n}-Hub/back .5" for n in range(20, 25)))
    seen = seen_by_going_on(drawn, "Hub", depth=1, **caps)
    assert seen == {str(n): ["Hub"] for n in range(25)}
    drawn.draw("Hub-Hub .5, 3-Hub/again, Hub-3/again .7")
    assert set(seen_by_going_on(drawn, "Hub", depth=1, **caps)) == {str(n) for n in range(25)}


@pytest.mark.parametrize("caps", [{"max_per_entity": 2}, {"max_entities": 3}, {"max_entities": 2}])
def test_going_on_from_deep_walks_misses_nothing(store: Store, caps: dict[str, int]) -> None:
    """What a cap kept from being walked on is named too, so that the cursors together lead to everything."""
    drawn = Drawn(store)
    for one in range(3):
        drawn.draw(",".join(f"Root-{one}, {one}-{one}.{two}" for two in range(1)))
        for two in range(3):
            drawn.draw(f"{one}-{one}.{two}/more")
            drawn.draw(",".join(f"{one}.{two}-{one}.{two}.{three}" for three in range(3)))
    everything = {name for name in drawn.entities if name != "Root"}
    assert set(seen_by_going_on(drawn, "Root", depth=3, direction="out", **caps)) == everything


def test_what_is_left_out_is_counted_up_to_a_limit(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past it, the answer says that there are more; entities that are not named are counted."""
    monkeypatch.setattr(neighborhoods, "LEFT_OUT_MAX", 3)
    monkeypatch.setattr(neighborhoods, "CUTS_MAX", 2)
    drawn = Drawn(store)
    drawn.draw(LEAVES)
    for cap, told in {1: (3, True), 2: (3, True), 3: (2, False), 4: (1, False)}.items():
        truncated = drawn.kg.graph.neighborhood(drawn.entity("Hub").id, max_per_entity=cap).truncated
        assert truncated is not None
        assert [(each.left_out, each.is_at_least) for each in truncated.at] == [told]
    drawn.draw("Top-L1, Top-L2, Top-L3, L1-L1/a, L1-Hub/a, L2-Hub/a, L3-Hub/a, L1-L2, L2-L3, L3-L1")
    top = drawn.kg.graph.neighborhood(drawn.entity("Top").id, depth=2, direction="out", max_per_entity=1).truncated
    assert top is not None
    assert (drawn.left_out(top), top.more_entities) == ({"Top": 2, "L3": 2}, 0)
    top = drawn.kg.graph.neighborhood(drawn.entity("Top").id, depth=3, direction="out", max_per_entity=2).truncated
    assert top is not None
    assert (len(top.at), top.more_entities, top.reason) == (2, 2, "max_per_entity")


def test_a_level_with_too_many_steps(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The walk ends there, says so, and the cursors lead on."""
    monkeypatch.setattr(neighborhoods, "STEPS_MAX", 4)
    drawn = Drawn(store)
    drawn.draw("Top-A .9, Top-B .8, A-A1, A-A2, A-A3, B-B1, B-B2, B-B3, B3-End")
    found = drawn.kg.graph.neighborhood(drawn.entity("Top").id, depth=4, direction="out")
    assert found.truncated is not None
    assert found.truncated.reason == "max_steps"
    assert set(seen_by_going_on(drawn, "Top", depth=4, direction="out")) == set(drawn.entities) - {"Top"}


def cut(drawn: Drawn, name: str = "Hub", **query: Any) -> str:
    """A cursor to go on from an entity."""
    found: Neighborhood = drawn.kg.graph.neighborhood(drawn.entity(name).id, max_per_entity=2, **query)
    assert found.truncated is not None
    return found.truncated.at[0].cursor


@pytest.mark.parametrize(
    "other",
    [
        {"direction": "in"},
        {"relationship_type": "knows"},
        {"not_relationship_type": "likes"},
        {"entity_type": "thing"},
        {"min_confidence": 0.1},
        {"min_sources": 0},
        {"valid_at": "1994"},
    ],
)
def test_a_cursor_belongs_to_its_filter(store: Store, other: dict[str, Any]) -> None:
    """And to its entity; the depth and the caps may change."""
    drawn = Drawn(store)
    drawn.draw(LEAVES)
    drawn.draw("L1-L2, L1-L3, L1-L4")
    hub, cursor = drawn.entity("Hub").id, cut(drawn)
    assert len(drawn.kg.graph.neighborhood(hub, cursor=cursor, depth=2, max_per_entity=4).entities) > 1
    with pytest.raises(InvalidCursor):
        drawn.kg.graph.neighborhood(hub, cursor=cursor, **other)
    with pytest.raises(InvalidCursor):
        drawn.kg.graph.neighborhood(drawn.entity("L1").id, cursor=cursor)
    assert len(drawn.kg.graph.neighborhood(hub, cursor=cut(drawn, **other), **other).entities) > 1


def test_a_cursor_belongs_to_its_store(store: Store) -> None:
    """One of another history names a relationship that is not there, or was made at another time."""
    drawn = Drawn(store)
    drawn.draw(LEAVES)
    hub, query = drawn.entity("Hub").id, neighborhoods.NeighborhoodQuery()
    listing = neighborhoods._listing(hub, query)
    last = drawn.relationships["L2-Hub"]
    for id, at in ((uuid4(), last.created_at), (last.id, datetime(2001, 1, 1, tzinfo=UTC))):
        with pytest.raises(HistoryLost):
            drawn.kg.graph.neighborhood(hub, cursor=encode_cursor(listing, 2, "0.9", str(id), at.isoformat()))
    for place in ((), ("x",), (2, "much", str(last.id), last.created_at.isoformat()), (2, "0.9", "x", "y"), (-1,)):
        with pytest.raises(InvalidCursor):
            drawn.kg.graph.neighborhood(hub, cursor=encode_cursor(listing, *place))
    drawn.kg.relationships.delete(last.id)  # which is no other history
    rest = drawn.kg.graph.neighborhood(
        hub, cursor=encode_cursor(listing, 2, "0.9", str(last.id), last.created_at.isoformat())
    )
    assert len(rest.entities) == 4


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
