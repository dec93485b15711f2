"""``/sources``: the documents that facts come from."""

from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

import pytest

from tests.http.conftest import Api, problem
from tests.http.evidence.documents import ADA, FOUND, PAGE, data_of, extracted
from tests.http.graph.test_runs import changes_of, opened

PATH = "/api/v1/sources"
WITHDRAW = f"{PATH}/withdraw"
NOTE_G = {"uri": PAGE, "title": "Note G", "type": "paper", "published": "1843-09", "metadata": {"pages": 66}}


def created(api: Api, **fields: Any) -> dict[str, Any]:
    """A new source."""
    answer = api("POST", PATH, json=fields)
    source: dict[str, Any] = data_of(answer, 201)
    assert answer.headers["location"] == f"{PATH}/{source['id']}"
    assert data_of(api("GET", answer.headers["location"])) == source
    return source


def test_a_source_is_described(api: Api) -> None:
    """Its id follows from its URI; twice is 409, and names the one that is there."""
    source = created(api, **NOTE_G)
    assert {name: source[name] for name in NOTE_G} == NOTE_G
    assert source["id"] == str(uuid5(NAMESPACE_URL, PAGE))
    assert source["created_by"] == {"kind": "user", "id": str(api.account("admin").id)}
    told = problem(api("POST", PATH, json={"uri": PAGE}), 409, "already_exists")
    assert source["id"] in told["detail"]
    bare = created(api, uri="id of my own")
    assert (bare["title"], bare["type"], bare["published"], bare["metadata"]) == (None, None, None, {})


@pytest.mark.parametrize(
    "uri", ["\u0e2b\u0e19\u0e49\u0e32", "\u5929\u5730", "\U0001f9ee", "a b+c%20d&e=f#g?h/../i", "%"]
)
def test_a_source_is_found_by_any_uri(api: Api, uri: str) -> None:
    """As it was given; parameters of a list do not go with it."""
    source = created(api, uri=uri)
    created(api, uri=f"{uri}x")
    found = api("GET", PATH, params={"uri": uri})
    assert (found.json["data"], found.json["meta"]["next_cursor"]) == ([source], None)
    assert data_of(api("GET", PATH, params={"uri": f"x{uri}"})) == []
    told = problem(api("GET", PATH, params={"uri": uri, "limit": 5}), 400, "bad_request")
    assert [fault["pointer"] for fault in told["errors"]] == ["/limit"]
    problem(api("GET", PATH, params={"uri": ""}), 400, "bad_request")


def test_pages_of_sources(api: Api) -> None:
    """By type and by when they were named, in both directions."""
    ids = [created(api, uri=f"s{number}", type=f"t{number % 2}")["id"] for number in range(5)]
    first = api("GET", PATH, params={"limit": 3}).json
    rest = api("GET", PATH, params={"cursor": first["meta"]["next_cursor"]}).json
    assert [each["id"] for each in (*first["data"], *rest["data"])] == ids
    assert rest["meta"]["next_cursor"] is None
    assert [each["id"] for each in data_of(api("GET", PATH, params={"sort": "-created_at"}))] == ids[::-1]
    assert [each["id"] for each in data_of(api("GET", PATH, params={"type": "t1"}))] == [ids[1], ids[3]]
    after = first["data"][2]["created_at"]
    assert [each["id"] for each in data_of(api("GET", PATH, params={"created_after": after}))] == ids[3:]
    problem(api("GET", PATH, params={"sort": "uri"}), 400, "bad_request")
    problem(api("GET", f"{PATH}/{uuid4()}"), 404, "not_found")


def test_what_assertions_name_is_there(api: Api) -> None:
    """An extraction describes it; what said something before is not described anew."""
    fact = api.entity(source="https://example.org/by-hand")
    assert data_of(api("GET", PATH)) == [], "the first assertion of a fact is its own"
    extracted(api, {**FOUND, "type": "paper", "published": "1843"})
    [source] = data_of(api("GET", PATH))
    assert (source["uri"], source["title"], source["type"], source["published"]) == (PAGE, "Note G", "paper", "1843")
    api("POST", f"/api/v1/entities/{fact['id']}/assertions", json={"source": "third"})
    assert {each["uri"] for each in data_of(api("GET", PATH))} == {PAGE, "third", "https://example.org/by-hand"}
    problem(api("POST", PATH, json={"uri": "third"}), 409, "already_exists")


# What a source contributes, and what is said of it.


def test_a_source_tells_what_it_contributes(api: Api) -> None:
    """How much of the graph it supports, by extractor, and who else says the same."""
    extracted(api)
    extracted(api, {"entities": [{**ADA, "key": "ada"}]}, {"source": "other", "extractor": "x"})
    [ada] = [each for each in data_of(api("GET", "/api/v1/entities")) if each["key"] == "ada"]
    api("POST", f"/api/v1/entities/{ada['id']}/assertions", json={"source": PAGE, "stance": "against"})
    label = data_of(api("GET", "/api/v1/entities", params={"source": PAGE}))[0]
    api("POST", f"/api/v1/entities/{label['id']}/assertions", json={"source": "other"})
    told = data_of(api("GET", f"{PATH}/{uuid5(NAMESPACE_URL, PAGE)}/contribution"))
    counts = {"entities_for": 2, "relationships_for": 1, "entities_against": 0, "relationships_against": 0}
    against = {**dict.fromkeys(counts, 0), "entities_against": 1}
    assert told == {
        **counts,
        "entities_against": 1,
        "only_here": 2,
        "extractors": [{**against, "extractor": None, "rank": None}, {**counts, "extractor": "spert", "rank": 0}],
        "shared_with": [{"id": str(uuid5(NAMESPACE_URL, "other")), "uri": "other", "shared": 1}],
        "truncated": False,
        "is_complete": True,
    }
    problem(api("GET", f"{PATH}/{uuid4()}/contribution"), 404, "not_found")


def test_facts_are_listed_by_run(api: Api) -> None:
    """The run whose assertions support them."""
    done = extracted(api)
    for plural, number in (("entities", 2), ("relationships", 1)):
        page = api("GET", f"/api/v1/{plural}", params={"run": done["run"], "count": "exact"})
        assert (len(data_of(page)), page.json["meta"]["total"]) == (number, number)
        assert data_of(api("GET", f"/api/v1/{plural}", params={"run": str(uuid4())})) == []
        problem(api("GET", f"/api/v1/{plural}", params={"run": "night"}), 400, "bad_request")


def test_a_source_is_corrected(api: Api) -> None:
    """By a merge patch, under a precondition; its URI stays, and what kgl sets may come back unchanged."""
    source = created(api, **NOTE_G)
    path = f"{PATH}/{source['id']}"
    answer = api("GET", path)
    tag = answer.headers["etag"]
    assert api("GET", path, headers={"If-None-Match": tag}).status_code == 304
    changed = api(
        "PATCH", path, json={**source, "title": "Note A", "metadata": {"pages": None}}, headers={"If-Match": tag}
    )
    assert data_of(changed) == {**source, "title": "Note A", "metadata": {}, "version": 2}
    assert data_of(api("GET", path)) == data_of(changed)
    told = problem(api("PATCH", path, json={"title": "x"}, headers={"If-Match": tag}), 412, "stale_version")
    assert "version 2" in told["detail"]
    assert api("PATCH", path, json={"title": "Note A"}).headers["etag"] == changed.headers["etag"]
    for body in ({"uri": "other"}, {"rank": 1}, {"published": "soon"}, {"titel": "x"}):
        problem(api("PATCH", path, json=body), 422, "invalid_input")
    problem(api("PATCH", path, by="ann", json={"title": "x"}), 403, "permission_denied")
    problem(api("PATCH", f"{PATH}/{uuid4()}", json={"title": "x"}), 404, "not_found")


# Ranks.


def test_a_source_that_is_ranked_higher_wins(api: Api) -> None:
    """Over a surer one; all facts that it supports follow, as part of the run of the header."""
    sure = {"entities": [{**ADA, "key": "ada", "confidence": 1}]}
    trusted = {"entities": [{**ADA, "key": "ada", "confidence": 0.5, "name": "A. Lovelace"}]}
    [id] = extracted(api, sure, {"source": "sure", "extractor": "x"})["labels"].values()
    extracted(api, trusted, {"source": "trusted", "extractor": "x"})
    [source] = data_of(api("GET", PATH, params={"uri": "trusted"}))
    path = f"{PATH}/{source['id']}/rank"
    assert data_of(api("GET", f"/api/v1/entities/{id}"))["name"] == "Ada Lovelace"
    run = opened(api)
    ranked = data_of(api("PUT", path, json={"rank": 10}, headers={"Run": run}))
    assert ranked == {**source, "rank": 10, "version": source["version"] + 1}
    assert data_of(api("GET", f"/api/v1/entities/{id}"))["name"] == "A. Lovelace"
    assert [change["action"] for change in changes_of(api, run)] == ["updated"]
    data_of(api("PUT", path, json={"rank": -10}))
    assert data_of(api("GET", f"/api/v1/entities/{id}"))["name"] == "Ada Lovelace"
    for body in ({}, {"rank": None}, {"rank": 1.5}, {"rank": "1"}, {"rank": True}, {"rank": 10**9}, {"ranks": 1}):
        problem(api("PUT", path, json=body), 422, "invalid_input")
    problem(api("PUT", f"{PATH}/{uuid4()}/rank", json={"rank": 1}), 404, "not_found")
    for by in ("ann", "writer"):
        problem(api("PUT", path, by=by, json={"rank": 1}), 403, "permission_denied")


# Withdrawing all that anybody says because of a source.


def test_a_source_is_withdrawn_after_a_dry_run(api: Api) -> None:
    """Whoever said it: what only it supports is retired; the dry run tells the same and keeps nothing."""
    shared = {**ADA, "key": "ada"}
    labels = extracted(api, {**FOUND, "entities": [shared, *FOUND["entities"][1:]]}, by="ann")["labels"]  # type: ignore[index]
    extracted(api, {"entities": [shared]}, {"source": "other", "extractor": "spert"}, by="bob")
    by_hand = api.entity(name="By hand", source=PAGE, by="eve")["id"]
    before = data_of(api("GET", "/api/v1/changes"))
    tried = data_of(api("POST", WITHDRAW, by="moderator", json={"uri": PAGE, "dry_run": True}))
    assert (tried["run"], tried["withdrawn"], data_of(api("GET", "/api/v1/changes"))) == (None, 4, before)
    done = data_of(api("POST", WITHDRAW, by="moderator", json={"uri": PAGE}))
    assert done == {**tried, "run": done["run"]}
    assert len(done["retired"]) == 3
    assert {labels["T2"], by_hand} < {*done["retired"]}
    assert done["kept"] == [{"kind": "entity", "id": labels["T1"], "sources": ["other"]}]
    run = data_of(api("GET", f"/api/v1/runs/{done['run']}"))
    assert (run["kind"], run["title"]) == ("withdrawal", PAGE)
    told = problem(api("POST", WITHDRAW, json={"uri": PAGE}), 404, "not_found")
    assert PAGE in told["detail"]
    gone = api("DELETE", "/api/v1/extractions", by="ann", params={"source": PAGE, "extractor": "spert"})
    problem(gone, 409, "already_withdrawn")
    back = extracted(api, {**FOUND, "entities": [shared, *FOUND["entities"][1:]]}, by="ann")  # type: ignore[index]
    assert (back["restored"], back["labels"]) == (2, labels)


def test_who_may_withdraw_a_source(api: Api) -> None:
    """Moderators, since it takes back what others said."""
    extracted(api, by="ann")
    for by in ("ann", "writer", "reader"):
        for dry_run in (True, False):
            answer = api("POST", WITHDRAW, by=by, json={"uri": PAGE, "dry_run": dry_run})
            problem(answer, 403, "permission_denied")
    for body in ({}, {"uri": ""}, {"uri": PAGE, "dry_run": "yes"}, {"uri": PAGE, "dryrun": True}):
        problem(api("POST", WITHDRAW, json=body), 422, "invalid_input")
    run = opened(api)
    done = data_of(api("POST", WITHDRAW, json={"uri": PAGE}, headers={"Run": run}))
    assert (done["run"], len(changes_of(api, run))) == (run, 3)
