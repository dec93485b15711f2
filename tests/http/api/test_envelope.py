"""What every answer has in common: the envelope, the request's id, headers, HEAD, OPTIONS and trailing slashes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.http.conftest import NOBODY, Api, MakeApi, making_apis, problem

ENTITIES = "/api/v1/entities"
PAGES = ("/api/v1/docs", "/api/v1/redoc", "/api/v1/problems", "/api/v1/problems/not_found")


@pytest.fixture
def make_api() -> Iterator[MakeApi]:
    """The same on every store."""
    with making_apis("memory://") as make:
        yield make


def test_a_success_is_in_an_envelope(api: Api) -> None:
    """Data, meta and no errors; each answer has its own id and moment, in UTC."""
    before = datetime.now(UTC)
    answers = [api("POST", ENTITIES, json={"type": "x", "name": "X"}), api("GET", ENTITIES), api("GET", ENTITIES)]
    assert all(set(answer.json) == {"data", "meta", "errors"} for answer in answers)
    assert all(answer.json["errors"] == [] for answer in answers)
    ids = [answer.json["meta"]["request_id"] for answer in answers]
    assert len(set(ids)) == 3
    assert ids == [answer.headers["x-request-id"] for answer in answers]
    for answer in answers:
        text = answer.json["meta"]["timestamp"]
        assert text.endswith("Z")
        moment = datetime.fromisoformat(text)
        assert before - timedelta(seconds=1) <= moment <= datetime.now(UTC)
    assert answers[0].headers["content-type"] == "application/json"


@pytest.mark.parametrize("id", ["a", "0" * 64, "Abc-1.2_3", "01a2073d-6ffe-7773-9b9b-989ea67532c6"])
def test_a_client_may_name_its_request(api: Api, id: str) -> None:
    """A well-formed X-Request-ID comes back, in successes, problems and answers without a body."""
    headers = {"X-Request-ID": id}
    assert api("GET", ENTITIES, headers=headers).json["meta"]["request_id"] == id
    assert api("HEAD", ENTITIES, headers=headers).headers["x-request-id"] == id
    for answer in (api("GET", "/nothing", headers=headers), api("GET", ENTITIES, by=NOBODY, headers=headers)):
        assert answer.json["meta"]["request_id"] == answer.headers["x-request-id"] == id


@pytest.mark.parametrize("id", ["", " ", "a b", "0" * 65, 'a"b', "a,b", "<script>", "ä", "${jndi:ldap}", "a\tb"])
def test_a_malformed_request_id_is_replaced(api: Api, id: str) -> None:
    """What could break a log or a page is not taken over."""
    answer = api("GET", ENTITIES, headers={"X-Request-ID": id})
    made = answer.json["meta"]["request_id"]
    assert made == answer.headers["x-request-id"]
    assert made != id
    assert len(made) == 32
    assert made.isalnum()


@pytest.mark.parametrize(
    ("method", "path", "by", "status"),
    [
        ("GET", ENTITIES, "admin", 200),
        ("HEAD", ENTITIES, "admin", 200),
        ("OPTIONS", ENTITIES, NOBODY, 200),
        ("GET", ENTITIES, NOBODY, 401),
        ("GET", "/nothing", NOBODY, 404),
        ("DELETE", ENTITIES, NOBODY, 405),
        ("GET", "/health", NOBODY, 200),
        ("GET", "/metrics", NOBODY, 200),
        ("GET", "/api/v1/openapi.json", NOBODY, 200),
        ("GET", "/api/v1/export", "admin", 200),
        *(("GET", path, NOBODY, 200) for path in PAGES),
    ],
)
def test_every_answer_keeps_browsers_from_mistaking_it(api: Api, method: str, path: str, by: str, status: int) -> None:
    """The security headers are on all, and a policy that lets nothing run; pages for people have their own."""
    answer = api(method, path, by=by)
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["referrer-policy"] == "no-referrer"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-eval" not in policy
    assert "script-src 'unsafe" not in policy
    if path not in PAGES:
        assert policy == "default-src 'none'; frame-ancestors 'none'"
    assert answer.headers["cache-control"]
    assert not {"server", "x-powered-by"} & set(answer.headers)


def test_what_is_told_to_one_account_is_kept_by_no_shared_cache(api: Api) -> None:
    """Data is private and asked for again; problems and tokens are not kept at all."""
    assert api("GET", ENTITIES).headers["cache-control"] == "private, no-cache"
    assert api("GET", ENTITIES, by=NOBODY).headers["cache-control"] == "no-store"
    login = {"email": api.account("eve").email, "password": "correct horse battery"}
    issued = api("POST", "/api/v1/auth/token", by=NOBODY, json=login)
    assert issued.headers["cache-control"] == "no-store"
    assert issued.headers["pragma"] == "no-cache"


def test_head_is_get_without_the_body(api: Api) -> None:
    """The same status and headers (RFC 9110, section 9.3.2), also of problems."""
    path = f"{ENTITIES}/{api.entity()['id']}"
    for where in (ENTITIES, path, f"{ENTITIES}/1", "/api/v1/changes", "/health", "/api/v1/openapi.json", *PAGES):
        get, head = api("GET", where), api("HEAD", where)
        assert (head.status_code, head.content) == (get.status_code, b"")
        differing = {"x-request-id"}
        assert {k: v for k, v in head.headers.items() if k not in differing} == {
            k: v for k, v in get.headers.items() if k not in differing
        }
    assert api("HEAD", ENTITIES, by=NOBODY).status_code == 401


def test_a_trailing_slash_makes_no_difference(api: Api) -> None:
    """For collections, records and pages; between two of them an id is missing."""
    entity = api.entity()
    assert api("GET", f"{ENTITIES}/").json["data"] == [entity]
    assert api("GET", f"{ENTITIES}/{entity['id']}/").json["data"] == entity
    assert api("POST", f"{ENTITIES}/", json={"type": "x", "name": "X"}).status_code == 201
    assert api("GET", "/health/", by=NOBODY).status_code == 200
    problem(api("GET", f"{ENTITIES}//"), 400, "bad_request")


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        (ENTITIES, {"GET", "HEAD", "POST"}),
        (f"{ENTITIES}/1", {"GET", "HEAD", "PUT", "PATCH", "DELETE"}),
        ("/api/v1/auth/token", {"POST"}),
        ("/health", {"GET", "HEAD"}),
    ],
)
def test_options_tells_the_methods_to_everybody(api: Api, path: str, methods: set[str]) -> None:
    """Allow holds what the path takes, and no token is needed."""
    answer = api("OPTIONS", path, by=NOBODY)
    assert (answer.status_code, answer.content) == (200, b"")
    assert {method.strip() for method in answer.headers["allow"].split(",")} - {"OPTIONS"} == methods
    problem(api("OPTIONS", "/nothing", by=NOBODY), 404, "no_route")
