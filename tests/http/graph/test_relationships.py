"""``/relationships`` and ``/entities/{id}/relationships``: over HTTP."""

from typing import Any

import attrs
import pytest

from kgl_core.graph.relationships import RELATIONSHIP
from tests.http.conftest import Api, problem

PATH = "/api/v1/relationships"
NOWHERE = "01890a5d-ac96-774b-bcce-b302099a8057"
ENDS = ("source_entity_id", "relationship_type", "target_entity_id")


@attrs.frozen
class Graph:
    """Four entities and the relationships between them, by short names."""

    ada: str
    bob: str
    eve: str
    rome: str
    edges: dict[str, str]

    def named(self, relationships: list[dict[str, Any]]) -> str:
        """The short names of relationships, in order."""
        short = {id: name for name, id in self.edges.items()}
        return "".join(short[relationship["id"]] for relationship in relationships)


@pytest.fixture
def graph(api: Api) -> Graph:
    """Ada knows Bob (A), Bob knows Eve (B), Ada lives in Rome (C), Eve knows Ada (D), Eve hates Bob (E, deleted)."""
    ada, bob, eve, rome = (api.entity(name=name)["id"] for name in ("Ada", "Bob", "Eve", "Rome"))
    edges = {
        "A": api.relationship(ada, bob, confidence=0.2, source="s1", source_type="web")["id"],
        "B": api.relationship(bob, eve, confidence=0.5, source="s1", source_type="book")["id"],
        "C": api.relationship(ada, rome, relationship_type="lives_in", source="s2")["id"],
        "D": api.relationship(eve, ada, confidence=0.9)["id"],
        "E": api.relationship(eve, bob, relationship_type="hates")["id"],
    }
    api("PATCH", f"{PATH}/{edges['D']}", json={"source": "s3"})
    api("DELETE", f"{PATH}/{edges['E']}")
    return Graph(ada, bob, eve, rome, edges)


def test_a_created_relationship_is_shown_whole(api: Api) -> None:
    """201 with its place, and everything that was said of it beside what kgl knows of it."""
    body = {
        "source_entity_id": api.entity()["id"],
        "relationship_type": "wrote",
        "target_entity_id": api.entity()["id"],
        "confidence": 0.5,
        "source": "p. 1",
        "source_type": "book",
        "metadata": {"year": 1843},
        "key": "first edition",
        "valid_from": "1843",
        "valid_to": "1843-10-16T12:00:00+01:00",
    }
    answer = api("POST", PATH, json=body)
    assert answer.status_code == 201
    relationship = answer.json["data"]
    assert answer.headers["location"] == f"{PATH}/{relationship['id']}"
    assert {name: relationship[name] for name in body} == body
    assert relationship["created_by"] == {"kind": "user", "id": str(api.account("admin").id)}
    assert (relationship["version"], relationship["is_active"], relationship["deleted_with"]) == (1, True, None)
    assert [*relationship][-4:] == ["key", "valid_from", "valid_to", "is_active"]
    assert api("GET", answer.headers["location"]).json["data"] == relationship


def test_a_relationship_that_cannot_be_is_refused(api: Api, graph: Graph) -> None:
    """Faults of the body, missing and deleted ends, a triple that is there, an end before the begin."""

    def refused(status: int, code: str, **fields: Any) -> list[tuple[str, str]]:
        body = {"source_entity_id": graph.bob, "relationship_type": "knows", "target_entity_id": graph.rome, **fields}
        found = problem(api("POST", PATH, json=body), status, code)
        return [(fault["pointer"], fault["code"]) for fault in found["errors"]]

    assert refused(422, "invalid_input", source_entity_id="1", relationship_type=None, confidense=1) == [
        ("/confidense", "unknown_field"),
        ("/source_entity_id", "invalid_id"),
        ("/relationship_type", "not_text"),
    ]
    assert refused(422, "invalid_input", valid_from="2021", valid_to="2020-12-31") == [
        ("/valid_to", "ends_before_it_begins")
    ]
    refused(404, "not_found", target_entity_id=NOWHERE)
    refused(409, "already_exists", target_entity_id=graph.eve)
    api("DELETE", f"/api/v1/entities/{graph.rome}")
    refused(409, "ends_deleted")
    assert problem(api("POST", PATH, json={}), 422, "invalid_input")["errors"][0]["code"] == "required"


def test_a_relationship_is_replaced_and_patched_but_never_moved(api: Api, graph: Graph) -> None:
    """PUT empties what is left out, a merge patch changes what it names; ends and type stay."""
    path = f"{PATH}/{graph.edges['A']}"
    ends = {name: api("GET", path).json["data"][name] for name in ENDS}
    patch = b'{"metadata":{"a":{"b":1,"c":null}},"source":null}'
    patched = api("PATCH", path, body=patch, content_type="application/merge-patch+json").json["data"]
    assert (patched["metadata"], patched["source"], patched["confidence"]) == ({"a": {"b": 1}}, None, 0.2)
    replaced = api("PUT", path, json={**ends, "confidence": 1}).json["data"]
    assert (replaced["metadata"], replaced["source_type"], replaced["confidence"]) == ({}, None, 1.0)
    assert replaced["version"] == 3
    for method in ("PUT", "PATCH"):
        for name, other in zip(ENDS, (graph.eve, "likes", graph.rome), strict=True):
            found = problem(api(method, path, json={**ends, name: other}), 422, "invalid_input")
            assert [(fault["pointer"], fault["code"]) for fault in found["errors"]] == [(f"/{name}", "immutable")]
        found = problem(api(method, path, json={**ends, "key": "other"}), 422, "invalid_input")
        assert [(fault["pointer"], fault["code"]) for fault in found["errors"]] == [("/key", "immutable")]
    problem(api("PUT", path, json={"confidence": 1}), 422, "invalid_input")


def test_relationships_are_listed_as_of_a_date(api: Api, graph: Graph) -> None:
    """All of them and those of an entity, in pages with a count; what is no date is refused with its name."""
    for year in ("1994", "1995"):
        graph.edges[year] = api.relationship(graph.ada, graph.bob, key=year, valid_from=year, valid_to=year)["id"]
    for path, others in ((PATH, "ABCD"), (f"/api/v1/entities/{graph.ada}/relationships", "ACD")):
        for valid_at, found in {
            "1994": "1994",
            "1995-12-31": "1995",
            "1996": "",
            "1995-01-01T00:00:00Z": "1995",
        }.items():
            answer = api("GET", path, params={"valid_at": valid_at, "sort": "created_at"}).json
            assert graph.named(answer["data"]) == others + found
        first = api("GET", path, params={"valid_at": "1994", "sort": "created_at", "limit": 2}).json
        onward = {"sort": "created_at", "cursor": first["meta"]["next_cursor"]}
        rest = api("GET", path, params={"valid_at": "1994", **onward}).json
        assert graph.named(first["data"] + rest["data"]) == f"{others}1994"
        for valid_at in ("1994-00", "10000", "now", "9999-12-31T23:59:59-01:00", "๑๙๙๔", "1" * 5_000):
            found = problem(api("GET", path, params={"valid_at": valid_at}), 400, "bad_request")
            assert [(fault["pointer"], fault["code"]) for fault in found["errors"]] == [("/valid_at", "not_a_date")]


@pytest.mark.parametrize("date", ["1994-00-00", "-0044", "10000-01-01", "2024-02-30", "24:00:00", "๑๙๙๔", "1" * 10_000])
def test_what_is_no_date_is_refused(api: Api, graph: Graph, date: str) -> None:
    """With the name of the field, in every way of writing one; nothing is changed."""
    path = f"{PATH}/{graph.edges['A']}"
    shown = api("GET", path).json["data"]
    ends = {name: shown[name] for name in ENDS}
    for method, where in (("POST", PATH), ("PUT", path), ("PATCH", path)):
        for name in ("valid_from", "valid_to"):
            found = problem(api(method, where, json={**ends, name: date}), 422, "invalid_input")
            assert [(fault["pointer"], fault["code"]) for fault in found["errors"]] == [(f"/{name}", "not_a_date")]
            assert "1994-05-17" in found["errors"][0]["detail"]
    assert api("GET", path).json["data"] == shown


def test_a_relationship_is_deleted_and_restored(api: Api, graph: Graph) -> None:
    """It can't come back while an end is deleted, or while another one has taken its place."""
    path = f"{PATH}/{graph.edges['B']}"
    deleted = api("DELETE", path).json["data"]
    assert (deleted["is_active"], deleted["version"], deleted["deleted_with"]) == (False, 2, None)
    problem(api("GET", path), 404, "deleted")
    assert api("GET", path, params={"include_deleted": "true"}).json["data"] == deleted
    other = api.relationship(graph.bob, graph.eve)
    problem(api("POST", f"{path}/restore"), 409, "already_exists")
    api("DELETE", f"{PATH}/{other['id']}")
    api("DELETE", f"/api/v1/entities/{graph.eve}")
    problem(api("POST", f"{path}/restore"), 409, "ends_deleted")
    api("POST", f"/api/v1/entities/{graph.eve}/restore")
    restored = api("POST", f"{path}/restore").json["data"]
    assert (restored["is_active"], restored["version"]) == (True, 3)
    assert api("POST", f"{path}/restore").json["data"] == restored


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_an_id_that_names_nothing_is_not_found_and_no_id_is_malformed(api: Api, method: str) -> None:
    """404 for a UUID that nobody has, 400 for what is no UUID."""
    ends = {"source_entity_id": NOWHERE, "relationship_type": "x", "target_entity_id": NOWHERE.replace("0", "1")}
    body = ends if method in ("PUT", "PATCH") else None
    problem(api(method, f"{PATH}/{NOWHERE}", json=body), 404, "not_found")
    problem(api(method, f"{PATH}/1", json=body), 400, "bad_request")
    problem(api("POST", f"{PATH}/{NOWHERE}/restore"), 404, "not_found")


def test_relationships_can_be_filtered_by_everything(api: Api, graph: Graph) -> None:
    """Each filter alone, and together."""
    middle = api("GET", f"{PATH}/{graph.edges['B']}").json["data"]["created_at"]
    for params, found in (
        ({}, "ABCD"),
        ({"entity_id": graph.ada}, "ACD"),
        ({"source_entity_id": graph.ada}, "AC"),
        ({"target_entity_id": graph.ada}, "D"),
        ({"source_entity_id": graph.ada, "target_entity_id": graph.bob}, "A"),
        ({"entity_id": NOWHERE}, ""),
        ({"relationship_type": "lives_in"}, "C"),
        ({"relationship_type": ["lives_in", "knows"], "entity_id": graph.ada}, "ACD"),
        ({"min_confidence": "0.5"}, "BD"),
        ({"max_confidence": "0.5"}, "AB"),
        ({"source": "s1"}, "AB"),
        ({"source_type": "book"}, "B"),
        ({"created_after": middle}, "CD"),
        ({"created_before": middle}, "A"),
        ({"updated_after": middle}, "CD"),
        ({"updated_before": middle}, "A"),
        ({"is_active": "false"}, "E"),
        ({"is_active": "any", "source_entity_id": graph.eve}, "DE"),
    ):
        answer = api("GET", PATH, params={**params, "count": "exact"}, params_csv=False)
        assert graph.named(answer.json["data"]) == found, params
        assert answer.json["meta"]["total"] == len(found)
    problem(api("GET", PATH, params={"type": "knows"}), 400, "bad_request")
    problem(api("GET", PATH, params={"sort": "name"}), 400, "bad_request")
    problem(api("GET", PATH, params={"entity_id": ["a", "b"]}, params_csv=False), 400, "bad_request")


@pytest.mark.parametrize("sort", RELATIONSHIP.sort_rule.values)
def test_every_order_can_be_walked_page_by_page(api: Api, graph: Graph, sort: str) -> None:
    """In both listings, whose cursors stay with their filter and sort."""
    whole = {"created_at": "ABCD", "updated_at": "ABCD"}[sort.removeprefix("-")]
    expected = whole[::-1] if sort[0] == "-" else whole
    of_ada = expected.replace("B", "")
    for path, names in ((PATH, expected), (f"/api/v1/entities/{graph.ada}/relationships", of_ada)):
        first = api("GET", path, params={"sort": sort, "limit": 2}).json
        params = {"sort": sort, "limit": 2, "cursor": first["meta"]["next_cursor"]}
        second = api("GET", path, params=params).json
        assert graph.named(first["data"] + second["data"]) == names
        assert second["meta"]["next_cursor"] is None
        problem(api("GET", path, params={**params, "relationship_type": "knows"}), 400, "invalid_cursor")
        other = next(other for other in RELATIONSHIP.sort_rule.values if other != sort)
        problem(api("GET", path, params={**params, "sort": other}), 400, "invalid_cursor")


def test_several_are_fetched_at_once_by_id(api: Api, graph: Graph) -> None:
    """The active ones that exist, each once, and nothing beside ids."""
    ids = [*graph.edges.values(), graph.edges["A"], NOWHERE]
    answer = api("GET", PATH, params={"id": ids}, params_csv=False).json
    assert sorted(graph.named(answer["data"])) == ["A", "B", "C", "D"]
    assert (answer["meta"]["next_cursor"], answer["meta"]["limit"]) == (None, None)
    found = problem(api("GET", PATH, params={"id": NOWHERE, "relationship_type": "knows"}), 400, "bad_request")
    assert [(fault["pointer"], fault["code"]) for fault in found["errors"]] == [("/relationship_type", "not_together")]


def test_the_relationships_of_an_entity_have_a_direction(api: Api, graph: Graph) -> None:
    """Those that leave it, arrive at it, or both; of some types; of enough confidence; the strongest first."""
    path = f"/api/v1/entities/{graph.ada}/relationships"
    for params, found in (
        ({}, "DAC"),
        ({"direction": "both"}, "DAC"),
        ({"direction": "out"}, "AC"),
        ({"direction": "in"}, "D"),
        ({"relationship_type": "knows"}, "DA"),
        ({"relationship_type": ["knows", "lives_in"], "direction": "out"}, "AC"),
        ({"min_confidence": "0.5"}, "D"),
        ({"sort": "-confidence"}, "DAC"),
        ({"sort": "-created_at"}, "DCA"),
    ):
        assert graph.named(api("GET", path, params=params, params_csv=False).json["data"]) == found, params
    for params in ({"direction": "up"}, {"count": "exact"}, {"entity_id": graph.bob}, {"is_active": "any"}):
        problem(api("GET", path, params=params), 400, "bad_request")
    api("DELETE", f"/api/v1/entities/{graph.ada}")
    problem(api("GET", path), 404, "deleted")
    problem(api("GET", "/api/v1/entities/1/relationships"), 400, "bad_request")


def test_who_may_do_what(api: Api) -> None:
    """A user changes what is theirs, a moderator everything; nobody does nothing."""
    path = f"{PATH}/{api.relationship(api.entity()['id'], api.entity()['id'], by='eve')['id']}"
    assert api("GET", path, by="user").status_code == 200
    problem(api("PATCH", path, json={"confidence": 1}, by="user"), 403, "permission_denied")
    assert api("PATCH", path, json={"confidence": 1}, by="eve").status_code == 200
    assert api("DELETE", path, by="moderator").status_code == 200
    problem(api("POST", f"{path}/restore", by="eve"), 403, "permission_denied")
    assert api("POST", f"{path}/restore", by="moderator").status_code == 200
    problem(api("GET", path, by="nobody"), 401, "not_authenticated")
