"""Problems (RFC 9457): every error has one form and a stable code, and tells nothing that is secret."""

import errno
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kgl_core.access.oauth_errors import OAuthError
from kgl_core.kernel import errors, store_errors
from kgl_core.kernel.errors import FAULTS_MAX, KglError
from kgl_core.kernel.store_errors import StoreFault, StoreFull
from kgl_http.api.problems import PROBLEMS, BadRequest
from kgl_http.server.listener import CannotListen
from tests.http.conftest import NOBODY, Api, MakeApi, making_apis, problem

ENTITIES = "/api/v1/entities"
# Never raised as such, only when the service starts, or never by what a client does.
UNEXPECTED = {"error", "conflict", "store_error", "store_fault", "invalid_url", "invalid_keys", "cannot_listen"}
SECRET = "Zm9yIHRlc3RzIG9ubHksIDQ4IGNoYXJhY3RlcnMgbG9uZy4"


@pytest.fixture
def make_api() -> Iterator[MakeApi]:
    """The same on every store."""
    with making_apis("memory://") as make:
        yield make


@pytest.fixture
def file(sqlite_template: Path, tmp_path: Path) -> Path:
    """A migrated SQLite file."""
    return Path(shutil.copy(sqlite_template, tmp_path / "graph.db"))


def all_errors(cls: type[KglError] = KglError) -> set[str]:
    """The codes of an error class and all below it."""
    return {cls.code}.union(*(all_errors(below) for below in cls.__subclasses__()))


def test_every_error_has_a_problem() -> None:
    """The core's and our own; what has none is an unexpected error on purpose."""
    assert CannotListen in KglError.__subclasses__()
    assert all_errors() - set(PROBLEMS) == UNEXPECTED | all_errors(OAuthError)  # these are told as RFC 6749 has it
    assert errors.KglError.code == "error"


def test_every_problem_has_a_page(api: Api) -> None:
    """Where its ``type`` leads, for everybody to read; there is a list of them all."""
    listed = api("GET", "/api/v1/problems", by=NOBODY)
    for code, known in PROBLEMS.items():
        page = api("GET", f"/api/v1/problems/{code}", by=NOBODY)
        assert page.status_code == 200
        assert page.headers["content-type"].startswith("text/html")
        assert known.title in page.text
        assert str(known.status) in page.text
        assert f"problems/{code}" in listed.text
    problem(api("GET", "/api/v1/problems/nothing", by=NOBODY), 404, "not_found")


def test_what_can_pass_says_when_to_try_again(api: Api) -> None:
    """Every problem of status 503 and 507 has a Retry-After; nothing else from the table has."""
    for known in PROBLEMS.values():
        assert (known.retry_after_s is not None) == (known.status in (503, 507))
    assert all(known.title and known.explanation.endswith(".") for known in PROBLEMS.values())


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/api/v1/nothing", "/api/v1/entities/a/b/c", "/static/..%2f..%2fetc%2fpasswd", "/api/v2/entities"],
)
def test_a_path_that_leads_nowhere_says_where_to_look(api: Api, path: str) -> None:
    """Whoever asks, with the path as it was asked for."""
    for by in (NOBODY, "user"):
        found = problem(api("GET", path, by=by), 404, "no_route")
        assert "/api/v1/openapi.json" in found["detail"]
        assert found["errors"] == []


def test_the_instance_is_a_reference_that_anything_can_read(api: Api) -> None:
    """Percent-encoded, whatever bytes were asked for (RFC 3986)."""
    found = problem(api("GET", "/api/v1/%F0%9F%92%A9%00 %22%3C"), 404, "no_route")
    assert found["instance"] == "/api/v1/%F0%9F%92%A9%00%20%22%3C"


def test_references_hold_below_a_prefix(api: Api) -> None:
    """Where a proxy mounts the service below a path, type, instance and Location say so."""
    root = {"root_path": "/lab"}
    found = problem(api("GET", "/api/v1/nothing", **root), 404, "no_route")
    assert (found["type"], found["instance"]) == ("/lab/api/v1/problems/no_route", "/lab/api/v1/nothing")
    assert "at /lab/api/v1/openapi.json" in found["detail"]
    found = problem(api("GET", ENTITIES, by=NOBODY, **root), 401, "not_authenticated")
    assert "POST /lab/api/v1/auth/token" in found["detail"]
    made = api("POST", ENTITIES, json={"type": "x", "name": "X"}, **root)
    assert made.headers["location"] == f"/lab{ENTITIES}/{made.json['data']['id']}"


def test_a_method_that_a_path_does_not_take_says_which_it_takes(api: Api) -> None:
    """405 with Allow, before anybody is asked for a token."""
    answer = api("DELETE", ENTITIES, by=NOBODY)
    found = problem(answer, 405, "method_not_allowed")
    assert "does not take DELETE" in found["detail"]
    assert {method.strip() for method in answer.headers["allow"].split(",")} >= {"GET", "HEAD", "POST"}
    problem(api("GET", "/api/v1/auth/token"), 405, "method_not_allowed")
    problem(api("TRACE", ENTITIES), 405, "method_not_allowed")


@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD")
@pytest.mark.parametrize("method", ["WEBSOCKET", "FOO", "get", "LOCK"])
def test_a_method_that_nobody_knows_is_the_clients_mistake(api: Api, method: str) -> None:
    """Also the one that Falcon keeps for itself; and the service counts it like any other."""
    answer = api(method, ENTITIES)
    assert answer.status_code in (400, 405)
    assert answer.json["code"] in ("http_error", "method_not_allowed")
    assert answer.json["meta"]["request_id"] == answer.headers["x-request-id"]
    assert "kgl_http_requests_in_flight 1.0" in api("GET", "/metrics", by=NOBODY).text


def test_a_body_of_another_kind_says_what_to_send(api: Api) -> None:
    """By media type, charset and coding, for every operation with a body."""
    for content_type in ("", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"):
        answer = api("POST", ENTITIES, body=b'{"type":"x","name":"X"}', headers={"Content-Type": content_type})
        assert "application/json" in problem(answer, 415, "unsupported_media_type")["detail"]
    headers = {"Content-Type": "application/json", "Content-Encoding": "br"}
    problem(api("POST", ENTITIES, body=b"\x1f\x8b", headers=headers), 415, "unsupported_media_type")
    problem(
        api("POST", ENTITIES, body=b"{}", content_type="application/merge-patch+json"), 415, "unsupported_media_type"
    )


def test_a_body_has_at_most_a_mebibyte(api: Api) -> None:
    """413 for a byte more; at the limit it is read and judged."""
    body = b'{"type":"x"}'
    at_limit = body.ljust(1024 * 1024)
    problem(api("POST", ENTITIES, body=at_limit, content_type="application/json"), 422, "invalid_input")
    over = api("POST", ENTITIES, body=at_limit + b" ", content_type="application/json")
    assert "1048576" in problem(over, 413, "body_too_large")["detail"]


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b'{"name":', b"{'a':1}", b'{"a":NaN}', b'{"a":-Infinity}', b'{"a":1,"a":2}', b"\xff"),
        *(b"9" * 5000, b"[" * 100_000, b"[" * 65 + b"]" * 65, b'{"name":"\xed\xa0\x80"}', b'{"a":1}{', b"{}\x00"),
    ],
)  # fmt: skip
def test_a_body_that_is_no_json_says_where(api: Api, body: bytes) -> None:
    """400, and not 422: there is nothing that could break a rule."""
    found = problem(api("POST", ENTITIES, body=body, content_type="application/json"), 400, "malformed_json")
    assert [fault["pointer"] for fault in found["errors"]] == [""]


@pytest.mark.parametrize("body", [b"null", b"[]", b'"x"', b"7", b"true"])
def test_json_that_is_no_object_breaks_a_rule(api: Api, body: bytes) -> None:
    """422 under the whole body's pointer."""
    found = problem(api("POST", ENTITIES, body=body, content_type="application/json"), 422, "invalid_input")
    assert [(fault["pointer"], fault["code"]) for fault in found["errors"]] == [("", "not_an_object")]


def test_a_problem_names_a_hundred_faults_at_most(api: Api) -> None:
    """And says that there are more."""
    found = problem(api("POST", ENTITIES, json={f"x{n}": n for n in range(300)}), 422, "invalid_input")
    assert len(found["errors"]) == FAULTS_MAX + 1
    assert found["errors"][-1]["code"] == "more_faults"
    found = problem(api("GET", ENTITIES, query_string="&".join(f"x{n}=" for n in range(300))), 400, "bad_request")
    assert len(found["errors"]) == len(BadRequest([]).faults) + FAULTS_MAX + 1


def test_what_nobody_thought_of_is_told_by_an_id_only(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log has what happened; the client has the id to ask by, and no word of it."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("hunter22 at db.internal")

    monkeypatch.setattr("kgl_core.graph.editing_entities.Entities.list_json", fail)
    answer = api("GET", ENTITIES)
    found = problem(answer, 500, "internal_error")
    assert found["meta"]["request_id"] in found["detail"]
    assert answer.headers["cache-control"] == "no-store"
    for secret in ("hunter22", "db.internal", "RuntimeError", "Traceback", ".py"):
        assert secret not in answer.text


def test_what_a_database_says_stays_in_the_log(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names hosts, users and files; a full disk is 507, a fault that nobody knows 500."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("kgl_core.graph.editing_entities.Entities.list_json", fail)
    for error, status, code in (  # `fail` raises it
        (StoreFault("relation secret_table of user hunter22"), 500, "internal_error"),
        (StoreFull(), 507, "store_full"),
        (OSError(errno.EDQUOT, "hunter22"), 507, "store_full"),
        (OSError(errno.EMFILE, "hunter22"), 503, "overloaded"),
        (OSError(errno.EIO, "hunter22"), 500, "internal_error"),
        (store_errors.StoreUnavailable("hunter22@db.internal refuses"), 503, "store_unavailable"),
        (store_errors.MigrationNeeded("postgresql://hunter22@db.internal/kgl", None), 503, "migration_needed"),
        (store_errors.SchemaTooNew("9999_hunter22"), 503, "schema_too_new"),
        (store_errors.StatementTimeout(), 503, "statement_timeout"),
        (store_errors.StoreClosed(), 503, "store_closed"),
        (errors.TransactionConflict(), 503, "transaction_conflict"),
        (store_errors.CommitUnknown(), 503, "commit_unknown"),
        (store_errors.StoreReplaced("/srv/hunter22.db"), 503, "store_replaced"),
        (errors.Overloaded("password hashing", 7), 503, "overloaded"),
    ):
        answer = api("GET", ENTITIES)
        found = problem(answer, status, code)
        assert "hunter22" not in json.dumps(found)
        assert ("retry-after" in answer.headers) == (status in (503, 507))
        if isinstance(error, errors.Overloaded):
            assert answer.headers["retry-after"] == "7"
        if code == "commit_unknown":
            assert answer.headers["retry-after"] == "5"
            assert "same Idempotency-Key" in found["detail"]


def test_when_no_connection_is_free_the_client_is_told_to_come_back(make_api: MakeApi, file: Path) -> None:
    """503 within the time that a request waits, and not a request that waits for ever."""
    api = make_api(database_url=f"sqlite:///{file}", database_pool_size="1", database_pool_timeout="0.1")
    api.token("admin")
    with api.container.engine().connect():
        for method, json_body in (("GET", None), ("POST", {"type": "x", "name": "X"})):
            answer = api(method, ENTITIES, json=json_body)
            problem(answer, 503, "store_busy")
            assert answer.headers["retry-after"] == "1"
    assert api("GET", ENTITIES).json["data"] == []


def test_a_database_that_is_read_only_can_be_read(make_api: MakeApi, file: Path) -> None:
    """What writes is refused with 503, logging in too, as that writes a token."""
    token = make_api(database_url=f"sqlite:///{file}", jwt_secret=SECRET).token("admin")
    api = make_api(database_url=f"sqlite:///file:{file}?mode=ro&uri=true", jwt_secret=SECRET)
    api._tokens["admin"] = token
    assert api("GET", ENTITIES).json["data"] == []
    answer = api("POST", ENTITIES, json={"type": "x", "name": "X"})
    problem(answer, 503, "store_read_only")
    assert answer.headers["retry-after"] == "60"
    login = {"email": "admin@example.org", "password": "correct horse battery"}
    problem(api("POST", "/api/v1/auth/token", by=NOBODY, json=login), 503, "store_read_only")


def test_who_needs_a_token_is_told_how(api: Api) -> None:
    """401 with WWW-Authenticate; what is wrong with a token only to those who sent one (RFC 6750, section 3)."""
    for headers in ({}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}, {"Authorization": ""}):
        answer = api("GET", ENTITIES, by=NOBODY, headers=headers)
        problem(answer, 401, "not_authenticated")
        assert answer.headers["www-authenticate"] == "Bearer"
    for token in ("x", "a.b.c", "ä", "", "a" * 9000):
        answer = api("GET", ENTITIES, by=NOBODY, headers={"Authorization": f"Bearer {token}"})
        if token:
            found = problem(answer, 401, "invalid_token")
            assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
            assert len(token) < 4 or token not in json.dumps(found)
        else:
            assert answer.status_code == 401
    assert api("GET", "/api/v1/auth/me", headers={"Authorization": f"bearer  {api.token('eve')}"}).status_code == 200
