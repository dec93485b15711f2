"""Subgraphs, common neighbors and summaries."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from kgl_core import HistoryLost, InvalidCursor, InvalidInput
from kgl_core.exploration import common_neighbors
from kgl_core.exploration.walks import Degree
from kgl_core.kernel.nouns.pages import encode_cursor
from kgl_core.kernel.units_of_work import Store
from tests.contract.exploration.drawing import Drawn


def test_what_joins_some_entities(store: Store) -> None:
    """Only relationships among them, loops and parallel ones too, the strongest first; ids that are not there are told.

    Entities come in the order of their creation, each once.
    """
    drawn = Drawn(store)
    drawn.draw("A-B .5, B-C .9, C-A .7, A-A .6, A-B/x .8, A-D 1, D-E 1")
    gone = drawn.entity("E").id
    drawn.kg.entities.delete(gone)
    unknown = uuid4()
    found = drawn.kg.graph.subgraph([*drawn.ids("C B A A"), unknown, str(gone)])
    assert drawn.names(each.id for each in found.entities) == ["A", "B", "C"]
    assert drawn.names(each.id for each in found.relationships) == ["B-C", "A-B/x", "C-A", "A-A", "A-B"]
    assert (set(found.missing_ids), found.truncated) == ({gone, unknown}, None)
    assert drawn.among("A B C", min_confidence=0.7) == ["B-C", "A-B/x", "C-A"]
    assert drawn.among("A") == ["A-A"]
    empty = drawn.kg.graph.subgraph([])
    assert (empty.entities, empty.relationships, empty.truncated) == ((), (), None)


def test_what_joins_the_entities_of_a_filter(store: Store) -> None:
    """The first that were created are taken; caps are told."""
    drawn = Drawn(store)
    for name in "ABC":
        drawn.entity(name, "person")
    drawn.draw("A-B .5, B-C .9, C-A .7, A-D 1")
    graph = drawn.kg.graph
    found = graph.subgraph(filter={"type": "person"})
    assert drawn.names(each.id for each in found.entities) == ["A", "B", "C"]
    assert drawn.names(each.id for each in found.relationships) == ["B-C", "C-A", "A-B"]
    assert (found.truncated, found.missing_ids) == (None, ())
    assert len(graph.subgraph(filter={}).relationships) == 4
    for given in ({"filter": {"type": "person"}}, {"ids": drawn.ids("A B C")}):
        cut = graph.subgraph(**given, max_entities=2)
        assert drawn.names(each.id for each in (*cut.entities, *cut.relationships)) == ["A", "B", "A-B"]
        assert cut.truncated is not None
        assert (cut.truncated.reason, cut.missing_ids) == ("max_entities", ())
        for most in range(4):
            cut = graph.subgraph(**given, max_relationships=most)
            assert drawn.names(each.id for each in cut.relationships) == ["B-C", "C-A", "A-B"][:most]
            assert (cut.truncated and cut.truncated.reason) == (None if most == 3 else "max_relationships")


@pytest.mark.parametrize("few", [2, 3, 4])
def test_entities_with_many_relationships(store: Store, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What joins them to each other and to those with few is found from either end, once."""
    monkeypatch.setattr("kgl_adapters.sql.exploration.walks.LOOKED_THROUGH", 6 * few)
    drawn = Drawn(store)
    drawn.draw("H-A, H-B, H-C, H-D, I-A, I-B, I-C, A-H, B-H, C-H, A-I, H-I, I-H, H-H, A-B, B-A, A-A, D-C")
    every = set(drawn.relationships)
    assert sorted(drawn.among("A B C D H I")) == sorted(every)
    for names in ("A B H", "A H I", "C D I", "H", "H I", "B C D"):
        wanted = [name for name in every if set(name.split("-")) <= set(names.split())]
        assert sorted(drawn.among(names)) == sorted(wanted), names
    assert set(drawn.common("H I")) == {"A", "B", "C"}
    assert set(drawn.common("H I", direction="in")) == {"A"}


def test_common_neighbors(store: Store) -> None:
    """What is next to all of some entities, those themselves left out, with all relationships that make it so."""
    drawn = Drawn(store)
    drawn.draw("A-X, B-X, C-X, A-Y, Y-B, A-Z, B-Z, B-Z/2, Z-B, A-B, B-C, C-A, A-A")
    assert drawn.common("A B") == {"C", "X", "Y", "Z"}
    assert drawn.common("A B", direction="out") == {"X", "Z"}
    assert drawn.common("A B", direction="in") == set()
    assert drawn.common("A B C") == {"X"}
    assert drawn.common("X Z", direction="in") == {"A", "B"}
    found = drawn.kg.graph.common_neighbors(drawn.ids("A B"), direction="out")
    shown = drawn.names(each.id for each in found.relationships)
    assert sorted(shown) == ["A-X", "A-Z", "B-X", "B-Z", "B-Z/2"]
    assert drawn.common("A B A B") == drawn.common("B A")
    with pytest.raises(InvalidInput, match="two"):
        drawn.common("A A")


def test_pages_of_common_neighbors(store: Store) -> None:
    """Each once, by id; a cursor belongs to its entities, its filters and its store."""
    drawn = Drawn(store)
    drawn.draw(",".join(f"A-{n}, {n}-B" for n in range(11)))
    ids, graph = drawn.ids("A B"), drawn.kg.graph
    for limit in (1, 2, 5, 10, 11, 12):
        seen: list[UUID] = []
        cursor: str | None = None
        while True:
            page = graph.common_neighbors(ids, limit=limit, cursor=cursor)
            seen += (each.id for each in page.entities)
            ends = {end for each in page.relationships for end in each.ends}
            assert ends == {*ids, *(each.id for each in page.entities)}
            cursor = page.next_cursor
            if cursor is None:
                break
        assert seen == sorted(drawn.ids(" ".join(map(str, range(11)))), key=lambda id: id.int)
    cursor = graph.common_neighbors(ids, limit=2).next_cursor
    for other in ({"direction": "out"}, {"min_sources": 0}, {"relationship_type": "knows"}):
        with pytest.raises(InvalidCursor):
            graph.common_neighbors(ids, cursor=cursor, **other)
    with pytest.raises(InvalidCursor):
        graph.common_neighbors([ids[0], seen[0]], cursor=cursor)
    listing = listing_of(cursor)
    with pytest.raises(HistoryLost):
        graph.common_neighbors(ids, cursor=encode_cursor(listing, str(uuid4()), "2026-01-31T12:00:00+00:00"))
    with pytest.raises(HistoryLost):
        graph.common_neighbors(ids, cursor=encode_cursor(listing, str(seen[0]), "2001-01-31T12:00:00+00:00"))


def listing_of(cursor: str | None) -> str:
    """What a cursor says it is of."""
    import base64
    import json

    assert cursor is not None
    listing: str = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))[0]
    return listing


def test_common_neighbors_of_hubs(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one with the fewest is looked through; if even that has too many, the answer says so."""
    monkeypatch.setattr(common_neighbors, "STEPS_MAX", 4)
    drawn = Drawn(store)
    drawn.draw("A-1 .1, A-2 .9, B-1, B-2, " + ",".join(f"A-a{n} .5" for n in range(6)))
    assert drawn.common("A B") == {"1", "2"}
    drawn.draw("B-3, B-4, B-5")
    found = drawn.kg.graph.common_neighbors(drawn.ids("A B"))
    assert found.truncated is not None
    assert found.truncated.reason == "max_steps"


def test_a_summary(store: Store) -> None:
    """Degrees by type and direction, the strongest neighbors, and the sources that support it, the newest first."""
    drawn = Drawn(store)
    drawn.draw("A-B .5, A-C .9, D-A .7, A-A .6, A-B/x")
    drawn.draw("A-B/likes .8, E-A/likes", relationship_type="likes")
    drawn.draw("A-B/gone")
    drawn.kg.relationships.delete(drawn.relationships["A-B/gone"].id)
    known = {"id": drawn.entity("A").id, "type": "thing", "name": "A"}
    for page in ("p1", "p2"):
        drawn.kg.extract(page, "spert", {"entities": [{**known, "label": "T1"}], "relationships": []})
    found = drawn.kg.graph.summary(drawn.entity("A").id)
    assert found.degrees == (
        Degree("knows", "in", 2),
        Degree("knows", "out", 4),
        Degree("likes", "in", 1),
        Degree("likes", "out", 1),
    )
    assert found.degree == 8
    shown = [(*drawn.names([each.relationship.id]), each.entity.name) for each in found.strongest]
    assert shown == [
        ("A-C", "C"),
        ("A-B/likes", "B"),
        ("D-A", "D"),
        ("A-A", "A"),
        ("A-B", "B"),
        ("E-A/likes", "E"),
        ("A-B/x", "B"),
    ]
    assert found.sources == ("p2", "p1")
    assert found.entity.id == drawn.entity("A").id
    for strongest in (0, 1, 3, 50):
        assert len(drawn.kg.graph.summary(str(found.entity.id), strongest=strongest).strongest) == min(strongest, 7)
    lonely = drawn.kg.graph.summary(drawn.entity("lonely").id)
    assert (lonely.degree, lonely.degrees, lonely.strongest, lonely.sources) == (0, (), (), ())


@pytest.mark.parametrize("strongest", [-1, 51, True, "3", 1.0, None])
def test_a_summary_has_up_to_fifty_neighbors(store: Store, strongest: Any) -> None:
    """Other numbers are refused with the limit."""
    drawn = Drawn(store)
    with pytest.raises(InvalidInput, match="0 to 50"):
        drawn.kg.graph.summary(drawn.entity("A").id, strongest=strongest)
