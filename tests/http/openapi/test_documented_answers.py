"""Every answer that the API's document tells of is given for real, and looks as the document says."""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode
from uuid import uuid4

import jsonschema_rs
import pytest
from falcon import testing

from kgl_adapters.memory.kernel.idempotency import MemoryAnswers
from kgl_adapters.sql.kernel.idempotency import SqlAnswers
from kgl_core.access.throttling import CLIENT_FAILURES, LOGINS_FROM_ADDRESS
from kgl_core.kernel.permissions import Actor, ActorKind
from kgl_http.api.authentication import Authenticator
from kgl_http.api.operations import JSON, PROBLEM, takes_key
from kgl_http.api.request import BODY_BYTES_MAX
from tests.http.calls import Call, Route, call_of, calls_of, routes_of, text_of
from tests.http.conftest import AS_FORM, NOBODY, Api, MakeApi
from tests.http.cursors import of_another_history
from tests.http.document import DOCUMENT

Give = Callable[[Api, Route], testing.Result]

REGISTER: Final = "/api/v1/auth/register"
TOKEN: Final = "/api/v1/auth/token"
REFRESH: Final = "/api/v1/auth/refresh"
PASSWORD: Final = "/api/v1/auth/password"
IMPORT: Final = "/api/v1/import"
MANY: Final = "POST /api/v1/extractions"
METADATA: Final = "/.well-known/oauth-authorization-server"


def described(route: Route) -> Mapping[str, Any]:
    """The answers that the document tells of, by status; the default stands for what should not happen."""
    responses = DOCUMENT["paths"][route.template][route.method.lower()]["responses"]
    return {status: resolve(answer) for status, answer in responses.items() if status != "default"}


def resolve(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """A part of the document, or what it refers to."""
    found = part
    for name in part["$ref"].split("/")[1:] if "$ref" in part else ():
        found = DOCUMENT[name] if found is part else found[name]
    return found


def check(route: Route, status: str, answer: testing.Result) -> None:
    """Fail unless the answer has the status, headers, media type and body of the document."""
    where = f"{route}, {status}: {answer.text[:500]}"
    assert answer.status_code == int(status), where
    expected = described(route)[status]
    assert set(map(str.lower, expected["headers"])) <= set(map(str.lower, answer.headers)), where
    if "content" not in expected:
        assert answer.content == b"", where
        return
    media_type = answer.headers["content-type"].partition(";")[0]
    content = expected["content"].get(media_type) or expected["content"]["text/*"]
    schema = {"allOf": [content["schema"]], "components": DOCUMENT["components"]}
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    body = answer.json if media_type in (JSON, PROBLEM) else answer.text
    assert [error.message for error in validator.iter_errors(body)] == [], where


def send(api: Api, route: Route, **request: Any) -> testing.Result:
    """A call of the route that succeeds, but for what the request says; by somebody whose tokens may end by it."""
    by = text_of("somebody") if route.template == PASSWORD else "admin"
    return call_of(api, route).send(api, **{"by": by, **request})


def create_in(api: Api, template: str) -> Call:
    """The call that has created a record in a collection."""
    [call] = [call_of(api, route) for route in routes_of(api) if str(route) == f"POST {template}"]
    assert call.send(api).status_code == 201
    return call


# How each status comes about, for every operation that can have it.


def well(api: Api, route: Route) -> testing.Result:
    """A call that succeeds."""
    return send(api, route)


def not_modified(api: Api, route: Route) -> testing.Result:
    """What the client has already."""
    return send(api, route, headers={"If-None-Match": "*"})


def malformed(api: Api, route: Route) -> testing.Result:
    """A parameter that no operation has."""
    return send(api, route, query_string="nonsense=1")


def unauthorized(api: Api, route: Route) -> testing.Result:
    """No token; or where none is needed, the wrong password or refresh token, or no client."""
    wrong = {TOKEN: {"email": "a@example.org", "password": "wrong"}, REFRESH: {"refresh_token": "wrong"}}
    if route.template in wrong:
        return api("POST", route.template, by=NOBODY, json=wrong[route.template])
    if route.operation.is_for_clients:
        return api("POST", route.template, by=NOBODY, headers=AS_FORM)
    return send(api, route, by=NOBODY)


def missing(make_api: MakeApi) -> Give:
    """A record, page, end or run that does not exist, or what is not told of an issuer without a URL."""
    local = make_api()

    def give(api: Api, route: Route) -> testing.Result:
        if route.template == METADATA:
            return send(local, route)
        if route.template == "/api/v1/relationships":
            ends = {"source_entity_id": str(uuid4()), "target_entity_id": str(uuid4())}
            return api(route.method, route.template, json={**ends, "relationship_type": "knows"})
        if route.operation.takes_run and "{" not in route.template:
            return send(api, route, headers={"Run": str(uuid4())})
        if route.template.startswith("/api/v1/graph/"):
            ends = ("from", "to") if route.template.endswith("/paths") else ("id", "id")
            return api(route.method, route.template, query_string=urlencode([(end, uuid4()) for end in ends]))
        nowhere = route.template.format(id=uuid4(), code="nonsense", name="nonsense")
        return send(api, route, path=nowhere)

    return give


def lost(api: Api, route: Route) -> testing.Result:
    """A cursor that stands at what is not there, or not so."""
    for _ in range(2):
        api.account(text_of("somebody"))
        create_in(api, route.template if f"POST {route.template}" in map(str, routes_of(api)) else "/api/v1/entities")
        api.kg.runs.open()
    path = call_of(api, route).path
    if path.endswith("/neighborhood"):
        api.relationship(path.split("/")[4], api.entity()["id"])
        cut = api("GET", path, params={"max_per_entity": 1}).json["meta"]["truncated"]
        return api("GET", path, params={"cursor": of_another_history(cut["at"][0]["cursor"])})
    if path.endswith("/common"):
        ids = [api.entity()["id"] for _ in range(4)]
        for end in ids[:2]:
            for other in ids[2:]:
                api.relationship(end, other)
        cursor = api("GET", path, params={"id": ids[:2], "limit": 1}).json["meta"]["next_cursor"]
        return api("GET", path, params={"id": ids[:2], "cursor": of_another_history(cursor)})
    if path.endswith("/search"):
        for _ in range(2):
            api.entity(name="Oak")
        cursor = api("GET", path, params={"q": "oak", "limit": 1}).json["meta"]["next_cursor"]
        return api("GET", path, params={"q": "oak", "cursor": of_another_history(cursor)})
    if path.count("/") == 5:
        id = path.split("/")[4]
        for _ in range(2):
            if path.endswith("/assertions"):
                assert api("POST", path, json={"source": text_of("page")}).status_code == 201
            elif path.endswith("/relationships"):
                api.relationship(id, api.entity()["id"])
    cursor = api("GET", path, params={"limit": 1}).json["meta"]["next_cursor"]
    name = "after" if path.endswith("/changes") else "cursor"
    return api("GET", path, params={name: of_another_history(cursor)})


def stale(api: Api, route: Route) -> testing.Result:
    """A version that has passed."""
    return send(api, route, headers={"If-Match": '"99"'})


def other_media_type(api: Api, route: Route) -> testing.Result:
    """A body of another kind."""
    return send(api, route, headers={"Content-Type": "text/plain"})


def unruly(api: Api, route: Route) -> testing.Result:
    """A body that breaks rules; where there is none, a key that belongs to another request."""
    if str(route) == MANY:
        return send(api, route, body=b"\xff\xfe{\0}\0")
    if not route.takes_json and route.template != IMPORT:
        key = {"Idempotency-Key": text_of("key")}
        send(api, route, headers=key)
        return send(api, route, headers=key)
    if route.template == IMPORT:
        return send(api, route, body=b"nonsense\n", query_string="atomic=true")
    return send(api, route, body=b'{"nonsense": 1}')


def twice(api: Api, route: Route) -> testing.Result:
    """What exists already."""
    call = call_of(api, route)
    call.send(api)
    return call.send(api)


def entity_restored_too_late(api: Api, route: Route) -> testing.Result:
    """The key of a deleted entity was taken meanwhile."""
    deleted = api.entity(key="taken")["id"]
    api("DELETE", f"/api/v1/entities/{deleted}")
    api.entity(key="taken")
    return api(route.method, route.template.format(id=deleted))


def relationship_restored_too_early(api: Api, route: Route) -> testing.Result:
    """An end of a deleted relationship is deleted as well."""
    source, target = api.entity()["id"], api.entity()["id"]
    relationship = api.relationship(source, target)["id"]
    api("DELETE", f"/api/v1/entities/{source}")
    return api(route.method, route.template.format(id=relationship))


def with_too_many_relationships(api: Api, route: Route) -> testing.Result:
    """An entity with more relationships than a deletion takes along."""
    hub = api.entity()["id"]
    api.relationship(hub, api.entity()["id"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kgl_core.graph.deleting_and_restoring.TAKEN_ALONG_MAX", 0)
        return send(api, route, path=route.template.format(id=hub))


def in_an_ended_run(api: Api, route: Route) -> testing.Result:
    """Part of a run that has ended."""
    run = api.kg.runs.open().id
    api.kg.runs.end(run)
    return send(api, route, headers={"Run": str(run)})


IN_THE_WAY: Final[Mapping[str, Give]] = {
    f"POST {REGISTER}": twice,
    "POST /api/v1/entities": twice,
    "DELETE /api/v1/entities/{id}": with_too_many_relationships,
    "POST /api/v1/entities/{id}/restore": entity_restored_too_late,
    "POST /api/v1/relationships": twice,
    "POST /api/v1/relationships/{id}/restore": relationship_restored_too_early,
}


def in_the_way(monkeypatch: pytest.MonkeyPatch) -> Give:
    """The present state does not allow it; or where any does, the same request is being worked on."""

    def give(api: Api, route: Route) -> testing.Result:
        if str(route) in IN_THE_WAY:
            return IN_THE_WAY[str(route)](api, route)
        if route.operation.takes_run and not takes_key(route.method, route.operation):
            return in_an_ended_run(api, route)
        query = {"query_string": "atomic=true"} if route.template == IMPORT else {}
        with monkeypatch.context() as patch:
            for answers in (MemoryAnswers, SqlAnswers):
                patch.setattr(answers, "claim", lambda *_: False)
            return send(api, route, headers={"Idempotency-Key": text_of("key")}, **query)

    return give


def too_large(make_api: MakeApi) -> Give:
    """A body of a byte too much."""
    small = make_api(import_bytes_max="1024")

    def give(api: Api, route: Route) -> testing.Result:
        body = b" " * (1025 if route.template == IMPORT else BODY_BYTES_MAX + 1)
        return send(small, route, body=body)

    return give


def unconditional(make_api: MakeApi) -> Give:
    """A change without If-Match, where the settings ask for it."""
    strict = make_api(require_if_match="true")
    return lambda api, route: send(strict, route)


def too_often(make_api: MakeApi) -> Give:
    """One attempt more than there may be."""
    strict = make_api(registrations_per_hour="1")

    def give(api: Api, route: Route) -> testing.Result:
        by = NOBODY if route.template in (REGISTER, TOKEN) else "somebody"
        bodies: Mapping[str, Any] = {
            TOKEN: {"email": "guessed@example.org", "password": "wrong"},
            PASSWORD: {"current_password": "wrong", "new_password": "correct horse battery"},
        }
        body = bodies.get(route.template) or call_of(strict, route).body
        request: Mapping[str, Any] = {"by": by, "json": body}
        if route.operation.is_for_clients:
            request = {"by": NOBODY, "body": urlencode({**body, "client_secret": "wrong"}), "headers": AS_FORM}
        for _ in range(max(LOGINS_FROM_ADDRESS.attempts_max, CLIENT_FAILURES.attempts_max)):
            strict(route.method, route.template, **request)
        return strict(route.method, route.template, **request)

    return give


def forbidden(make_api: MakeApi, monkeypatch: pytest.MonkeyPatch) -> Give:
    """A caller who was granted nothing, such as a service without scopes; or a door that is closed to all."""
    closed = make_api(registration="closed")

    def give(api: Api, route: Route) -> testing.Result:
        if route.template == REGISTER:
            return send(closed, route)
        call = call_of(api, route)
        with monkeypatch.context() as patch:
            patch.setattr(Authenticator, "caller", lambda *_: Actor(ActorKind.SERVICE, "powerless"))
            return call.send(api)

    return give


def unavailable(make_api: MakeApi) -> Give:
    """A store that is closed, as the service stops."""
    stopping = make_api()
    calls: dict[str, Call] = {str(call.route): call for call in calls_of(stopping)}
    stopping.token("admin")
    stopping.kg.close()
    # A token that was verified just now would need no store.
    stopping.container.authenticator()._known.clear()
    stopping.container.authenticator()._bearers.clear()
    stopping.container.readiness()._require_head = stopping.kg.stats  # which needs the store
    return lambda api, route: calls[str(route)].send(stopping)


def test_every_documented_answer_is_given(make_api: MakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """For every operation and every status that it may have, there is a request that is answered so."""
    api = make_api(jwt_issuer="https://kgl.example")
    ways: Mapping[str, Give] = {
        "200": well,
        "201": well,
        "204": well,
        "302": well,
        "304": not_modified,
        "400": malformed,
        "401": unauthorized,
        "403": forbidden(make_api, monkeypatch),
        "404": missing(make_api),
        "409": in_the_way(monkeypatch),
        "410": lost,
        "412": stale,
        "413": too_large(make_api),
        "415": other_media_type,
        "422": unruly,
        "428": unconditional(make_api),
        "429": too_often(make_api),
        "503": unavailable(make_api),
    }
    for route in routes_of(api):
        for status in described(route):
            check(route, status, ways[status](api, route))
