"""Who may call what: every route of the real application, every method, every kind of caller, in one table."""

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from falcon import inspect
from falcon.constants import COMBINED_METHODS

from tests.http.calls import calls_of, everything, routes_of
from tests.http.conftest import NOBODY, Api, MakeApi, making_apis, problem

# The disabled, the owner and the writer call on records of their own, all others on records of somebody else.
# The last three are service clients: with the scope graph:read, with graph:write, and with both.
TABLE = """
                                                  nobody disabled user  owner moderator admin reader writer service
GET    /                                             302      302  302    302       302   302    302    302     302
GET    /health                                       200      200  200    200       200   200    200    200     200
GET    /health/ready                                 200      200  200    200       200   200    200    200     200
GET    /metrics                                      200      200  200    200       200   200    200    200     200
GET    /.well-known/jwks.json                        200      200  200    200       200   200    200    200     200
GET    /.well-known/oauth-authorization-server       404      404  404    404       404   404    404    404     404
POST   /api/v1/auth/register                         200      200  200    200       200   200    200    200     200
POST   /api/v1/auth/token                            200      200  200    200       200   200    200    200     200
POST   /api/v1/auth/refresh                          200      200  200    200       200   200    200    200     200
POST   /api/v1/auth/logout                           204      204  204    204       204   204    204    204     204
GET    /api/v1/auth/me                               401      401  200    200       200   200    403    403     403
POST   /api/v1/auth/password                         401      401  200    200       200   200    403    403     403
POST   /api/v1/oauth/token                           200      200  200    200       200   200    200    200     200
POST   /api/v1/oauth/revoke                          200      200  200    200       200   200    200    200     200
POST   /api/v1/oauth/introspect                      200      200  200    200       200   200    200    200     200
GET    /api/v1/entities                              401      401  200    200       200   200    200    403     200
POST   /api/v1/entities                              401      401  201    201       201   201    403    201     201
POST   /api/v1/entities/get                          401      401  200    200       200   200    200    403     200
GET    /api/v1/entities/{id}                         401      401  200    200       200   200    200    403     200
PUT    /api/v1/entities/{id}                         401      401  403    200       200   200    403    200     403
PATCH  /api/v1/entities/{id}                         401      401  403    200       200   200    403    200     403
DELETE /api/v1/entities/{id}                         401      401  403    200       200   200    403    200     403
POST   /api/v1/entities/{id}/restore                 401      401  403    403       200   200    403    403     403
GET    /api/v1/entities/{id}/relationships           401      401  200    200       200   200    200    403     200
GET    /api/v1/entities/{id}/assertions             401      401  200    200       200   200    200    403     200
POST   /api/v1/entities/{id}/assertions             401      401  201    201       201   201    403    201     201
GET    /api/v1/entities/{id}/values                 401      401  200    200       200   200    200    403     200
PUT    /api/v1/entities/{id}/pinned                 401      401  403    200       200   200    403    200     403
GET    /api/v1/entities/{id}/neighborhood           401      401  200    200       200   200    200    403     200
GET    /api/v1/entities/{id}/summary                401      401  200    200       200   200    200    403     200
GET    /api/v1/graph/paths                          401      401  200    200       200   200    200    403     200
GET    /api/v1/graph/common                         401      401  200    200       200   200    200    403     200
POST   /api/v1/graph/subgraph                       401      401  200    200       200   200    200    403     200
POST   /api/v1/graph/match                          401      401  200    200       200   200    200    403     200
GET    /api/v1/search                               401      401  200    200       200   200    200    403     200
GET    /api/v1/search/suggest                       401      401  200    200       200   200    200    403     200
POST   /api/v1/search/link                          401      401  200    200       200   200    200    403     200
GET    /api/v1/relationships                         401      401  200    200       200   200    200    403     200
POST   /api/v1/relationships                         401      401  201    201       201   201    403    201     201
GET    /api/v1/relationships/{id}                    401      401  200    200       200   200    200    403     200
PUT    /api/v1/relationships/{id}                    401      401  403    200       200   200    403    200     403
PATCH  /api/v1/relationships/{id}                    401      401  403    200       200   200    403    200     403
DELETE /api/v1/relationships/{id}                    401      401  403    200       200   200    403    200     403
POST   /api/v1/relationships/{id}/restore            401      401  403    403       200   200    403    403     403
GET    /api/v1/relationships/{id}/assertions        401      401  200    200       200   200    200    403     200
POST   /api/v1/relationships/{id}/assertions        401      401  201    201       201   201    403    201     201
GET    /api/v1/relationships/{id}/values            401      401  200    200       200   200    200    403     200
PUT    /api/v1/relationships/{id}/pinned            401      401  403    200       200   200    403    200     403
GET    /api/v1/sources                              401      401  200    200       200   200    200    403     200
POST   /api/v1/sources                              401      401  201    201       201   201    403    201     201
POST   /api/v1/sources/withdraw                     401      401  403    403       200   200    403    403     403
GET    /api/v1/sources/{id}                         401      401  200    200       200   200    200    403     200
PATCH  /api/v1/sources/{id}                         401      401  403    200       200   200    403    200     403
GET    /api/v1/sources/{id}/contribution            401      401  200    200       200   200    200    403     200
PUT    /api/v1/sources/{id}/rank                    401      401  403    403       200   200    403    403     403
GET    /api/v1/extractors                           401      401  200    200       200   200    200    403     200
POST   /api/v1/extractors                           401      401  201    201       201   201    403    201     201
GET    /api/v1/extractors/{id}                      401      401  200    200       200   200    200    403     200
PUT    /api/v1/extractors/{id}/rank                 401      401  403    403       200   200    403    403     403
GET    /api/v1/assertions                           401      401  200    200       200   200    200    403     200
GET    /api/v1/assertions/{id}                      401      401  200    200       200   200    200    403     200
DELETE /api/v1/assertions/{id}                      401      401  403    200       200   200    403    200     403
POST   /api/v1/extractions                          401      401  200    200       200   200    403    200     200
PUT    /api/v1/extractions                          401      401  200    200       200   200    403    200     200
DELETE /api/v1/extractions                          401      401  200    200       200   200    403    200     200
POST   /api/v1/extractions/reinstate                401      401  200    200       200   200    403    200     200
GET    /api/v1/runs                                  401      401  200    200       200   200    200    403     200
POST   /api/v1/runs                                  401      401  201    201       201   201    403    201     201
GET    /api/v1/runs/{id}                             401      401  200    200       200   200    200    403     200
GET    /api/v1/runs/{id}/changes                     401      401  200    200       200   200    200    403     200
POST   /api/v1/runs/{id}/end                         401      401  403    200       200   200    403    200     403
GET    /api/v1/changes                               401      401  200    200       200   200    200    403     200
POST   /api/v1/import                                401      401  200    200       200   200    403    200     200
GET    /api/v1/export                                401      401  200    200       200   200    200    403     200
GET    /api/v1/users                                 401      401  403    403       403   200    403    403     403
GET    /api/v1/users/{id}                            401      401  403    403       403   200    403    403     403
PUT    /api/v1/users/{id}/role                       401      401  403    403       403   200    403    403     403
POST   /api/v1/users/{id}/disable                    401      401  403    403       403   200    403    403     403
POST   /api/v1/users/{id}/enable                     401      401  403    403       403   200    403    403     403
GET    /api/v1/oauth-clients                         401      401  403    403       403   200    403    403     403
POST   /api/v1/oauth-clients                         401      401  403    403       403   201    403    403     403
GET    /api/v1/oauth-clients/{id}                    401      401  403    403       403   200    403    403     403
DELETE /api/v1/oauth-clients/{id}                    401      401  403    403       403   204    403    403     403
POST   /api/v1/oauth-clients/{id}/rotate             401      401  403    403       403   200    403    403     403
GET    /api/v1/admin/ping                            401      401  403    403       403   200    403    403     403
GET    /api/v1/admin/stats                           401      401  403    403       403   200    403    403     403
GET    /api/v1/docs                                  200      200  200    200       200   200    200    200     200
GET    /api/v1/docs/assets/{name}                    200      200  200    200       200   200    200    200     200
GET    /api/v1/redoc                                 200      200  200    200       200   200    200    200     200
GET    /api/v1/problems                              200      200  200    200       200   200    200    200     200
GET    /api/v1/problems/{code}                       200      200  200    200       200   200    200    200     200
GET    /api/v1/openapi.json                          200      200  200    200       200   200    200    200     200
"""


def read_table() -> tuple[list[str], dict[str, Mapping[str, int]]]:
    """The kinds of callers, and the status that each gets of each route."""
    [heading, *lines] = TABLE.strip().splitlines()
    callers = heading.split()
    rows = {}
    for line in lines:
        method, template, *statuses = line.split()
        rows[f"{method} {template}"] = dict(zip(callers, map(int, statuses), strict=True))
    return callers, rows


CALLERS, STATUSES = read_table()
REFUSED = {401: {"not_authenticated", "invalid_token"}, 403: {"permission_denied"}, 404: {"no_route"}}
UNKNOWN_METHODS = {"BREW", "get", "WEBSOCKET"}


@pytest.fixture
def storeless_api() -> Iterator[Api]:
    """The application for tests of what is refused before a store is asked."""
    with making_apis("memory://") as make:
        yield make()


def test_every_route_is_in_the_table(storeless_api: Api) -> None:
    """What is added to the application without saying here who may call it fails, and so does what was taken away."""
    assert sorted(map(str, routes_of(storeless_api))) == sorted(STATUSES)


@pytest.mark.parametrize("caller", CALLERS)
def test_each_caller_gets_what_the_table_says(api: Api, caller: str) -> None:
    """On every route; what is refused is a problem that tells why, and leaves everything as it was."""
    owner = caller if caller in ("owner", "disabled", "writer") else "somebody"
    token = api.token(caller) if caller != NOBODY else ""
    calls = calls_of(api, owner=owner, by=caller)
    if caller == "disabled":
        api.kg.users.disable(api.account(caller).id)
    refused = [call for call in calls if STATUSES[str(call.route)][caller] >= 400]
    wrong, before = [], everything(api)
    for part in (refused, [call for call in calls if call not in refused]):
        for call in part:
            expected = STATUSES[str(call.route)][caller]
            answer = call.send(api, NOBODY, headers={"Authorization": f"Bearer {token}"} if token else {})
            if answer.status_code != expected:
                wrong.append(f"{call.route}: {answer.status_code}, not {expected}: {answer.text[:200]}")
            elif expected >= 400:
                assert problem(answer, expected, answer.json["code"])["code"] in REFUSED[expected]
            if call.path == "/api/v1/auth/password" and answer.status_code == 200:
                token = new_token(api, caller)
        assert wrong == []
        assert part is not refused or everything(api) == before


def new_token(api: Api, caller: str) -> str:
    """Another access token of the account."""
    api._tokens.pop(caller)
    return api.token(caller)


@pytest.mark.parametrize("caller", CALLERS)
def test_head_is_answered_as_get(storeless_api: Api, caller: str) -> None:
    """With the same status, for whoever asks, and without a body."""
    token = storeless_api.token(caller) if caller != NOBODY else ""
    if caller == "disabled":
        storeless_api.kg.users.disable(storeless_api.account(caller).id)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    for call in [call for call in calls_of(storeless_api) if call.route.method == "GET"]:
        answer = storeless_api("HEAD", call.path, by=NOBODY, headers=headers, query_string=call.query)
        assert (answer.status_code, answer.content) == (STATUSES[str(call.route)][caller], b""), call.route


def methods_of(api: Api) -> dict[str, set[str]]:
    """The methods that each path takes, by a path that leads there."""
    found: dict[str, set[str]] = {}
    for call in calls_of(api):
        heads = {"HEAD"} if call.route.method == "GET" else set()
        found.setdefault(call.route.template, set()).update(heads, {call.route.method})
    assert len(found) == len(inspect.inspect_routes(api.client.app))
    return {template.replace("{id}", "0" * 8): methods for template, methods in found.items()}


def test_other_methods_are_refused(storeless_api: Api) -> None:
    """Whoever asks, with those in Allow that the path takes (RFC 9110, section 15.5.6)."""
    for path, methods in methods_of(storeless_api).items():
        for method in {*COMBINED_METHODS, *UNKNOWN_METHODS} - methods - {"OPTIONS"}:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the validator of WSGI knows few methods
                answer = storeless_api(method, path, by=NOBODY if method in COMBINED_METHODS else "admin")
            if method in UNKNOWN_METHODS:
                problem(answer, 400, "http_error")
            else:
                if method != "HEAD":  # which has no body to tell more
                    problem(answer, 405, "method_not_allowed")
                assert answer.status_code == 405
                assert set(answer.headers["allow"].split(", ")) == methods | {"OPTIONS"}


def test_options_tells_nothing_but_the_methods(storeless_api: Api) -> None:
    """To anybody; a browser asks before it sends a token."""
    for path, methods in methods_of(storeless_api).items():
        answer = storeless_api("OPTIONS", path, by=NOBODY)
        assert (answer.status_code, answer.content) == (200, b""), path
        assert set(answer.headers["allow"].split(", ")) == methods


def test_strangers_learn_nothing(storeless_api: Api) -> None:
    """Whatever else is wrong with a request, without a token the answer is that a token is needed."""
    known, unknown = (
        [call for call in calls_of(storeless_api) if STATUSES[str(call.route)][NOBODY] == 401],
        "01890a5d-ac96-774b-bcce-b302099a8057",
    )
    for call in known:
        somewhere_else = call.route.template.replace("{id}", unknown)
        for request in ({}, {"path": somewhere_else}, {"query_string": "x=1"}, {"body": b"{"}, {"body": b"{}"}):
            found = problem(call.send(storeless_api, NOBODY, **request), 401, "not_authenticated")
            assert (
                found["detail"]
                == problem(storeless_api("GET", "/api/v1/auth/me", by=NOBODY), 401, found["code"])["detail"]
            )


def test_those_who_may_not_manage_learn_nothing(api: Api) -> None:
    """A user gets the same answer of routes that are for admins, whether there is such an account or not."""
    unknown = "01890a5d-ac96-774b-bcce-b302099a8057"
    for call in calls_of(api):
        if STATUSES[str(call.route)]["moderator"] == 403:
            paths: list[dict[str, Any]] = [{}, {"path": call.route.template.replace("{id}", unknown)}, {"body": b"{"}]
            details = {problem(call.send(api, "user", **path), 403, "permission_denied")["detail"] for path in paths}
            assert len(details) == 1, call.route


def test_an_import_keeps_to_its_senders_permissions(api: Api) -> None:
    """What a user may not change is refused line by line, and the rest is kept."""
    mine, theirs = api.entity(by="user", key="mine"), api.entity(by="owner", key="theirs")
    lines = b"".join(
        b'{"kind":"entity","key":"%s","type":"person","name":"Eve"}\n' % key for key in (b"mine", b"theirs", b"new")
    )
    headers = {"Content-Type": "application/x-ndjson"}
    answer = api("POST", "/api/v1/import", by="user", body=lines, headers=headers)
    assert b'"number":2,"outcome":"refused"' in answer.content
    assert b'{"created":1,"updated":1,"unchanged":0,"kept":0,"refused":1,"is_kept":true,' in answer.content
    names = [api("GET", f"/api/v1/entities/{entity['id']}").json["data"]["name"] for entity in (mine, theirs)]
    assert names == ["Eve", "Ada"]


def test_the_creator_is_who_the_token_says(api: Api) -> None:
    """Whatever the body claims: it has no field for that."""
    for field in ("created_by", "id", "version", "deleted_by", "is_active", "created_at"):
        body = {"type": "person", "name": "Eve", field: None}
        assert problem(api("POST", "/api/v1/entities", by="user", json=body), 422, "invalid_input")["errors"]
    assert api.entity(by="user")["created_by"] == {"kind": "user", "id": str(api.account("user").id)}


def test_disabled_means_disabled_at_once_on_other_workers(make_api: MakeApi) -> None:
    """A worker that has not seen the account lately reads it as it is."""
    api = make_api()
    token = api.token("user")
    api.kg.users.disable(api.account("user").id)
    headers = {"Authorization": f"Bearer {token}"}
    problem(api("GET", "/api/v1/auth/me", by=NOBODY, headers=headers), 401, "invalid_token")
