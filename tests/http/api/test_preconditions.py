"""Conditional requests: ETag, If-Match and If-None-Match (RFC 9110, section 13), so that no update is lost."""

import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest
from falcon import testing

from kgl_core import Actor, ActorKind
from kgl_http.api.preconditions import entity_tag
from tests.contract.samples import entity as sample_entity
from tests.contract.samples import keep
from tests.contract.samples import relationship as sample_relationship
from tests.http.conftest import Api, MakeApi, problem

ADA = Actor(ActorKind.USER, "ada")
NOWHERE = "01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.fixture
def path(api: Api) -> str:
    """Where an entity at version 2 is."""
    path = f"/api/v1/entities/{api.entity()['id']}"
    assert version_of(api("PATCH", path, json={"confidence": 0.5})) == 2
    return path


def version_of(answer: testing.Result) -> int:
    """The version that an answer's strong ETag begins with; a digest of the record follows."""
    found = re.fullmatch(r'"([1-9][0-9]*)-[0-9a-f]{16}"', answer.headers["etag"])
    assert found, answer.headers["etag"]
    return int(found[1])


def present(api: Api, path: str) -> str:
    """The ETag of what is there now, deleted or not."""
    tag: str = api("GET", path, params={"include_deleted": "true"}).headers["etag"]
    return tag


Change = Callable[..., testing.Result]


@pytest.fixture(params=["PUT", "PATCH", "DELETE"])
def change(request: pytest.FixtureRequest, api: Api) -> Change:
    """Makes a change, in one of the three ways."""
    body: dict[str, Any] = {"PUT": {"type": "person", "name": "Eve"}, "PATCH": {"name": "Eve"}, "DELETE": None}

    def send(path: str, if_match: str | None = None, **more: Any) -> testing.Result:
        headers = {} if if_match is None else {"If-Match": if_match}
        headers |= more.pop("headers", {})
        return api(request.param, path, json=body[request.param], headers=headers, **more)

    return send


def test_every_answer_with_one_record_has_a_strong_tag(api: Api) -> None:
    """Create, get, change, delete and restore, of both kinds; it is never compressed, and it stays until a change."""
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
            assert version_of(answer) == version
            last = answer.headers["etag"]
            assert "content-encoding" not in answer.headers
            assert answer.headers["cache-control"] == "private, no-cache"
        assert last == present(api, path)


@pytest.mark.parametrize("if_match", ["{}", '"1", {}', "*"])
def test_a_change_of_the_present_state_is_made(api: Api, change: Change, path: str, if_match: str) -> None:
    """By one tag, by one of several, or by * for any."""
    answer = change(path, if_match.format(present(api, path)))
    assert answer.status_code == 200, answer.text
    assert version_of(answer) == 3


def test_tags_may_be_written_in_many_ways(api: Api, path: str) -> None:
    """Spaces, tabs, empty elements of the list, and tags that are not ours do no harm."""
    tags = (
        " {} ",
        '"1",{}',
        '{},"99"',
        'W/"1",{}',
        ",,{},",
        '"1"\t,\t{}',
        " * ",
        '"a,b", {}',
        '"\xe9", {}',
    )
    for version, tag in enumerate(tags, 2):
        patch = {"confidence": version / 100}
        answer = api("PATCH", path, json=patch, headers={"If-Match": tag.format(present(api, path))})
        assert (answer.status_code, version_of(answer)) == (200, version + 1), tag


def test_a_change_whose_tags_name_other_versions_is_refused(api: Api, change: Change, path: str) -> None:
    """The comparison is strong: a weak tag never matches (section 13.1.1). Nothing changes."""
    tag = present(api, path)
    digest = tag.strip('"').partition("-")[2]
    near = (f"W/{tag}", f'W/{tag}, "1"', f'"1-{digest}"', f'"3-{digest}"', f'"02-{digest}"', f'"2-{digest[:-1]}"')
    for other in (
        *near,
        '"2"',
        '"2-"',
        f'"2-{"0" * 16}"',
        f'"{digest}"',
        '"1", "3"',
        '""',
        '"\xb2"',
        ",",
        f'"{10**30}"',
    ):
        answer = change(path, other)
        assert problem(answer, 412, "stale_version")["detail"] == "version 2 is current; read it again"
        assert answer.headers["etag"] == tag
    assert api("GET", path).json["data"]["version"] == 2


def test_a_malformed_tag_is_a_bad_request(change: Change, path: str) -> None:
    """Most often quotes are missing, which the problem says."""
    for tag in (
        "2-0123456789abcdef",
        "2",
        '"2',
        '2"',
        'w/"2"',
        '"2" "3"',
        '"2";',
        '*, "2"',
        '"a b"',
        "'2'",
        'W/"2"x',
        'W/ "2"',
    ):
        found = problem(change(path, tag), 400, "bad_request")
        assert found["errors"][0]["code"] == "malformed_tag"
        assert 'such as "3-' in found["detail"]


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
    problem(api("POST", f"{path}/restore", headers={"If-None-Match": "*"}), 412, "precondition_failed")
    answer = api("POST", f"{path}/restore", headers={"If-Match": f'"2", {present(api, path)}'})
    assert (answer.status_code, version_of(answer)) == (200, 4)


def test_relationships_heed_if_match(api: Api) -> None:
    """As entities do."""
    path = f"/api/v1/relationships/{api.relationship(api.entity()['id'], api.entity()['id'])['id']}"
    problem(api("PATCH", path, json={"confidence": 1}, headers={"If-Match": '"2"'}), 412, "stale_version")
    first = present(api, path)
    assert api("PATCH", path, json={"confidence": 1}, headers={"If-Match": first}).status_code == 200
    problem(api("DELETE", path, headers={"If-Match": first}), 412, "stale_version")
    problem(api("DELETE", path, headers={"If-None-Match": present(api, path)}), 412, "precondition_failed")
    assert api("DELETE", path, headers={"If-Match": f"{first}, {present(api, path)}"}).status_code == 200


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
            assert api(method, path, json=sent, headers={"If-Match": present(api, path)}).status_code == 200
        assert api("POST", f"{path}/restore").status_code == 200
        assert api("DELETE", path, headers={"If-Match": "*"}).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_client_that_holds_the_present_version_is_told_so_in_short(api: Api, path: str, method: str) -> None:
    """304 with the tag and no body; the comparison is weak (section 13.1.2)."""
    tag = present(api, path)
    for held in (tag, f"W/{tag}", f'"1", {tag}', f' W/"1" ,\tW/{tag}', "*", f",{tag}"):
        answer = api(method, path, headers={"If-None-Match": held})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag
        assert answer.headers["cache-control"] == "private, no-cache"
        assert "content-type" not in answer.headers


def test_a_client_that_holds_another_version_gets_the_record(api: Api, path: str) -> None:
    """Whole, with its tag."""
    for held in ('"2"', '"1"', 'W/"1", "3"', '""', '"22"', ""):
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
    first = present(api, path)
    start = threading.Barrier(4)
    answers: list[testing.Result] = []

    def rename(name: str) -> None:
        start.wait()
        answers.append(api("PATCH", path, json={"name": name}, headers={"If-Match": first}))

    workers = [threading.Thread(target=rename, args=(name,)) for name in ("Ann", "Bob", "Cid", "Dan")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]
    won = next(answer for answer in answers if answer.status_code == 200)
    record = api("GET", path).json["data"]
    assert (record["name"], record["version"]) == (won.json["data"]["name"], 2)


def test_a_change_that_asks_for_no_record_is_refused(api: Api, change: Change, path: str) -> None:
    """If-None-Match: * asks that there is none, a tag that it is another; weak tags count too (section 13.1.2)."""
    tag = present(api, path)
    for unwanted in ("*", " * ", tag, f"W/{tag}", f'"1", {tag}'):
        answer = api_with(change, path, {"If-None-Match": unwanted})
        assert "If-Match" in problem(answer, 412, "precondition_failed")["detail"]
        assert answer.headers["etag"] == tag
        answer = api_with(change, path, {"If-None-Match": unwanted, "If-Match": tag})
        problem(answer, 412, "precondition_failed")
        problem(api_with(change, path, {"If-None-Match": unwanted, "If-Match": '"1"'}), 412, "stale_version")
        problem(api_with(change, f"/api/v1/entities/{NOWHERE}", {"If-None-Match": unwanted}), 404, "not_found")
        problem(api_with(change, path, {"If-None-Match": unwanted}, by="eve"), 403, "permission_denied")
    problem(api_with(change, path, {"If-None-Match": "2"}), 400, "bad_request")
    assert present(api, path) == tag
    assert api_with(change, path, {"If-None-Match": '"1", W/"2"'}).status_code == 200


def api_with(change: Change, path: str, headers: dict[str, str], **more: Any) -> testing.Result:
    """A change with other headers than If-Match."""
    return change(path, None, headers=headers, **more)


def test_who_may_not_read_is_not_told_the_present_tag(api: Api) -> None:
    """A service that may only write can lose a race like anybody, and learns nothing by it."""
    made = api("POST", "/api/v1/entities", by="writer", json={"type": "person", "name": "Ada"})
    path = made.headers["location"]
    for headers in ({"If-Match": '"9"'}, {"If-None-Match": "*"}):
        answer = api("PATCH", path, by="writer", json={"name": "Eve"}, headers=headers)
        assert answer.status_code == 412
        assert "etag" not in answer.headers
    headers = {"If-Match": made.headers["etag"]}
    assert api("PATCH", path, by="writer", json={"name": "Eve"}, headers=headers).status_code == 200


def test_a_tag_names_content_and_not_only_a_version(make_api: MakeApi) -> None:
    """The same record has the same tag in every store and after a restart, and any difference makes another."""
    moment = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
    entity = sample_entity("Ada ไม้ 🙂", metadata={"b": 1.0, "a": [1, "é"]}, aliases=("パパ", "ハハ"), confidence=0.1)
    other = sample_entity("Note G")
    tags = set()
    for _ in range(2):
        api = make_api()
        if not tags or api.container.engine() is None:
            keep(api.container.store(), entity, other, sample_relationship(entity, other, confidence=1.0))
        tags.add(present(api, f"/api/v1/entities/{entity.id}"))
    assert tags == {entity_tag(entity)}
    differing = [
        attrs.evolve(entity, **change)
        for change in (
            {"name": "Ada ไม่ 🙂"}, {"aliases": ("ハハ", "パパ")}, {"confidence": None}, {"metadata": {"b": 1, "a": []}},
            {"updated_at": moment + timedelta(microseconds=1)}, {"version": 2}, {"key": "k"}, {"created_by": ADA},
            {"deleted_at": moment, "deleted_by": ADA}, {"id": other.id}, {"source": "s"}, {"type": "t"},
        )
    ]  # fmt: skip
    assert len({*tags, *map(entity_tag, differing)}) == len(differing) + 1
