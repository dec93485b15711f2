"""Conditional requests: ETag, If-Match and If-None-Match (RFC 9110, section 13), so that no update is lost."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from falcon import testing

from tests.http.conftest import Api, MakeApi, problem

NOWHERE = "01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.fixture
def path(api: Api) -> str:
    """Where an entity at version 2 is."""
    path = f"/api/v1/entities/{api.entity()['id']}"
    assert api("PATCH", path, json={"confidence": 0.5}).headers["etag"] == '"2"'
    return path


Change = Callable[..., testing.Result]


@pytest.fixture(params=["PUT", "PATCH", "DELETE"])
def change(request: pytest.FixtureRequest, api: Api) -> Change:
    """Makes a change, in one of the three ways."""
    body: dict[str, Any] = {"PUT": {"type": "person", "name": "Eve"}, "PATCH": {"name": "Eve"}, "DELETE": None}

    def send(path: str, if_match: str | None = None, **more: Any) -> testing.Result:
        headers = {} if if_match is None else {"If-Match": if_match}
        return api(request.param, path, json=body[request.param], headers=headers, **more)

    return send


def test_every_answer_with_one_record_has_its_version_as_strong_tag(api: Api) -> None:
    """Create, get, change, delete and restore, of both kinds; a strong tag is never compressed."""
    for kind in ("entities", "relationships"):
        if kind == "entities":
            created = api(
                "POST", "/api/v1/entities", json={"type": "person", "name": "Ada", "aliases": ["x" * 400] * 9}
            )
        else:
            ends = {"source_entity_id": api.entity()["id"], "target_entity_id": api.entity()["id"]}
            created = api("POST", "/api/v1/relationships", json={**ends, "relationship_type": "knows"})
        path = created.headers["location"]
        for answer, version in (
            (created, 1),
            (api("GET", path, headers={"Accept-Encoding": "gzip"}), 1),
            (api("PATCH", path, json={"confidence": 0.5}), 2),
            (api("DELETE", path), 3),
            (api("GET", path, params={"include_deleted": "true"}), 3),
            (api("POST", f"{path}/restore"), 4),
            (api("HEAD", path), 4),
        ):
            assert answer.status_code in (200, 201)
            assert answer.headers["etag"] == f'"{version}"'
            assert "content-encoding" not in answer.headers
            assert answer.headers["cache-control"] == "private, no-cache"


@pytest.mark.parametrize("if_match", ['"2"', '"1", "2"', "*"])
def test_a_change_of_the_present_version_is_made(change: Change, path: str, if_match: str) -> None:
    """By one tag, by one of several, or by * for any version."""
    answer = change(path, if_match)
    assert answer.status_code == 200, answer.text
    assert answer.headers["etag"] == '"3"'


def test_tags_may_be_written_in_many_ways(api: Api, path: str) -> None:
    """Spaces, tabs, empty elements of the list, and tags that are not ours do no harm."""
    tags = (
        ' "{}" ',
        '"1","{}"',
        '"{}","99"',
        'W/"1","{}"',
        ',,"{}",',
        '"1"\t,\t"{}"',
        " * ",
        '"a,b", "{}"',
        '"\xe9", "{}"',
    )
    for version, tag in enumerate(tags, 2):
        patch = {"confidence": version / 100}
        answer = api("PATCH", path, json=patch, headers={"If-Match": tag.format(version)})
        assert (answer.status_code, answer.headers["etag"]) == (200, f'"{version + 1}"'), tag


def test_a_change_whose_tags_name_other_versions_is_refused(api: Api, change: Change, path: str) -> None:
    """The comparison is strong: a weak tag never matches (section 13.1.1). Nothing changes."""
    weak = ('W/"2"', 'W/"2", "1"')
    for tag in ('"1"', '"3"', '"1", "3"', *weak, '""', '"02"', '"+2"', '"2.0"', '"\xb2"', ",", f'"{10**30}"'):
        found = problem(change(path, tag), 412, "stale_version")
        assert found["detail"] == "version 2 is current; read it again"
    assert api("GET", path).json["data"]["version"] == 2


def test_a_malformed_tag_is_a_bad_request(change: Change, path: str) -> None:
    """Most often quotes are missing, which the problem says."""
    for tag in ("2", '"2', '2"', 'w/"2"', '"2" "3"', '"2";', '*, "2"', '"a b"', "'2'", 'W/"2"x', 'W/ "2"'):
        found = problem(change(path, tag), 400, "bad_request")
        assert found["errors"][0]["code"] == "malformed_tag"
        assert 'such as "3"' in found["detail"]


@pytest.mark.parametrize("if_match", ['"1"', '"7", "8"', 'W/"2"'])
def test_what_would_be_refused_anyway_is_not_a_failed_precondition(
    api: Api, change: Change, path: str, if_match: str
) -> None:
    """What is missing or deleted is a 404, and what others own a 403, whatever If-Match says (section 13.2.1)."""
    problem(change(f"/api/v1/entities/{NOWHERE}", if_match), 404, "not_found")
    problem(change(path, if_match, by="eve"), 403, "permission_denied")
    problem(change(path, if_match, by="nobody"), 401, "not_authenticated")
    api("DELETE", path)
    problem(change(path, if_match), 404, "deleted")


def test_a_change_that_is_malformed_is_told_so_first(api: Api, path: str) -> None:
    """The body's faults matter more than its precondition."""
    problem(api("PUT", path, json={"type": "person"}, headers={"If-Match": '"1"'}), 422, "invalid_input")


def test_a_restoration_heeds_if_match(api: Api, path: str) -> None:
    """It is a change like any other, only that it never needs the header."""
    api("DELETE", path)
    problem(api("POST", f"{path}/restore", headers={"If-Match": '"2"'}), 412, "stale_version")
    answer = api("POST", f"{path}/restore", headers={"If-Match": '"2", "3"'})
    assert (answer.status_code, answer.headers["etag"]) == (200, '"4"')


def test_relationships_heed_if_match(api: Api) -> None:
    """As entities do."""
    path = f"/api/v1/relationships/{api.relationship(api.entity()['id'], api.entity()['id'])['id']}"
    problem(api("PATCH", path, json={"confidence": 1}, headers={"If-Match": '"2"'}), 412, "stale_version")
    problem(api("PATCH", path, json={"confidence": 1}, headers={"If-Match": '"2", "3"'}), 412, "stale_version")
    assert api("PATCH", path, json={"confidence": 1}, headers={"If-Match": '"1"'}).status_code == 200
    problem(api("DELETE", path, headers={"If-Match": '"1"'}), 412, "stale_version")
    assert api("DELETE", path, headers={"If-Match": '"1", "2"'}).status_code == 200


def test_a_setting_makes_if_match_mandatory(make_api: MakeApi) -> None:
    """PUT, PATCH and DELETE of both kinds are then refused without it, and restoring and creating are not."""
    api = make_api(require_if_match="true")
    entity, other = api.entity(), api.entity()
    relationship = api.relationship(entity["id"], other["id"])
    ends = {name: relationship[name] for name in ("source_entity_id", "relationship_type", "target_entity_id")}
    for path, body in (
        (f"/api/v1/relationships/{relationship['id']}", ends),
        (f"/api/v1/entities/{entity['id']}", {"type": "person", "name": "Ada"}),
    ):
        for method in ("PUT", "PATCH", "DELETE"):
            sent = None if method == "DELETE" else body
            problem(api(method, path, json=sent), 428, "if_match_required")
            assert api(method, path, json=sent, headers={"If-Match": '"1"'}).status_code == 200
        assert api("POST", f"{path}/restore").status_code == 200
        assert api("DELETE", path, headers={"If-Match": "*"}).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_client_that_holds_the_present_version_is_told_so_in_short(api: Api, path: str, method: str) -> None:
    """304 with the tag and no body; the comparison is weak (section 13.1.2)."""
    for held in ('"2"', 'W/"2"', '"1", "2"', ' W/"1" ,\tW/"2"', "*", ',"2"'):
        answer = api(method, path, headers={"If-None-Match": held})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == '"2"'
        assert answer.headers["cache-control"] == "private, no-cache"
        assert "content-type" not in answer.headers


def test_a_client_that_holds_another_version_gets_the_record(api: Api, path: str) -> None:
    """Whole, with its tag."""
    for held in ('"1"', 'W/"1", "3"', '""', '"22"', ""):
        answer = api("GET", path, headers={"If-None-Match": held})
        assert (answer.status_code, answer.json["data"]["version"]) == (200, 2)


def test_if_none_match_tells_nothing_to_those_who_may_not_read(api: Api, path: str) -> None:
    """Nor of what is deleted; a malformed one is a bad request."""
    headers = {"If-None-Match": "*"}
    problem(api("GET", path, by="nobody", headers=headers), 401, "not_authenticated")
    problem(api("GET", path, headers={"If-None-Match": "2"}), 400, "bad_request")
    api("DELETE", path)
    problem(api("GET", path, headers=headers), 404, "deleted")
    assert api("GET", path, params={"include_deleted": "true"}, headers=headers).status_code == 304


def test_no_update_is_lost_when_many_change_one_record(api: Api) -> None:
    """Threads that read, add one and write with If-Match until it is taken end up with the sum of all."""
    threads, rounds = 4, 5
    path = f"/api/v1/entities/{api.entity(metadata={'n': 0})['id']}"
    api.token("admin")
    start = threading.Barrier(threads)
    statuses: list[int] = []

    def add() -> None:
        start.wait()
        done = 0
        while done < rounds:
            read = api("GET", path)
            patch = {"metadata": {"n": read.json["data"]["metadata"]["n"] + 1}}
            status = api("PATCH", path, json=patch, headers={"If-Match": read.headers["etag"]}).status_code
            statuses.append(status)
            if status not in (200, 412):
                return
            done += status == 200

    workers = [threading.Thread(target=add) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert set(statuses) <= {200, 412}
    record = api("GET", path).json["data"]
    assert (record["metadata"]["n"], record["version"]) == (threads * rounds, threads * rounds + 1)


def test_of_many_who_change_the_same_version_one_succeeds(api: Api) -> None:
    """The others are told that it has changed, and their change leaves no trace."""
    path = f"/api/v1/entities/{api.entity()['id']}"
    api.token("admin")
    start = threading.Barrier(4)
    answers: list[testing.Result] = []

    def rename(name: str) -> None:
        start.wait()
        answers.append(api("PATCH", path, json={"name": name}, headers={"If-Match": '"1"'}))

    workers = [threading.Thread(target=rename, args=(name,)) for name in ("Ann", "Bob", "Cid", "Dan")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]
    won = next(answer for answer in answers if answer.status_code == 200)
    record = api("GET", path).json["data"]
    assert (record["name"], record["version"]) == (won.json["data"]["name"], 2)
