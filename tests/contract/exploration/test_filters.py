"""What walks follow: every walk follows the same relationships, whichever filter it has."""

from typing import Any

import pytest

from kgl_core.kernel.units_of_work import Store
from tests.contract.exploration.drawing import Drawn
from tests.contract.samples import keep, relationship


def followed(drawn: Drawn, **filter: Any) -> str:
    """The entities that A and B both lead to, with a space between them. All walks must agree."""
    names = list(drawn.entities)
    around = set(drawn.around("A", **filter)[0]) - {"A"}
    assert around == set(drawn.around("B", **filter)[0]) - {"B"}
    assert around == drawn.common("A B", **filter)
    ends = [name for name in names if name not in "AB"]
    free = set(drawn.around("A", **{**filter, "entity_type": ()})[0])  # where a path ends
    for kind in ("shortest", "k_shortest"):
        for first in range(0, len(ends), 10):
            some = ends[first : first + 10]
            outcomes = drawn.outcomes("A", " ".join(some), max_depth=1, kind=kind, **filter)
            reached = {name for name, outcome in zip(some, outcomes, strict=True) if outcome == "found"}
            assert reached == free & set(some)
    if "direction" not in filter and "entity_type" not in filter:
        shown = {name.split("-")[1].split("/")[0] for name in drawn.among(" ".join(names), **filter)}
        assert shown == around
    return " ".join(sorted(around))


def draw_twice(drawn: Drawn, names: str, /, **fields: Any) -> None:
    """The same relationships from A and from B."""
    drawn.draw(", ".join(f"{end}-{item}" for item in names.split(", ") for end in "AB"), **fields)


def test_types_of_relationships(store: Store) -> None:
    """Any of those that are asked for, and none of the others; of both kinds, both hold."""
    drawn = Drawn(store)
    for type in ("knows", "Knows", "likes", "lives_in", "x:y.z"):
        draw_twice(drawn, type, relationship_type=type)
    assert followed(drawn) == "Knows knows likes lives_in x:y.z"
    assert followed(drawn, relationship_type="knows") == "knows"
    assert followed(drawn, relationship_type=["likes", "x:y.z", "likes", "none"]) == "likes x:y.z"
    assert followed(drawn, relationship_type=[]) == followed(drawn)
    assert followed(drawn, not_relationship_type="knows") == "Knows likes lives_in x:y.z"
    assert followed(drawn, not_relationship_type=("knows", "lives_in")) == "Knows likes x:y.z"
    assert followed(drawn, relationship_type=("knows", "likes"), not_relationship_type="likes") == "knows"
    assert followed(drawn, relationship_type="none") == ""
    assert followed(drawn, not_relationship_type=[f"t{n}" for n in range(200)]) == followed(drawn)


def test_confidences(store: Store) -> None:
    """The least counts as well; what is unknown is not followed, not even with 0."""
    drawn = Drawn(store)
    draw_twice(drawn, "unknown, none 0, half .5, third .3333333333333333, sure 1")
    assert followed(drawn) == "half none sure third unknown"
    for least, expected in {
        0: "half none sure third",
        0.3333333333333333: "half sure third",
        0.33333333333333337: "half sure",
        0.5: "half sure",
        0.5000000000000001: "sure",
        1: "sure",
    }.items():
        assert followed(drawn, min_confidence=least) == expected, least


def test_sources(store: Store) -> None:
    """What is said by hand counts as one."""
    drawn = Drawn(store)
    draw_twice(drawn, "hand")
    for name in ("one", "two"):
        drawn.entity(name)
    for page, names in (("p1", ("one", "two")), ("p2", ("two",))):
        ends = [(drawn.entity(end).id, drawn.entity(name).id) for end in "AB" for name in names]
        said = [
            {"source_entity_id": one, "relationship_type": "knows", "target_entity_id": other} for one, other in ends
        ]
        drawn.kg.extract(page, "spert", {"entities": [], "relationships": said})
    for row in drawn.kg.relationships.list(limit=200).items:
        [one, other] = drawn.names(row.ends)
        drawn.relationships[f"{one}-{other}"] = row
    assert followed(drawn, min_sources=0) == "hand one two"
    assert followed(drawn, min_sources=1) == "hand one two"
    assert followed(drawn, min_sources=2) == "two"
    assert followed(drawn, min_sources=2**31 - 1) == ""


def test_dates(store: Store) -> None:
    """A relationship is followed if it holds at some time in the date: as lists have it."""
    drawn = Drawn(store)
    for name, valid_from, valid_to in (
        ("ever", None, None),
        ("fir", None, "2019"),
        ("elm", "2020", "2020"),
        ("oak", "2021", None),
        ("day", "2020-02-29", "2020-02-29"),
        ("noon", "2020-05-17T12:00:00Z", "2020-05-17T14:30:00+02:00"),
    ):
        draw_twice(drawn, name, valid_from=valid_from, valid_to=valid_to)
    for valid_at, expected in {
        "0001": "ever fir",
        "2019-12-31T23:59:59.999999Z": "ever fir",
        "2020": "day elm ever noon",
        "2020-01-01T00:00:00Z": "elm ever",
        "2020-02": "day elm ever",
        "2020-02-28": "elm ever",
        "2020-03-01": "elm ever",
        "2020-05-17": "elm ever noon",
        "2020-05-17T11:59:59.999999Z": "elm ever",
        "2020-05-17T12:00:00Z": "elm ever noon",
        "2020-05-17T14:29:59.999999+02:00": "elm ever noon",
        "2020-05-17T12:30:00Z": "elm ever",
        "2020-12-31T23:59:59.999999-01:00": "ever oak",
        "2021": "ever oak",
        "9999-12-31T23:59:59.999999Z": "ever oak",
    }.items():
        assert followed(drawn, valid_at=valid_at) == expected, valid_at
        listed = drawn.kg.relationships.list(source_entity_id=drawn.entity("A").id, valid_at=valid_at).items
        assert " ".join(sorted(drawn.names(each.target_entity_id for each in listed))) == expected, valid_at


def test_types_of_entities(store: Store) -> None:
    """Only those are entered; where a walk begins and where a path ends is free."""
    drawn = Drawn(store)
    for name, type in {"A": "city", "B": "city", "C": "thing", "D": "person", "E": "thing", "Z": "river"}.items():
        drawn.entity(name, type)
    draw_twice(drawn, "C, D, E, Z")
    assert followed(drawn, entity_type="thing") == "C E"
    assert followed(drawn, entity_type=["person", "river", "person"]) == "D Z"
    assert followed(drawn, entity_type="none") == ""
    drawn.draw("C-X, D-X, X-Z/more")
    drawn.draw("A-A, B-A")
    assert drawn.around("A", entity_type="thing", depth=3)[0] == {"A": 0, "C": 1, "E": 1, "X": 2}
    assert "A-A" in drawn.around("A", entity_type="none")[1]
    assert drawn.paths("D", "E", entity_type="thing") == []
    assert drawn.paths("D", "E", entity_type="thing", max_depth=9) == []
    assert set(drawn.paths("D", "Z", entity_type="thing")) == {"D-X X-Z/more"}
    assert set(drawn.paths("D", "Z", entity_type="city")) == {"<A-D A-Z", "<B-D B-Z"}
    every = {"D-X X-Z/more", "D-X <C-X <A-C A-Z"}
    assert every.isdisjoint(drawn.paths("D", "Z", kind="k_shortest", entity_type="city"))
    assert every & {*drawn.paths("D", "Z", kind="k_shortest", entity_type="thing")} == {"D-X X-Z/more"}


@pytest.mark.parametrize("direction", ["out", "in", "both"])
def test_directions(store: Store, direction: str) -> None:
    """Along relationships, against them, or both; a loop leads nowhere."""
    drawn = Drawn(store)
    draw_twice(drawn, "out, two")
    drawn.draw("in-A, in-B, two-A, two-B, A-A, B-B")
    assert followed(drawn, direction=direction) == {"out": "out two", "in": "in two", "both": "in out two"}[direction]


def test_all_filters_together(store: Store) -> None:
    """A relationship is followed if all of them admit it."""
    drawn = Drawn(store)
    wanted: dict[str, Any] = {
        "relationship_type": "owns",
        "confidence": 0.8,
        "valid_from": "1990",
        "valid_to": "1999",
        "sources_for": 2,
    }
    others: dict[str, dict[str, Any]] = {
        "type": {"relationship_type": "knows"},
        "doubt": {"confidence": 0.7},
        "unknown": {"confidence": None},
        "early": {"valid_to": "1993"},
        "late": {"valid_from": "1995"},
        "alone": {"sources_for": 1},
        "yes": {},
        "yes2": {"valid_from": "1994-12-31", "confidence": 1.0, "sources_for": 9},
    }
    for name, fields in others.items():
        for end in "AB":
            made = relationship(drawn.entity(end), drawn.entity(name), **{**wanted, **fields})
            keep(store, made)
            drawn.relationships[f"{end}-{name}"] = made
    filter = {"relationship_type": "owns", "min_confidence": 0.8, "min_sources": 2, "valid_at": "1994"}
    assert followed(drawn, **filter) == "yes yes2"
    assert followed(drawn, **filter, entity_type="thing", not_relationship_type="knows") == "yes yes2"
