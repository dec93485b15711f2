"""``/extractors``: the programs that find facts, and how far each is trusted."""

from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from tests.http.conftest import Api, problem
from tests.http.evidence.documents import ADA, data_of, extracted
from tests.http.graph.test_runs import changes_of, opened

PATH = "/api/v1/extractors"


def named(api: Api, name: str) -> list[dict[str, Any]]:
    """The extractors with this name."""
    found: list[dict[str, Any]] = data_of(api("GET", PATH, params={"name": name}))
    return found


def test_extractors_are_listed_named_and_found(api: Api) -> None:
    """By what they say, or before they say anything; the id follows from the name."""
    extracted(api)
    answer = api("POST", PATH, json={"name": "เครื่อง a/b&c"})
    later = data_of(answer, 201)
    assert answer.headers["location"] == f"{PATH}/{later['id']}"
    assert later["id"] == str(uuid5(NAMESPACE_URL, "เครื่อง a/b&c"))
    first = api("GET", PATH, params={"limit": 1}).json
    rest = api("GET", PATH, params={"cursor": first["meta"]["next_cursor"]}).json
    assert ([each["name"] for each in first["data"]], rest["data"]) == (["spert"], [later])
    assert named(api, later["name"]) == [later]
    assert named(api, "none") == []
    got = api("GET", f"{PATH}/{later['id']}")
    assert data_of(got) == later
    assert api("GET", f"{PATH}/{later['id']}", headers={"If-None-Match": got.headers["etag"]}).status_code == 304
    problem(api("POST", PATH, json={"name": "spert"}), 409, "already_exists")
    problem(api("GET", PATH, params={"name": "spert", "limit": 1}), 400, "bad_request")
    problem(api("GET", f"{PATH}/{uuid4()}"), 404, "not_found")


def test_an_extractor_that_is_ranked_higher_wins(api: Api) -> None:
    """Over a surer one, in all that it found, as part of the run of the header; values tell the rank."""
    said = {"sure": ("Ada Lovelace", 1), "trusted": ("A. Lovelace", 0.5)}
    for extractor, (name, confidence) in said.items():
        item = {**ADA, "key": "ada", "confidence": confidence, "name": name}
        [id] = extracted(api, {"entities": [item]}, {"source": "d", "extractor": extractor})["labels"].values()
    fact = f"/api/v1/entities/{id}"
    assert data_of(api("GET", fact))["name"] == "Ada Lovelace"
    [extractor_] = named(api, "trusted")
    path, run = f"{PATH}/{extractor_['id']}/rank", opened(api)
    answer = api("PUT", path, by="moderator", json={"rank": 10}, headers={"Run": run})
    assert data_of(answer) == {**extractor_, "rank": 10, "version": 2}
    assert answer.headers["etag"] == api("GET", f"{PATH}/{extractor_['id']}").headers["etag"]
    assert data_of(api("GET", fact))["name"] == "A. Lovelace"
    assert [change["action"] for change in changes_of(api, run)] == ["updated"]
    values = [each for each in data_of(api("GET", f"{fact}/values")) if each["pointer"] == "/name"]
    assert [(each["extractor"], each["rank"]) for each in values] == [("trusted", 10), ("sure", 0)]
    for body in ({}, {"rank": None}, {"rank": 10**9}, {"ranks": 1}):
        problem(api("PUT", path, json=body), 422, "invalid_input")
    problem(api("PUT", f"{PATH}/{uuid4()}/rank", json={"rank": 1}), 404, "not_found")
    for by in ("ann", "writer"):
        problem(api("PUT", path, by=by, json={"rank": 1}), 403, "permission_denied")
