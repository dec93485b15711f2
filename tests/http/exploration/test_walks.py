"""Walks over HTTP: neighborhoods, summaries, paths, common neighbors and subgraphs."""

from uuid import uuid4

import pytest

from tests.http.conftest import problem
from tests.http.cursors import of_another_history
from tests.http.exploration.conftest import Drawn

ENTITIES, GRAPH = "/api/v1/entities", "/api/v1/graph"
COMPACT = {"id", "source_entity_id", "target_entity_id"}


def test_a_neighborhood(drawn: Drawn) -> None:
    """The records as they are shown elsewhere, with their distances, and the relationships between them."""
    answer = drawn.get(f"{ENTITIES}/Ada/neighborhood", depth=2, direction="out")
    assert answer.status_code == 200
    data, meta = answer.json["data"], answer.json["meta"]
    assert drawn.names(data["entities"]) == ["Ada", "Bob", "Eve", "Rome"]
    assert [each["distance"] for each in data["entities"]] == [0, 1, 1, 2]
    assert drawn.names(data["relationships"]) == ["AB", "AE", "ER", "BE"]
    assert (meta["truncated"], answer.json["errors"]) == (None, [])
    for kind in ("entities", "relationships"):
        for record in data[kind]:
            alone = drawn.get(f"/api/v1/{kind}/{record['id']}").json["data"]
            assert {name: value for name, value in record.items() if name != "distance"} == alone
    filtered = drawn.get(
        f"{ENTITIES}/Ada/neighborhood", depth=3, relationship_type=["knows", "likes"], min_confidence=".6"
    )
    assert drawn.names(filtered.json["data"]["entities"]) == ["Ada", "Bob"]
    assert "etag" not in answer.headers


def test_a_neighborhood_goes_on_with_a_cursor(drawn: Drawn) -> None:
    """What was left out is told where it was, and how to go on; the library says the same."""
    answer = drawn.get(f"{ENTITIES}/Ada/neighborhood", max_per_entity=1)
    truncated = answer.json["meta"]["truncated"]
    assert (truncated["reason"], truncated["more_entities"]) == ("max_per_entity", 0)
    [cut] = truncated["at"]
    assert (cut["id"], cut["left_out"], cut["is_at_least"]) == (drawn.ids["Ada"], 1, False)
    rest = drawn.get(f"{ENTITIES}/Ada/neighborhood", max_per_entity=1, cursor=cut["cursor"])
    assert drawn.names(rest.json["data"]["entities"]) == ["Ada", "Eve"]
    assert rest.json["meta"]["truncated"] is None
    found = drawn.api.kg.graph.neighborhood(drawn.ids["Ada"], max_per_entity=1)
    assert found.truncated is not None
    assert found.truncated.at[0].cursor == cut["cursor"]
    for other in ({"direction": "out"}, {"min_sources": "1"}):
        problem(drawn.get(f"{ENTITIES}/Ada/neighborhood", cursor=cut["cursor"], **other), 400, "invalid_cursor")
    problem(drawn.get(f"{ENTITIES}/Bob/neighborhood", cursor=cut["cursor"]), 400, "invalid_cursor")
    lost = of_another_history(cut["cursor"])
    problem(drawn.get(f"{ENTITIES}/Ada/neighborhood", cursor=lost), 410, "history_lost")


def test_the_compact_form(drawn: Drawn) -> None:
    """Only the fields that are asked for, and always the ids, the ends and the distance."""
    data = drawn.get(f"{ENTITIES}/Ada/neighborhood", fields="name,type,relationship_type").json["data"]
    assert {frozenset(each) for each in data["entities"]} == {frozenset(("id", "name", "type", "distance"))}
    assert {frozenset(each) for each in data["relationships"]} == {frozenset((*COMPACT, "relationship_type"))}
    paths = drawn.get(f"{GRAPH}/paths", from_="Ada", to="Rome", fields="name").json["included"]
    assert {frozenset(each) for each in paths["entities"]} == {frozenset(("id", "name"))}
    assert {frozenset(each) for each in paths["relationships"]} == {frozenset(COMPACT)}
    common = drawn.get(f"{GRAPH}/common", id=["Ada", "Bob"], fields="id").json
    assert (set(common["data"][0]), set(common["included"]["relationships"][0])) == ({"id"}, COMPACT)
    for given in ("name,name", ["name", "type"]):
        body = {"ids": [drawn.ids["Ada"], drawn.ids["Bob"]], "fields": given}
        shown = drawn.api("POST", f"{GRAPH}/subgraph", json=body).json["data"]
        assert {"id", "name"} <= set(shown["entities"][0]) <= {"id", "name", "type"}
    for wrong in ("nam", "", "name,", "password_hash", "name;type", ","):
        found = problem(drawn.get(f"{ENTITIES}/Ada/neighborhood", fields=wrong), 400, "bad_request")
        assert [fault["pointer"] for fault in found["errors"]] == ["/fields"]


def test_paths(drawn: Drawn) -> None:
    """Each with its ids and directions, what is known of each two ends, and the records once beside them."""
    answer = drawn.get(f"{GRAPH}/paths", from_=["Ada", "Rome"], to="Rome").json
    assert [(path["length"], path["weight"], path["directions"]) for path in answer["data"]] == [
        (2, 2, ["out", "out"]),
        (0, 0, []),
    ]
    assert answer["data"][0]["entity_ids"] == [drawn.ids[name] for name in ("Ada", "Eve", "Rome")]
    assert answer["data"][0]["relationship_ids"] == [drawn.ids[name] for name in ("AE", "ER")]
    assert sorted(drawn.names(answer["included"]["entities"])) == ["Ada", "Eve", "Rome"]
    assert [pair["outcome"] for pair in answer["meta"]["pairs"]] == ["found", "found"]
    lightest = drawn.get(f"{GRAPH}/paths", from_="Ada", to="Eve", kind="lightest", weight="ระยะทาง").json["data"]
    assert [path["weight"] for path in lightest] == [5, 9]
    sure = drawn.get(f"{GRAPH}/paths", from_="Ada", to="Eve", kind="most_certain").json["data"]
    assert [path["weight"] for path in sure] == [0.5]
    none = drawn.get(f"{GRAPH}/paths", from_="Rome", to="Ada", direction="out").json
    assert (none["data"], none["meta"]["pairs"][0]["outcome"]) == ([], "no_path")
    assert none["included"] == {"entities": [], "relationships": []}
    spent = drawn.get(f"{GRAPH}/paths", from_="Rome", to="Ada", budget=1).json
    assert (spent["data"], spent["meta"]["pairs"][0]["outcome"]) == ([], "budget_spent")
    avoiding = drawn.get(f"{GRAPH}/paths", from_="Ada", to="Eve", avoid=["Bob", str(uuid4())], kind="k_shortest").json
    assert [path["length"] for path in avoiding["data"]] == [1]


def test_common_neighbors(drawn: Drawn) -> None:
    """As a page, with the relationships beside it."""
    answer = drawn.get(f"{GRAPH}/common", id=["Ada", "Bob"]).json
    assert drawn.names(answer["data"]) == ["Eve"]
    assert set(drawn.names(answer["included"]["relationships"])) == {"AE", "BE"}
    assert (answer["meta"]["next_cursor"], answer["meta"]["limit"], answer["meta"]["truncated"]) == (None, 50, None)


def test_a_subgraph(drawn: Drawn) -> None:
    """By ids or by a filter; what is missing is told."""
    unknown = str(uuid4())
    body = {"ids": [drawn.ids["Ada"], drawn.ids["Eve"], unknown]}
    answer = drawn.api("POST", f"{GRAPH}/subgraph", json=body).json
    assert drawn.names(answer["data"]["entities"]) == ["Ada", "Eve"]
    assert drawn.names(answer["data"]["relationships"]) == ["AE"]
    assert (answer["meta"]["missing_ids"], answer["meta"]["truncated"]) == ([unknown], None)
    body = {"filter": {"type": "person", "created_after": "2001-01-01T00:00:00Z"}, "max_relationships": 1}
    answer = drawn.api("POST", f"{GRAPH}/subgraph", json=body).json
    assert drawn.names(answer["data"]["entities"]) == ["Ada", "Bob", "Eve"]
    assert answer["meta"]["truncated"] == {"reason": "max_relationships"}


def test_a_summary(drawn: Drawn) -> None:
    """Degrees, the strongest neighbors and the sources."""
    data = drawn.get(f"{ENTITIES}/Eve/summary", strongest=1).json["data"]
    assert data["degree"] == 3
    assert data["degrees"] == [
        {"relationship_type": "knows", "direction": "in", "count": 2},
        {"relationship_type": "lives_in", "direction": "out", "count": 1},
    ]
    assert [(each["entity"]["name"], each["relationship"]["id"]) for each in data["strongest"]] == [
        ("Ada", drawn.ids["AE"])
    ]
    assert data["sources"] == []


def test_an_entity_that_is_not_there(drawn: Drawn) -> None:
    """404 that names which."""
    unknown = str(uuid4())
    for path, query in (
        (f"{ENTITIES}/{unknown}/neighborhood", {}),
        (f"{ENTITIES}/{unknown}/summary", {}),
        (f"{GRAPH}/paths", {"from_": ["Ada", unknown], "to": "Bob"}),
        (f"{GRAPH}/paths", {"from_": "Ada", "to": unknown}),
        (f"{GRAPH}/common", {"id": ["Ada", unknown]}),
    ):
        assert unknown in problem(drawn.get(path, **query), 404, "not_found")["detail"]
    drawn.api("DELETE", f"{ENTITIES}/{drawn.ids['Bob']}")
    assert drawn.ids["Bob"] in problem(drawn.get(f"{GRAPH}/paths", from_="Ada", to="Bob"), 404, "deleted")["detail"]


@pytest.mark.parametrize("weight", ["距離", "🛤️", "a b&c=d", "x" * 500, "'; DROP TABLE entities; --", "%00", "km\\"])
def test_any_name_of_a_weight(drawn: Drawn, weight: str) -> None:
    """Is looked for as it is: here, nothing has it."""
    answer = drawn.get(f"{GRAPH}/paths", from_="Ada", to="Eve", kind="lightest", weight=weight)
    assert (answer.status_code, answer.json["meta"]["pairs"][0]["outcome"]) == (200, "no_path")
