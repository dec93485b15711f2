"""``/runs``, and the header Run that makes a change part of one."""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.http.conftest import Api, problem

PATH = "/api/v1/runs"
ENTITIES = "/api/v1/entities"
NOBODY_S = "01a22275-4d00-739e-b422-b0935af5125a"
IMPORT = "/api/v1/import"
ADA = {"type": "person", "name": "Ada"}
LINE = json.dumps({"kind": "entity", "key": "ada", **ADA}).encode() + b"\n"
AS_LINES = {"Content-Type": "application/x-ndjson"}


def opened(api: Api, by: str = "admin", **body: Any) -> str:
    """The id of a new run."""
    answer = api("POST", PATH, by=by, json=body)
    assert answer.status_code == 201, answer.text
    id: str = answer.json["data"]["id"]
    return id


def changes_of(api: Api, run: str) -> list[dict[str, Any]]:
    """The changes of a run, as the API shows them."""
    answer = api("GET", f"{PATH}/{run}/changes")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json["data"]
    return found


def summary_of(answer: Any) -> dict[str, Any]:
    """The last line of an import's answer."""
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = json.loads(answer.content.splitlines()[-1])["summary"]
    return found


def test_a_run_from_its_beginning_to_its_end(api: Api) -> None:
    """It is shown alike wherever it is, and its counts are settled when it ends."""
    answer = api("POST", PATH, by="ann", json={"title": "nightly import"})
    assert answer.status_code == 201
    run = answer.json["data"]
    assert answer.headers["location"] == f"{PATH}/{run['id']}"
    assert {name: run[name] for name in ("title", "kind", "state", "ended_at", "counts", "created_by")} == {
        "title": "nightly import",
        "kind": "opened",
        "state": "open",
        "ended_at": None,
        "counts": {},
        "created_by": {"kind": "user", "id": str(api.account("ann").id)},
    }
    assert api("GET", answer.headers["location"]).json["data"] == run
    assert api("GET", PATH, params={"state": "open"}).json["data"] == [run]
    api("POST", ENTITIES, by="ann", json=ADA, headers={"Run": run["id"]})
    ended = api("POST", f"{PATH}/{run['id']}/end", by="ann", json={})
    assert ended.status_code == 200
    assert ended.json["data"] == {
        **run,
        "state": "completed",
        "ended_at": ended.json["data"]["ended_at"],
        "counts": {"created": 1},
    }
    again = api("POST", f"{PATH}/{run['id']}/end", by="ann", json={"state": "failed"})
    assert again.json["data"] == ended.json["data"]
    assert api("GET", PATH, params={"state": "open"}).json["data"] == []


def test_every_change_says_which_run_it_is_part_of(api: Api) -> None:
    """Whatever made it: POST, PUT, PATCH, DELETE, a restoration, with all that it takes along."""
    run = opened(api)
    part = {"headers": {"Run": run}}
    ada, bob = (api("POST", ENTITIES, json={**ADA, "name": name}, **part).json["data"]["id"] for name in "ab")
    outside = api.entity(name="outside")["id"]
    api("PUT", f"{ENTITIES}/{ada}", json={**ADA, "name": "A"}, **part)
    merge = {"Content-Type": "application/merge-patch+json", "Run": run}
    api("PATCH", f"{ENTITIES}/{ada}", body='{"name": "AA"}', headers=merge)
    ends = {"source_entity_id": ada, "relationship_type": "knows", "target_entity_id": bob}
    assert api("POST", "/api/v1/relationships", json=ends, **part).status_code == 201
    assert api("DELETE", f"{ENTITIES}/{ada}", **part).status_code == 200
    assert api("POST", f"{ENTITIES}/{ada}/restore", **part).status_code == 200
    found = changes_of(api, run)
    assert sorted(each["action"] for each in found) == sorted(
        ["created"] * 3 + ["updated"] * 2 + ["deleted"] * 2 + ["restored"] * 2
    )
    feed = api("GET", "/api/v1/changes").json["data"]
    assert [each for each in feed if each["run"] == run] == found
    [alone] = [each for each in feed if each["run"] is None]
    assert alone["record"]["id"] == outside


def test_the_changes_of_a_run_come_in_pages(api: Api) -> None:
    """Each says where the next begins; the last leads to what comes."""
    run = opened(api)
    for number in range(3):
        api("POST", ENTITIES, json={**ADA, "name": f"{number}"}, headers={"Run": run})
        api.entity()
    first = api("GET", f"{PATH}/{run}/changes", params={"limit": 2}).json
    second = api("GET", f"{PATH}/{run}/changes", params={"after": first["meta"]["next_cursor"]}).json
    assert (len(first["data"]), len(second["data"])) == (2, 1)
    last = second["meta"]["next_cursor"]
    third = api("GET", f"{PATH}/{run}/changes", params={"after": last}).json
    assert (third["data"], third["meta"]["next_cursor"]) == ([], last)
    problem(api("GET", f"{PATH}/{run}/changes", params={"after": "x"}), 400, "invalid_cursor")


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", ENTITIES), ("POST", IMPORT), ("PATCH", f"{ENTITIES}/{NOBODY_S}"), ("DELETE", f"{ENTITIES}/{NOBODY_S}")],
)
def test_a_run_that_nothing_can_be_part_of_is_refused(api: Api, method: str, path: str) -> None:
    """It is no id, of no run, somebody else's, or has ended; nothing is written."""
    theirs, ended = opened(api), opened(api, by="ann")
    api("POST", f"{PATH}/{ended}/end", by="ann", json={})
    refused = (
        ("nightly", 400, "bad_request"),
        ("", 400, "bad_request"),
        (str(uuid4()), 404, "not_found"),
        (theirs, 403, "permission_denied"),
        (ended, 409, "run_ended"),
    )
    media_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
    for run, status, code in refused:
        body = json.dumps({} if method == "PATCH" else ADA)
        request: dict[str, Any] = {} if method == "DELETE" else {"body": body}
        headers = {"Run": run} | ({} if method == "DELETE" else {"Content-Type": media_type})
        problem(api(method, path, by="ann", headers=headers, **request), status, code)
    assert api.kg.stats().changes == 0


def test_reading_heeds_no_run(api: Api) -> None:
    """The header is for writes; a reader who sends it with everything is answered as ever."""
    ada = api.entity()["id"]
    for run in ("nightly", str(uuid4())):
        assert api("GET", f"{ENTITIES}/{ada}", headers={"Run": run}).status_code == 200
        assert api("POST", f"{ENTITIES}/get", json={"ids": [ada]}, headers={"Run": run}).status_code == 200


def test_who_ends_a_run(api: Api) -> None:
    """Who opened it and moderators, nobody else."""
    for by, status in (("ann", 200), ("ben", 403), ("moderator", 200), ("reader", 403)):
        run = opened(api, by="ann")
        assert api("POST", f"{PATH}/{run}/end", by=by, json={}).status_code == status, by
    problem(api("POST", PATH, by="reader", json={}), 403, "permission_denied")
    problem(api("POST", f"{PATH}/{uuid4()}/end", json={}), 404, "not_found")
    problem(api("POST", f"{PATH}/{run}/end", json={"state": "open"}), 422, "invalid_input")
    problem(api("POST", PATH, json={"title": "x" * 201}), 422, "invalid_input")


def test_a_key_that_comes_with_another_run_belongs_to_another_request(api: Api) -> None:
    """Answered as the first, the second would seem to be part of its run."""
    first, second = opened(api), opened(api)
    key = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
    made = api("POST", ENTITIES, json=ADA, headers={**key, "Run": first})
    assert made.status_code == 201
    for headers in ({"Run": second}, {}, {"Run": "nightly"}):
        problem(api("POST", ENTITIES, json=ADA, headers={**key, **headers}), 422, "idempotency_key_reused")
    api("POST", f"{PATH}/{first}/end", json={})
    again = api("POST", ENTITIES, json=ADA, headers={**key, "Run": first})
    assert (again.status_code, again.content) == (201, made.content), "it was done while the run was open"
    assert [len(changes_of(api, run)) for run in (first, second)] == [1, 0]


def test_a_run_is_opened_and_ended_once_under_a_key(api: Api) -> None:
    """As all that writes; the counts have what was committed before."""
    key = {"Idempotency-Key": "opening"}
    runs = {api("POST", PATH, json={}, headers=key).json["data"]["id"] for _ in range(2)}
    [run] = runs
    api("POST", ENTITIES, json=ADA, headers={"Run": run, "Idempotency-Key": "within"})
    ended = [api("POST", f"{PATH}/{run}/end", json={}, headers={"Idempotency-Key": "end"}) for _ in range(2)]
    assert ended[0].content == ended[1].content
    assert ended[0].json["data"]["counts"] == {"created": 1}


@pytest.mark.parametrize("atomic", ["false", "true"])
def test_an_import_has_a_run_with_a_title(api: Api, atomic: str) -> None:
    """Its summary names it; a dry run, and an atomic import with a refused line, have none."""
    params = {"title": "people", "atomic": atomic}
    summary = summary_of(api("POST", IMPORT, body=LINE, headers=AS_LINES, params=params))
    run = api("GET", f"{PATH}/{summary['run']}").json["data"]
    assert (run["title"], run["kind"], run["state"], run["counts"]) == ("people", "load", "completed", {"created": 1})
    assert [each["action"] for each in changes_of(api, run["id"])] == ["created"]
    dry = summary_of(api("POST", IMPORT, body=LINE, headers=AS_LINES, params={**params, "dry_run": "true"}))
    assert dry["run"] is None
    api("POST", IMPORT, body=LINE + b"{}\n", headers=AS_LINES, params={"atomic": "true"})
    assert [each["id"] for each in api("GET", PATH).json["data"]] == [run["id"]]
    problem(api("POST", IMPORT, body=LINE, headers=AS_LINES, params={"title": "x" * 201}), 400, "bad_request")


def test_an_import_within_a_run_is_part_of_it(api: Api) -> None:
    """It opens none of its own, so it takes no title."""
    run = opened(api)
    headers = {**AS_LINES, "Run": run}
    for number, params in enumerate(({}, {"atomic": "true"})):
        line = LINE.replace(b'"ada"', f'"{number}"'.encode())
        assert summary_of(api("POST", IMPORT, body=line, headers=headers, params=params))["run"] == run
    assert len(changes_of(api, run)) == 2
    problem(api("POST", IMPORT, body=LINE, headers=headers, params={"title": "x"}), 422, "invalid_input")
    assert len(api("GET", PATH).json["data"]) == 1


def test_runs_are_listed_as_everything_is(api: Api) -> None:
    """Filters, an order and pages; what a listing does not know is refused."""
    runs = [opened(api, title=f"{number}") for number in range(3)]
    listed = api("GET", PATH, params={"limit": 2}).json
    assert [each["id"] for each in listed["data"]] == runs[:0:-1]
    rest = api("GET", PATH, params={"limit": 2, "cursor": listed["meta"]["next_cursor"]}).json
    assert [each["id"] for each in rest["data"]] == runs[:1]
    up = api("GET", PATH, params={"sort": "created_at", "kind": "opened"}).json["data"]
    assert [each["id"] for each in up] == runs
    for params in ({"state": "ended"}, {"kind": "x"}, {"sort": "title"}, {"title": "0"}):
        problem(api("GET", PATH, params=params), 400, "bad_request")
