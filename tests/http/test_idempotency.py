"""A POST with an Idempotency-Key is done once, and answered alike however often it is sent."""

import threading
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import pytest
from falcon import testing

from kgl_adapters.sealing import AesGcmSeal
from kgl_adapters.system import new_id, now, random
from kgl_core.idempotency import KEPT_FOR, HeldStore, Hold, IdempotencyKey
from kgl_core.throttling import LOGINS_FROM_ADDRESS
from kgl_core.unit_of_work import Store
from tests.http.calls import call_of, everything, routes_of, text_of
from tests.http.conftest import AS_FORM, NOBODY, PASSWORD, Api, problem

ENTITIES = "/api/v1/entities"
IMPORT = "/api/v1/import"
REFRESH = "/api/v1/auth/refresh"
CHANGE_PASSWORD = "/api/v1/auth/password"
KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"
ADA = {"type": "person", "name": "Ada Lovelace"}
KEPT_HEADERS = ("location", "etag", "content-type", "cache-control")


def post(api: Api, path: str = ENTITIES, *, key: str = KEY, **request: Any) -> testing.Result:
    """A POST with a key; of an entity, unless something else is given."""
    headers = {"Idempotency-Key": key, **request.pop("headers", {})}
    return api("POST", path, headers=headers, **{"json": ADA, **request})


def test_a_repeated_post_is_answered_alike_and_done_once(api: Api) -> None:
    """Byte for byte, with the headers that belong to the answer; only the request has an id of its own."""
    first, again = post(api), post(api)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    for name in KEPT_HEADERS:
        assert first.headers[name] == again.headers[name]
    assert first.headers["x-request-id"] != again.headers["x-request-id"]
    assert api.kg.stats().entities.active == 1


def test_without_a_key_every_post_is_done(api: Api) -> None:
    """As ever."""
    assert [api("POST", ENTITIES, json=ADA).status_code for _ in range(2)] == [201, 201]
    assert api.kg.stats().entities.active == 2


def test_a_key_belongs_to_one_request(api: Api) -> None:
    """Another body, path or query under it is refused, and does nothing."""
    made = post(api).json["data"]["id"]
    api("DELETE", f"{ENTITIES}/{made}")
    for path, request in (
        (ENTITIES, {"json": {**ADA, "name": "Grace Hopper"}}),
        (f"{ENTITIES}/{made}/restore", {}),
        (ENTITIES, {"query_string": "a=b"}),
    ):
        problem(post(api, path, **request), 422, "idempotency_key_reused")
    assert api("GET", f"{ENTITIES}/{made}").status_code == 404
    assert post(api).json["data"]["id"] == made


def test_callers_do_not_meet_in_a_key(api: Api) -> None:
    """The same key from another account or service is another key."""
    answers = [post(api, by=by) for by in ("admin", "somebody", "writer")]
    assert [answer.status_code for answer in answers] == [201] * 3
    assert len({answer.json["data"]["id"] for answer in answers}) == 3


def test_an_error_is_not_kept(api: Api) -> None:
    """What was refused can be mended and sent again under the same key."""
    problem(post(api, json={"type": "person"}), 422, "invalid_input")
    assert post(api).status_code == 201
    assert api.kg.stats().entities.active == 1


def test_every_post_takes_a_key(api: Api) -> None:
    """Sent twice it is done once, whatever the route; but for those that have no effect."""
    unkeyed = set()
    for route in routes_of(api):
        if route.method != "POST":
            continue
        if route.operation.is_repeatable:
            unkeyed.add(route.template)
            continue
        by = text_of("somebody") if route.template == CHANGE_PASSWORD else "admin"
        call = call_of(api, route)
        query = {"query_string": "atomic=true"} if route.template == IMPORT else {}
        key = {"Idempotency-Key": text_of("key")}
        first = call.send(api, by, headers=key, **query)
        api.token(by)  # a login changes the account
        done = everything(api)
        again = call.send(api, by, headers=key, **query)
        assert (str(route), first.status_code // 100) == (str(route), 2)
        assert (str(route), again.status_code, again.content) == (str(route), first.status_code, first.content)
        assert everything(api) == done, route
        differs = call.send(api, by, headers=key, query_string="atomic=true&dry_run=true")
        problem(differs, 422, "idempotency_key_reused")
    assert unkeyed == {"/api/v1/oauth/token", "/api/v1/oauth/introspect"}


@pytest.mark.parametrize("key", ["", '"', '""', '"a', "a b", "ä", '"a";b=1', '"a", "b"', '"\\a"', "k" * 256])
def test_a_malformed_key_is_refused(api: Api, key: str) -> None:
    """It says what a key is; nothing is done."""
    found = problem(post(api, key=key), 400, "bad_request")
    assert found["errors"][0]["code"] == "malformed_idempotency_key"
    assert api.kg.stats().entities.active == 0


def test_a_key_in_quotes_is_the_same_key(api: Api) -> None:
    """The draft asks for quotes, most clients leave them out."""
    keys = ("a", '"a"', "k" * 255, f'"{"k" * 255}"', "a\\b", r'"a\\b"')
    ids = [post(api, key=key).json["data"]["id"] for key in keys]
    assert ids[0::2] == ids[1::2]
    assert len(set(ids)) == 3


def test_a_replay_needs_a_token_in_force(api: Api) -> None:
    """Who may not make the request is not told how it was answered."""
    post(api)
    problem(post(api, by=NOBODY), 401, "not_authenticated")
    problem(post(api, by=NOBODY, headers={"Authorization": "Bearer x"}), 401, "invalid_token")
    problem(post(api, by="reader"), 403, "permission_denied")


def test_an_import_is_kept_as_a_whole_or_takes_no_key(api: Api) -> None:
    """Its effect must be one, and its answer short; a dry run has no effect, so nothing is kept of it."""
    line = b'{"kind": "entity", "key": "ada", "type": "person", "name": "Ada"}\n'
    request: dict[str, Any] = {"json": None, "body": line, "headers": {"Content-Type": "application/x-ndjson"}}
    for query, codes in (
        ("", ["needs_atomic"]),
        ("results=all", ["needs_atomic", "answer_too_long"]),
        ("atomic=true&results=all", ["answer_too_long"]),
    ):
        found = problem(post(api, IMPORT, query_string=query, **request), 400, "bad_request")
        assert [fault["code"] for fault in found["errors"]] == codes
    dry = post(api, IMPORT, query_string="atomic=true&dry_run=true", **request)
    assert dry.status_code == 200
    first, again = (post(api, IMPORT, query_string="atomic=true", **request) for _ in range(2))
    assert (first.status_code, first.json["summary"]["created"]) == (200, 1)
    assert again.content == first.content
    assert again.headers["content-type"] == "application/x-ndjson"
    problem(
        post(api, IMPORT, query_string="atomic=true", **{**request, "body": line * 2}), 422, "idempotency_key_reused"
    )


def test_a_repeated_login_is_not_counted(api: Api) -> None:
    """It is answered before any work is done for it; a wrong password is counted as ever, with a key or without."""
    login = {"email": api.account("somebody").email, "password": PASSWORD}
    token = "/api/v1/auth/token"
    hasher = api.container.hasher()
    first = post(api, token, by=NOBODY, json=login)
    done = list(hasher.done)
    for _ in range(LOGINS_FROM_ADDRESS.attempts_max + 1):
        assert post(api, token, by=NOBODY, json=login).content == first.content
    assert hasher.done == done
    for _ in range(LOGINS_FROM_ADDRESS.attempts_max):
        wrong = post(api, token, key=text_of("key"), by=NOBODY, json={**login, "password": "wrong"})
        problem(wrong, 401, "invalid_credentials")
    problem(post(api, token, key="other", by=NOBODY, json=login), 429, "too_many_attempts")


def test_a_refresh_token_used_twice_ends_its_family_with_a_key_too(api: Api) -> None:
    """What a use case keeps although it refuses is kept: a thief gains nothing by a key."""
    call = {"by": NOBODY, "json": {"email": api.account("somebody").email, "password": PASSWORD}}
    old = api("POST", "/api/v1/auth/token", **call).json["refresh_token"]
    new = post(api, REFRESH, by=NOBODY, json={"refresh_token": old}).json["refresh_token"]
    newest = post(api, REFRESH, by=NOBODY, key="2", json={"refresh_token": new}).json["refresh_token"]
    problem(post(api, REFRESH, by=NOBODY, key="stolen", json={"refresh_token": old}), 401, "invalid_token")
    problem(post(api, REFRESH, by=NOBODY, key="3", json={"refresh_token": newest}), 401, "invalid_token")


def test_what_is_kept_tells_nothing_without_the_key(api: Api) -> None:
    """Neither the key, nor the secret in the answer, nor the password in the request."""
    made = post(api, "/api/v1/oauth-clients", json={"name": "ai", "scopes": ["graph:read"]}).json["data"]
    with api.container.store().read() as uow:
        key = IdempotencyKey(KEY, api.actor("admin"))
        kept = uow.answers.get(key.id)
    assert kept is not None
    for text in (KEY, made["secret"], "graph:read"):
        assert text.encode() not in kept.id + kept.fingerprint + kept.answer
        assert text not in repr(kept) + repr(key)
    seal = AesGcmSeal(random)
    assert made["secret"].encode() in seal.unseal(key, kept.answer)
    for wrong in (IdempotencyKey("other", key.caller), IdempotencyKey(KEY, None)):
        with pytest.raises(ValueError, match="not sealed under this key"):
            seal.unseal(wrong, kept.answer)


def test_a_large_answer_is_compressed_for_who_takes_it(api: Api) -> None:
    """What is kept is the answer as it was before; each repetition is sent as its own request asks."""
    accepts = {"Accept-Encoding": "gzip"}
    big = {**ADA, "metadata": {str(n): "x" * 100 for n in range(40)}}
    entity = post(api, json=big).json["data"]
    api("DELETE", f"{ENTITIES}/{entity['id']}")
    user = api.account("somebody").id
    path = f"/api/v1/users/{user}/disable"
    plain, packed = post(api, path, key="2"), post(api, path, key="2", headers=accepts)
    assert packed.content == plain.content
    answers = [post(api, json=big, headers=headers) for headers in ({}, accepts, {})]
    assert [answer.json["data"] for answer in answers] == [entity] * 3


@pytest.mark.parametrize("broken", ["seal", "commit"])
def test_a_crash_leaves_neither_effect_nor_answer(api: Api, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    """Whatever breaks before both are committed; the client sends it again under the same key."""
    place = AesGcmSeal if broken == "seal" else Hold
    with monkeypatch.context() as patch:
        patch.setattr(place, "seal" if broken == "seal" else "release", lambda *_: 1 // 0)
        answer = post(api)
        problem(answer, 500, "internal_error")
        assert {"location", "etag"}.isdisjoint(answer.headers)
    assert api.kg.stats().entities.active == 0
    assert post(api).status_code == 201
    assert api.kg.stats().entities.active == 1


def test_duplicates_at_the_same_time_make_one_effect(api: Api) -> None:
    """Of 20, each is answered alike or told to come again; and then it is answered alike."""
    api.token("admin")
    start = threading.Barrier(20)

    def send(_: int) -> testing.Result:
        start.wait(timeout=30)
        return post(api)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(send, range(20)))
    made = [answer for answer in answers if answer.status_code == 201]
    for answer in answers:
        if answer.status_code != 201:
            problem(answer, 409, "request_in_flight")
            assert answer.headers["retry-after"] == "1"
    assert {answer.content for answer in made} == {post(api).content}
    assert api.kg.stats().entities.active == 1


def test_a_request_in_flight_is_not_done_twice(api: Api, concurrent_store: Store) -> None:
    """Who comes while the first is being worked on is told when to come again; and then is answered alike."""
    effects: HeldStore = api.container.effects()
    key = IdempotencyKey(KEY, api.actor("admin"))
    api.token("admin")
    with effects.hold(key.id) as hold, effects.begin() as uow:
        assert uow.entities.get(new_id()) is None
        answer = post(api)
        problem(answer, 409, "request_in_flight")
        assert answer.headers["retry-after"] == "1"
        hold.finish(b"", b"")
    assert post(api).status_code == 201
    assert api.kg.stats().entities.active == 1


def test_an_answer_is_forgotten_after_a_day(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then its key is as if never used, even for another request."""
    first = post(api).json["data"]["id"]
    effects = api.container.effects()
    monkeypatch.setattr(effects, "_now", lambda: now() + KEPT_FOR)
    other = {**ADA, "name": "Grace Hopper"}
    made = post(api, json=other).json["data"]["id"]
    assert made != first
    assert post(api, json=other).json["data"]["id"] == made
    assert api.kg.stats().entities.active == 2


def test_service_clients_are_refused_in_their_own_way(api: Api) -> None:
    """What is wrong with a key is an error of OAuth 2.0 there; a replay asks for the same proof of who they are."""
    made = api.credentials("service")
    token = {"token": api.token("service")}

    def revoke(secret: str, key: str = KEY) -> testing.Result:
        proof = b64encode(f"{made.client.id}:{secret}".encode()).decode()
        headers = {**AS_FORM, "Authorization": f"Basic {proof}"}
        return post(api, "/api/v1/oauth/revoke", by=NOBODY, key=key, json=None, body=urlencode(token), headers=headers)

    answer = revoke(made.secret, "a b")
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    answer = revoke("wrong")
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    assert [revoke(made.secret).status_code for _ in range(2)] == [200, 200]
    problem(revoke("wrong"), 422, "idempotency_key_reused")
