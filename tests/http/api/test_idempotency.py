"""A POST with an Idempotency-Key is done once, and answered alike however often it is sent."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from falcon import testing

from kgl_adapters.clock_and_ids import new_id, now, random
from kgl_adapters.security.sealing import AesGcmSeal
from kgl_core.access.throttling import LOGINS_FROM_ADDRESS
from kgl_core.graph.nouns import GRAPH_NOUNS
from kgl_core.kernel.idempotency import KEPT_FOR, IdempotencyKey
from kgl_core.kernel.units_of_work import Store
from kgl_core.storage.idempotent_store import HeldStore, Hold
from kgl_http.api.operations import takes_key
from tests.http.calls import call_of, everything, routes_of, text_of
from tests.http.conftest import NOBODY, PASSWORD, Api, problem

ENTITIES = "/api/v1/entities"
IMPORT = "/api/v1/import"
REFRESH = "/api/v1/auth/refresh"
CLIENTS = "/api/v1/oauth-clients"
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


def test_every_write_of_the_graph_takes_a_key(api: Api) -> None:
    """Sent twice it is done once, whatever the route."""
    keyed = set()
    for route in routes_of(api):
        if not takes_key(route.method, route.operation):
            continue
        keyed.add(route.template)
        call = call_of(api, route)
        query = {"query_string": "atomic=true"} if route.template == IMPORT else {}
        key = {"Idempotency-Key": text_of("key")}
        first = call.send(api, "admin", headers=key, **query)
        done = everything(api)
        again = call.send(api, "admin", headers=key, **query)
        assert (str(route), first.status_code // 100) == (str(route), 2)
        assert (str(route), again.status_code, again.content) == (str(route), first.status_code, first.content)
        assert everything(api) == done, route
        differs = call.send(api, "admin", headers=key, query_string="atomic=true&dry_run=true")
        problem(differs, 422, "idempotency_key_reused")
    collections = {f"/api/v1/{noun.plural}" for noun in GRAPH_NOUNS}
    others = {"/api/v1/runs", "/api/v1/runs/{id}/end", "/api/v1/extractions/reinstate", IMPORT}
    others |= {"/api/v1/sources", "/api/v1/extractors"}
    below = {f"{path}/{{id}}/{name}" for path in collections for name in ("restore", "assertions")}
    assert keyed == {*collections, *below, *others}


def test_no_login_and_no_token_takes_a_key(api: Api) -> None:
    """No answer is kept: the password is checked and counted each time, and a kept token can't come back."""
    login = {"email": api.account("somebody").email, "password": PASSWORD}
    token = "/api/v1/auth/token"
    first, again = (post(api, token, by=NOBODY, json=login) for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json["refresh_token"] != again.json["refresh_token"]
    for _ in range(LOGINS_FROM_ADDRESS.attempts_max):
        problem(post(api, token, by=NOBODY, json={**login, "password": "wrong"}), 401, "invalid_credentials")
    problem(post(api, token, by=NOBODY, json=login), 429, "too_many_attempts")
    refreshed = {"refresh_token": again.json["refresh_token"]}
    tokens = {post(api, REFRESH, by=NOBODY, json=refreshed).json["access_token"] for _ in range(2)}
    assert len(tokens) == 2
    made = [post(api, CLIENTS, json={"name": "ai", "scopes": ["graph:read"]}).json["data"] for _ in range(2)]
    assert made[0]["secret"] != made[1]["secret"]
    with api.container.store().read() as uow:
        assert uow.answers.get(IdempotencyKey(KEY, None).id) is None
        assert uow.answers.get(IdempotencyKey(KEY, api.actor("admin")).id) is None


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


def test_what_is_kept_tells_nothing_without_the_key(api: Api) -> None:
    """Neither the key, nor what the answer or the request says."""
    made = post(api, json={**ADA, "metadata": {"note": "confidential"}}).json["data"]
    with api.container.store().read() as uow:
        key = IdempotencyKey(KEY, api.actor("admin"))
        kept = uow.answers.get(key.id)
    assert kept is not None
    for text in (KEY, made["id"], "confidential"):
        assert text.encode() not in kept.id + kept.fingerprint + kept.answer
        assert text not in repr(kept) + repr(key)
    seal = AesGcmSeal(random)
    assert b"confidential" in seal.unseal(key, kept.answer)
    for wrong in (IdempotencyKey("other", key.caller), IdempotencyKey(KEY, None)):
        with pytest.raises(ValueError, match="not sealed under this key"):
            seal.unseal(wrong, kept.answer)


def test_a_large_answer_is_compressed_for_who_takes_it(api: Api) -> None:
    """What is kept is the answer as it was before; each repetition is sent as its own request asks."""
    accepts = {"Accept-Encoding": "gzip"}
    big = {**ADA, "metadata": {str(n): "x" * 100 for n in range(40)}}
    entity = post(api, json=big).json["data"]
    api("DELETE", f"{ENTITIES}/{entity['id']}")
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
    store: HeldStore = api.container.idempotent_store()
    key = IdempotencyKey(KEY, api.actor("admin"))
    api.token("admin")
    with store.hold(key.id) as hold, store.begin() as uow:
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
    store = api.container.idempotent_store()
    monkeypatch.setattr(store, "_now", lambda: now() + KEPT_FOR)
    other = {**ADA, "name": "Grace Hopper"}
    made = post(api, json=other).json["data"]["id"]
    assert made != first
    assert post(api, json=other).json["data"]["id"] == made
    assert api.kg.stats().entities.active == 2
