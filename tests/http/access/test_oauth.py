"""OAuth 2.0 over HTTP: tokens for service clients, what they may do, what ends them, and how a client is refused."""

import base64
import io
import json
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus, urlencode

import attrs
import jwt
import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from falcon import testing

from kgl_core import ClientCredentials
from kgl_core.kernel.store_errors import StoreFault
from kgl_http.api import authentication
from kgl_http.api.request import Request
from kgl_http.server.log import Log, current_request
from kgl_http.server.log_lines import LogLines
from tests.adapters.keys import KEYS, pem, verified
from tests.http.access.test_logging_in import Clock
from tests.http.conftest import AS_FORM, NOBODY, PASSWORD, Api, MakeApi, problem

OAUTH = "/api/v1/oauth"
PEER = "127.0.0.1"
METADATA = "/.well-known/oauth-authorization-server"
GRANT = {"grant_type": "client_credentials"}
ENDPOINTS = ("token", "revoke", "introspect")


def form_of(made: ClientCredentials) -> dict[str, str]:
    """What proves in a form who a client is."""
    return {"client_id": str(made.client.id), "client_secret": made.secret}


def basic(id: str, secret: str) -> dict[str, str]:
    """What proves it in a header (RFC 6749, section 2.3.1)."""
    encoded = base64.b64encode(f"{quote_plus(id)}:{quote_plus(secret)}".encode()).decode()
    return {"Authorization": f"Basic {encoded}"}


def basic_of(made: ClientCredentials) -> dict[str, str]:
    """The same, of a client."""
    return basic(str(made.client.id), made.secret)


def post(
    api: Api, what: str, form: Mapping[str, str] | bytes, headers: Mapping[str, str] | None = None
) -> testing.Result:
    """A form, sent to one of the endpoints."""
    body = form if isinstance(form, bytes) else urlencode(form).encode()
    given = {**AS_FORM, **(headers or {})}
    return api("POST", f"{OAUTH}/{what}", by=NOBODY, body=body, headers=given, remote_addr=PEER)


def error(answer: testing.Result, status: int, code: str) -> str:
    """What a client is told that is refused, which must be as RFC 6749 (section 5.2) has it."""
    assert answer.status_code == status, (answer.status, answer.text)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    assert answer.json.keys() == {"error", "error_description"}
    assert answer.json["error"] == code, answer.json
    told: str = answer.json["error_description"]
    assert told
    assert not [char for char in told if not (" " <= char <= "~") or char in '"\\']
    assert ("www-authenticate" in answer.headers) == (status == 401)
    if status == 401:
        assert answer.headers["www-authenticate"].startswith('Basic realm="kgl"')
    return told


def token_of(api: Api, made: ClientCredentials, **form: str) -> str:
    """An access token of a client."""
    answer = post(api, "token", {**GRANT, **form}, basic_of(made))
    assert answer.status_code == 200, answer.text
    token: str = answer.json["access_token"]
    return token


def bearer(token: str) -> dict[str, str]:
    """The header that shows a token."""
    return {"Authorization": f"Bearer {token}"}


def read(api: Api, token: str) -> testing.Result:
    """A listing of entities, for whoever bears the token."""
    return api("GET", "/api/v1/entities", by=NOBODY, headers=bearer(token))


def introspected(api: Api, token: str, by: str = "reader") -> dict[str, Any]:
    """What a client is told of a token."""
    answer = post(api, "introspect", {"token": token}, basic_of(api.credentials(by)))
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    found: dict[str, Any] = answer.json
    return found


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """What standings that were read grow old by."""
    clock = Clock()
    monkeypatch.setattr(authentication, "time", clock)
    return clock


# Tokens.


def test_a_secret_buys_a_token(api: Api) -> None:
    """By HTTP Basic, or in the form: everything the client was granted, outside the envelope, kept by no cache."""
    made = api.credentials("service")
    for form, headers in (
        ({}, basic_of(made)),
        (form_of(made), {}),
        ({"client_id": str(made.client.id)}, basic_of(made)),
    ):
        answer = post(api, "token", {**GRANT, **form}, headers)
        assert answer.status_code == 200, answer.text
        assert answer.json.keys() == {"access_token", "token_type", "expires_in", "scope"}
        assert (answer.json["token_type"], answer.json["expires_in"]) == ("Bearer", 900)
        assert answer.json["scope"] == "graph:read graph:write"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["pragma"] == "no-cache"
        assert read(api, answer.json["access_token"]).status_code == 200


@pytest.mark.parametrize("alg", ["ES256", "Ed25519"])
def test_a_token_is_one_of_rfc_9068(make_api: MakeApi, alg: str, tmp_path: Any) -> None:
    """Signed by the active key, whatever the algorithm; sub and client_id are the client's, and there is no role."""
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "active.pem").write_bytes(pem(KEYS[alg](7)))
    api = make_api(jwt_alg=alg, jwt_keys=str(keys))
    made = api.credentials("service")
    token = token_of(api, made, scope="graph:read")
    [key] = api("GET", "/.well-known/jwks.json", by=NOBODY).json["keys"]
    header = jwt.get_unverified_header(token)
    assert header == {"alg": alg, "typ": "at+jwt", "kid": key["kid"]}
    payload = verified(token, key)
    assert payload.keys() == {"iss", "aud", "sub", "client_id", "scope", "auth_version", "iat", "exp", "jti"}
    assert payload["sub"] == payload["client_id"] == str(made.client.id)
    assert (payload["scope"], payload["exp"] - payload["iat"]) == ("graph:read", 900)
    if alg == "ES256":  # the name Ed25519 is newer than PyJWT
        assert jwt.decode(token, jwt.PyJWK(key).key, algorithms=[alg], audience="kgl-api") == payload
    assert read(api, token).status_code == 200


def test_less_than_was_granted_can_be_asked_for(api: Api) -> None:
    """And is all that the token is good for."""
    made = api.credentials("service")
    reading, writing = (token_of(api, made, scope=f"graph:{name}") for name in ("read", "write"))
    assert read(api, reading).status_code == 200
    problem(read(api, writing), 403, "permission_denied")
    body = {"type": "person", "name": "Ada"}
    create = {
        token: api("POST", "/api/v1/entities", by=NOBODY, json=body, headers=bearer(token))
        for token in (reading, writing)
    }
    problem(create[reading], 403, "permission_denied")
    assert create[writing].status_code == 201
    assert create[writing].json["data"]["created_by"] == {"kind": "service", "id": str(made.client.id)}


def test_more_than_was_granted_is_refused(api: Api) -> None:
    """And what is no scope; the answer says what there is to ask for."""
    for scope in ("graph:write", "graph:read graph:write", "admin", "openid", " graph:read", "graph:read,graph:write"):
        answer = post(api, "token", {**GRANT, "scope": scope}, basic_of(api.credentials("reader")))
        assert "graph:read" in error(answer, 400, "invalid_scope")
    assert post(api, "token", {**GRANT, "scope": ""}, basic_of(api.credentials("reader"))).json["scope"] == "graph:read"


def test_a_service_changes_what_it_created(api: Api) -> None:
    """And nothing else."""
    mine, theirs = api.entity(by="service"), api.entity(by="admin")
    for entity, status in ((mine, 200), (theirs, 403)):
        patch = {"name": "Grace"}
        assert api("PATCH", f"/api/v1/entities/{entity['id']}", by="service", json=patch).status_code == status


# What ends a token.


def test_what_ends_a_client_ends_its_tokens_soon(api: Api, clock: Clock) -> None:
    """Within the time that a standing is believed, which is less than two seconds."""
    assert authentication.STANDING_AGE_MAX_S < 2
    made = api.credentials("service")
    token = token_of(api, made)
    assert read(api, token).status_code == 200
    made = api.kg.clients.rotate(made.client.id)
    assert read(api, token).status_code == 200
    clock.now_s += authentication.STANDING_AGE_MAX_S
    problem(read(api, token), 401, "invalid_token")
    token = token_of(api, made)
    assert read(api, token).status_code == 200
    api.kg.clients.delete(made.client.id)
    clock.now_s += authentication.STANDING_AGE_MAX_S
    problem(read(api, token), 401, "invalid_token")
    error(post(api, "token", GRANT, basic_of(made)), 401, "invalid_client")


def test_a_token_after_a_rotation_is_good_at_once(api: Api, clock: Clock) -> None:
    """Also on a worker that still believes the old standing."""
    made = api.credentials("service")
    assert read(api, token_of(api, made)).status_code == 200
    made = api.kg.clients.rotate(made.client.id)
    assert read(api, token_of(api, made)).status_code == 200


def test_whoever_can_act_again_does_so_at_once(api: Api, clock: Clock) -> None:
    """Also on a worker that has just refused: a user who was disabled, a client that had expired."""
    made = api.credentials("service")
    token = token_of(api, made)
    client = attrs.evolve(made.client, expires_at=made.client.created_at)
    with api.container.store().begin() as uow:
        uow.clients.replace([client])
        uow.commit()
    problem(read(api, token), 401, "invalid_token")
    assert read(api, token_of(api, api.kg.clients.rotate(client.id, expires_at=None))).status_code == 200
    user, token = api.account("user"), api.token("user")
    api.kg.users.disable(user.id)
    problem(read(api, token), 401, "invalid_token")
    api.kg.users.enable(user.id)
    login = {"email": user.email, "password": PASSWORD}
    issued = api("POST", "/api/v1/auth/token", by=NOBODY, json=login).json
    assert read(api, issued["access_token"]).status_code == 200


def test_a_revoked_token_is_refused_soon(api: Api, clock: Clock) -> None:
    """It alone; revoking it again, or what is no token, is no error (RFC 7009, section 2.2)."""
    made = api.credentials("service")
    token, other = token_of(api, made), token_of(api, made)
    assert read(api, token).status_code == 200
    for form in (
        {"token": token},
        {"token": token, "token_type_hint": "access_token"},
        {"token": "garbage", "token_type_hint": "saml2"},
    ):
        answer = post(api, "revoke", form, basic_of(made))
        assert (answer.status_code, answer.json) == (200, {})
    clock.now_s += authentication.STANDING_AGE_MAX_S
    problem(read(api, token), 401, "invalid_token")
    assert read(api, other).status_code == 200


def test_people_s_tokens_are_revoked_through_kgl(api: Api, clock: Clock) -> None:
    """By client_id=kgl, which has no secret; by no service."""
    email = api.account("ada").email
    issued = api("POST", "/api/v1/auth/token", by=NOBODY, json={"email": email, "password": PASSWORD}).json
    for name in ("access_token", "refresh_token"):
        error(post(api, "revoke", {"token": issued[name]}, basic_of(api.credentials("service"))), 400, "invalid_grant")
        assert post(api, "revoke", {"token": issued[name], "client_id": "kgl"}).json == {}
    problem(read(api, issued["access_token"]), 401, "invalid_token")
    refresh = {"refresh_token": issued["refresh_token"]}
    problem(api("POST", "/api/v1/auth/refresh", by=NOBODY, json=refresh), 401, "invalid_token")
    theirs = token_of(api, api.credentials("service"))
    error(post(api, "revoke", {"token": theirs, "client_id": "kgl"}), 400, "invalid_grant")
    assert read(api, theirs).status_code == 200


# Introspection.


def test_introspection_tells_what_an_access_token_says(api: Api) -> None:
    """Of a service with its scope, of a person with the role; any client may ask (RFC 7662, section 2.2)."""
    made = api.credentials("service")
    found = introspected(api, token_of(api, made, scope="graph:write"))
    assert (found.pop("exp") - found.pop("iat"), len(found.pop("jti"))) == (900, 36)
    assert found == {
        "active": True,
        "token_type": "Bearer",
        "sub": str(made.client.id),
        "client_id": str(made.client.id),
        "scope": "graph:write",
        "iss": "backend-module",
        "aud": "kgl-api",
    }
    found = introspected(api, api.token("moderator"))
    assert (found["sub"], found["role"], found["client_id"]) == (str(api.account("moderator").id), "moderator", "kgl")
    assert "scope" not in found


def test_introspection_never_says_why_not(api: Api) -> None:
    """A token that has ended, is of another kind, or none at all: not active, and nothing more."""
    made = api.credentials("writer")
    rotated, revoked, users = token_of(api, made), token_of(api, api.credentials("reader")), api.token("user")
    api.kg.clients.rotate(made.client.id)
    post(api, "revoke", {"token": revoked}, basic_of(api.credentials("reader")))
    api.kg.users.disable(api.account("user").id)
    email = api.account("ada").email
    refresh = api("POST", "/api/v1/auth/token", by=NOBODY, json={"email": email, "password": PASSWORD}).json
    for token in (rotated, revoked, users, refresh["refresh_token"], "garbage", "a.b.c", f"{api.token('admin')}x"):
        assert introspected(api, token) == {"active": False}


# How a client is refused.


@pytest.mark.parametrize("what", ENDPOINTS)
def test_who_does_not_prove_who_it_is_learns_nothing_else(api: Api, what: str) -> None:
    """The same answer whatever is wrong, and whatever else the form holds, with the challenge of RFC 7617."""
    made = api.credentials("service")
    id, secret = str(made.client.id), made.secret
    attempts: list[tuple[Mapping[str, str], Mapping[str, str]]] = [
        ({}, {}),
        ({"client_id": id}, {}),
        ({"client_secret": secret}, {}),
        ({"client_id": id, "client_secret": "wrong"}, {}),
        ({"client_id": "01890a5d-ac96-774b-bcce-b302099a8057", "client_secret": secret}, {}),
        ({"client_id": "kgl", "client_secret": "x"}, {}),
        ({}, basic(id, "wrong")),
        ({}, basic("ai", secret)),
        ({}, basic("", "")),
        ({}, {"Authorization": "Basic"}),
        ({}, {"Authorization": "Basic ???"}),
        ({}, {"Authorization": f"Basic {base64.b64encode(bytes([255, 58, 255])).decode()}"}),
        ({}, {"Authorization": f"Bearer {api.token('admin')}"}),
        ({}, {"Authorization": "Negotiate x"}),
    ]
    told = set()
    for form, headers in attempts:
        for more in ({}, {**GRANT, "token": api.token("admin")}, {"grant_type": "password", "token_type_hint": "x"}):
            answer = post(api, what, {**form, **more}, headers)
            if answer.status_code != 429:
                told.add(error(answer, 401, "invalid_client"))
    assert len(told) == 1


def test_failures_are_throttled_by_client_and_address(api: Api) -> None:
    """429 with Retry-After, for those who fail again; the right secret is taken all the while."""
    made = api.credentials("service")
    wrong = {**GRANT, "client_id": str(made.client.id), "client_secret": "wrong"}
    assert [post(api, "token", wrong).status_code for _ in range(6)] == [401] * 5 + [429]
    answer = post(api, "introspect", {**wrong, "token": "x"})
    error(answer, 429, "temporarily_unavailable")
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert post(api, "token", GRANT, basic_of(made)).status_code == 200
    somebody = {**wrong, "client_id": str(api.credentials("reader").client.id)}
    error(post(api, "token", somebody), 401, "invalid_client")


@pytest.mark.parametrize("what", ENDPOINTS)
def test_one_proof_is_enough(api: Api, what: str) -> None:
    """A client that proves who it is in two ways at once is refused, whether both are right or not."""
    made, other = api.credentials("service"), api.credentials("reader")
    for form in ({**GRANT, **form_of(made)}, {**GRANT, "client_id": str(other.client.id)}):
        assert "one way" in error(post(api, what, form, basic_of(made)), 400, "invalid_request")


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({}, "invalid_request"),
        ({"scope": "graph:read"}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code", "code": "x"}, "unsupported_grant_type"),
        ({"grant_type": 'client_credentials"\\é\x00'}, "unsupported_grant_type"),
        ({**GRANT, "scope": "graph:read\ngraph:write"}, "invalid_request"),
        ({**GRANT, "scope": "x" * 1001}, "invalid_request"),
    ],
)
def test_what_the_token_endpoint_does_not_take(api: Api, form: dict[str, str], code: str) -> None:
    """Each with the error that RFC 6749 has for it; parameters that it does not know are ignored (section 3.2)."""
    proof = basic_of(api.credentials("service"))
    error(post(api, "token", {**form, "audience": "x", "resource": "y"}, proof), 400, code)
    assert post(api, "token", {**GRANT, "audience": "x", "resource": "y"}, proof).status_code == 200


@pytest.mark.parametrize("what", ["revoke", "introspect"])
def test_a_token_has_to_be_named(api: Api, what: str) -> None:
    """In the form, of a size that tokens have."""
    proof = basic_of(api.credentials("service"))
    for form in ({}, {"token": ""}, {"token": "x" * 8193}, {"token": "a\x00b"}):
        error(post(api, what, form, proof), 400, "invalid_request")


@pytest.mark.parametrize("what", ENDPOINTS)
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"grant_type=client_credentials&grant_type=client_credentials", {}),
        (b"token=a&token=a", {}),
        (b"token=%FF", {}),
        (b"token=\xff", {}),
        (b"&".join(b"%d=1" % number for number in range(501)), {}),
        (b'{"grant_type": "client_credentials"}', {"Content-Type": "application/json"}),
        (b"grant_type=client_credentials", {"Content-Type": "text/plain"}),
        (b"grant_type=client_credentials", {"Content-Type": "application/x-www-form-urlencoded; charset=latin-1"}),
        (b"x" * (1024 * 1024 + 1), {}),
    ],
    ids=["grant twice", "token twice", "no UTF-8", "raw bytes", "too many", "JSON", "text", "latin-1", "too large"],
)
def test_a_malformed_form_is_an_invalid_request(api: Api, what: str, body: bytes, headers: dict[str, str]) -> None:
    """Never anything else, and before anything is asked of the store."""
    error(post(api, what, body, {**basic_of(api.credentials("service")), **headers}), 400, "invalid_request")


@pytest.mark.parametrize("what", ENDPOINTS)
def test_secrets_do_not_belong_into_urls(api: Api, what: str) -> None:
    """Parameters in the query are refused (RFC 6749, section 2.3.1)."""
    made = api.credentials("service")
    query = urlencode({**GRANT, **form_of(made)})
    answer = api("POST", f"{OAUTH}/{what}", by=NOBODY, query_string=query, body=b"", headers=AS_FORM)
    told = error(answer, 400, "invalid_request")
    assert made.secret not in told
    problem(api("GET", f"{OAUTH}/{what}", by=NOBODY), 405, "method_not_allowed")


def test_who_guesses_is_told_apart_as_settings_say(make_api: MakeApi) -> None:
    """By the address that a trusted proxy names, else by the peer's."""
    api = make_api(trusted_proxies=PEER)
    wrong = {"client_id": str(api.credentials("service").client.id), "client_secret": "wrong"}
    here, there = {"X-Forwarded-For": "203.0.113.7"}, {"X-Forwarded-For": "203.0.113.8"}
    assert [post(api, "token", wrong, here).status_code for _ in range(6)] == [401] * 5 + [429]
    error(post(api, "token", wrong, there), 401, "invalid_client")


@pytest.mark.parametrize("what", ENDPOINTS)
def test_trouble_with_the_store_is_no_client_s_fault(api: Api, what: str) -> None:
    """It is told as everywhere else, and worth another try."""
    made = api.credentials("service")
    api.container.store().close()
    answer = post(api, what, {**GRANT, "token": "x"}, basic_of(made))
    problem(answer, 503, "store_closed")
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("what", ENDPOINTS)
def test_what_kgl_does_not_expect_is_told_to_nobody(api: Api, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that only an operator can understand stays in the log."""

    def fail(*_: object) -> None:
        raise StoreFault("relation secret_table")

    monkeypatch.setattr(api.container.oauth(), "authenticate", fail)
    answer = post(api, what, {**GRANT, "token": "x"}, basic_of(api.credentials("service")))
    problem(answer, 500, "internal_error")
    assert "secret_table" not in answer.text


# Metadata.


def test_metadata_is_that_of_rfc_8414(make_api: MakeApi) -> None:
    """Where the issuer is an https URL; every path that it names is there."""
    for issuer in ("https://kgl.example.org", "https://example.org/kgl"):
        api = make_api(jwt_issuer=issuer)
        found = api("GET", METADATA, by=NOBODY).json
        assert found["issuer"] == issuer
        assert found["scopes_supported"] == ["graph:read", "graph:write"]
        known = AuthorizationServerMetadata(found)
        for check in (known.validate_issuer, known.validate_token_endpoint, known.validate_scopes_supported,
                      known.validate_revocation_endpoint, known.validate_introspection_endpoint,
                      known.validate_jwks_uri, known.validate_grant_types_supported,
                      known.validate_token_endpoint_auth_methods_supported):  # fmt: skip
            check()
        for name, endpoint in (("token", "token"), ("revocation", "revoke"), ("introspection", "introspect")):
            assert found[f"{name}_endpoint"] == f"{issuer}{OAUTH}/{endpoint}"
            error(post(api, endpoint, {}), 401, "invalid_client")


@pytest.mark.parametrize(
    "issuer", ["backend-module", "http://kgl.example.org", "https://", "https://a/?x=1", "https://a/#x", "https://["]
)
def test_without_a_public_issuer_there_is_no_metadata(make_api: MakeApi, issuer: str) -> None:
    """An issuer that is no https URL is no issuer of RFC 8414."""
    problem(make_api(jwt_issuer=issuer)("GET", METADATA, by=NOBODY), 404, "no_route")


# The log.


def test_the_log_holds_no_token_and_no_secret(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """Not even at DEBUG, where Authlib would tell them."""
    made = api.credentials("service")
    with caplog.at_level("DEBUG"):
        token = token_of(api, made)
        post(api, "introspect", {"token": token}, basic_of(made))
    assert made.secret not in caplog.text
    assert token not in caplog.text


@pytest.mark.parametrize(("by", "field"), [("service", "client_id"), ("user", "user_id")])
def test_the_log_tells_services_from_users(api: Api, by: str, field: str) -> None:
    """Each by its own name on the lines of its requests; the other is null."""
    actor = api.actor(by)
    request = Request(testing.create_environ())
    request.caller = actor
    token = current_request.set(request)
    try:
        out = io.StringIO()
        Log(LogLines(out), logging.INFO, "backend", is_readable=False).write(logging.INFO, "y", "x", {})
    finally:
        current_request.reset(token)
    line = json.loads(out.getvalue())
    assert {name: line[name] for name in ("user_id", "client_id")} == {
        "user_id": None,
        "client_id": None,
        field: actor.id,
    }
