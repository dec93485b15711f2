"""Going on from where a neighborhood left something out: what is told of it, and the cursors that lead on."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from kgl_core import HistoryLost, InvalidCursor
from kgl_core.exploration import neighborhoods
from kgl_core.exploration.neighborhoods import Neighborhood
from kgl_core.kernel.nouns.pages import encode_cursor
from kgl_core.kernel.units_of_work import Store
from tests.contract.exploration.drawing import Drawn
from tests.contract.samples import Clock

LEAVES = "L1-Hub .1, L2-Hub .9, L3-Hub .5, L4-Hub .9, L5-Hub .3"


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


@pytest.mark.parametrize("few", [1, 16])
@pytest.mark.parametrize("caps", [{"max_per_entity": 3}, {"max_entities": 4}, {"max_per_entity": 2, "max_entities": 2}])
def test_going_on_shows_every_neighbor_once(
    store: Store, monkeypatch: pytest.MonkeyPatch, caps: dict[str, int], few: int
) -> None:
    """Without a gap and without showing one twice, over ties and unknown confidences and parallel relationships."""
    monkeypatch.setattr(neighborhoods, "_FEW_STEPS", few)
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
