"""Paths, queries, headers and tokens that must not hurt: on every operation, each is refused and changes nothing."""

import itertools
import json
from collections.abc import Iterator

import pytest

from kgl_core.kernel.checked_records import rules_of, said
from tests.adapters.keys import decoded
from tests.http.calls import Call, calls_of, everything
from tests.http.conftest import NOBODY, Api, making_apis, problem
from tests.http.hostile.test_inputs import Trial
from tests.http.hostile.values import CURSORS, PARAMETERS_MAX, VALUES_MAX, cursor_of, is_list, texts_for

UNKNOWN_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
ENTITY = {"type": "person", "name": "Ada"}


@pytest.fixture
def storeless_api() -> Iterator[Api]:
    """The application for tests of what is refused before a store is asked."""
    with making_apis("memory://") as make:
        yield make(jwt_issuer="https://kgl.example")  # with which every path leads somewhere


def api_calls(api: Api) -> Iterator[Call]:
    """A call of every operation under /api, but for those whose errors are no problems."""
    return (call for call in calls_of(api) if call.path.startswith("/api/") and not call.route.operation.is_for_clients)


QUERIES = {
    "x=1": "/x",
    "%00=1": "/\x00",
    "x%00=%00": "/x\x00",
    "=1": "/",
    "x": "/x",
    "%3Cscript%3E=1": "/<script>",
    "limt=1": "/limt",
    "LIMIT=1": "/LIMIT",
    "limit%5B%5D=1": "/limit[]",
    "limit%00=1": "/limit\x00",
    "$where=1": "/$where",
    "self=1": "/self",
    "__class__=1": "/__class__",
    "x" * 5000: "/" + "x" * 64,
    "%ff=1": "",
    "x=%ff": "",
    "x=%ed%a0%80": "",
    "%c0%80=1": "",
    "x=%E9": "",
    "\xff=1": "",
    "&".join(["x=1"] * (PARAMETERS_MAX + 1)): "",
    "&" * 100 + "y": "/y",
    "x;y=1": "/x;y",
    "a=1&b=2&c=3": "/b",
}


def test_parameters_that_nobody_knows(storeless_api: Api) -> None:
    """Are 400 on every operation, and named; so is what is not UTF-8."""
    calls = list(api_calls(storeless_api))
    trial = Trial(storeless_api)
    for call in calls:
        for query, pointer in QUERIES.items():
            trial.expect(
                f"{call.route}?{query}", call.send(storeless_api, query_string=query), 400, "bad_request", pointer
            )
    trial.close()
    assert "did you mean limit?" in storeless_api("GET", "/api/v1/entities", query_string="limt=1").text


def test_hostile_values_of_every_parameter(storeless_api: Api) -> None:
    """Each is 400 and names the parameter, by the rule that guards it."""
    calls = [call for call in api_calls(storeless_api) if call.route.operation.query is not None]
    trial = Trial(storeless_api)
    for call in calls:
        for name, rule in ((said(name), rule) for name, rule in rules_of(call.route.operation.query).items()):
            for text in texts_for(rule):
                answer = call.send(storeless_api, query_string=f"{name}={text}")
                if (
                    name in ("cursor", "after")
                    and answer.status_code == 400
                    and answer.json["code"] == "invalid_cursor"
                ):
                    continue
                pointer = "" if answer.json["errors"] and answer.json["errors"][0]["code"] == "not_utf8" else f"/{name}"
                trial.expect(f"{call.route}?{name}={text}", answer, 400, "bad_request", pointer)
            many = "&".join([f"{name}=a"] * (VALUES_MAX + 1 if is_list(rule) else 2))
            trial.expect(
                f"{call.route}?{many}", call.send(storeless_api, query_string=many), 400, "bad_request", f"/{name}"
            )
    trial.close()


def test_cursors_that_nobody_handed_out(api: Api) -> None:
    """Each is 400, and so is what another listing, filter or sort handed out."""
    for name in ("Ada", "Grace", "Charles"):
        api.entity(name=name)
    listings = [
        (call, name)
        for call in api_calls(api)
        if call.route.operation.query is not None
        for name in {"cursor", "after"} & rules_of(call.route.operation.query).keys()
    ]
    own = api("GET", "/api/v1/entities", query_string="limit=1&sort=name").json["meta"]["next_cursor"]
    trial = Trial(api)
    for call, name in listings:
        for cursor in [*CURSORS, own, own[:-1], own + "A", own.upper()]:
            answer = call.send(api, query_string=f"{call.query}&{name}={cursor}".strip("&"))
            code = "bad_request" if cursor in ("%00", "x" * 4097) else "invalid_cursor"
            trial.expect(f"{call.route}?{name}={cursor}", answer, 400, code)
    trial.close()


NO_PLACES = [None, True, 5, -1, 2**63, 10**30, 1.5, "", "a", "\x00", "\ud800", "x" * 1000, [], ["a"], {}, UNKNOWN_ID]
NO_PLACES += ["2026-01-31", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-01-31T12:00:00Z"]


@pytest.mark.parametrize("listing", ["entities?sort=name&", "entities?", "users?", "changes?", "relationships?"])
def test_cursors_with_another_place_in_them(api: Api, listing: str) -> None:
    """Whatever stands where the place should: refused, lost, or a page; a cursor is no way past the rules."""
    first = api.entity()["id"]
    for number in range(3):
        api.relationship(first, api.entity(name=f"n{number}")["id"])
    for name in ("a", "b"):
        api.account(name)
    path, _, query = listing.partition("?")
    own = api("GET", f"/api/v1/{path}", query_string=f"{query}limit=1").json["meta"]["next_cursor"]
    made_for, *place = json.loads(decoded(own))
    name = "after" if path == "changes" else "cursor"
    for wrong in itertools.chain.from_iterable(
        [[*place[:at], other, *place[at + 1 :]] for other in NO_PLACES] for at in range(len(place))
    ):
        answer = api("GET", f"/api/v1/{path}", query_string=f"{query}{name}={cursor_of(made_for, *wrong)}")
        if answer.status_code == 410:
            problem(answer, 410, "history_lost")
        elif answer.status_code != 200:
            problem(answer, 400, "invalid_cursor")
    for wrong in ([], place[1:], [*place, 1], [place]):
        answer = api("GET", f"/api/v1/{path}", query_string=f"{query}{name}={cursor_of(made_for, *wrong)}")
        problem(answer, 400, "invalid_cursor")


NO_IDS = [
    "%00",
    "a",
    "0",
    "-1",
    "null",
    "%ff",
    "%F0%9F%92%A9",
    "%20",
    "x" * 3000,
    "' OR 1=1 --",
    "..",
    "%EF%BC%90" * 36,
]
NO_IDS += [
    UNKNOWN_ID[:-1],
    UNKNOWN_ID + "0",
    UNKNOWN_ID.replace("-", ""),
    f"{{{UNKNOWN_ID}}}",
    f"urn:uuid:{UNKNOWN_ID}",
]
NO_IDS += [UNKNOWN_ID + "%00", UNKNOWN_ID + "%0a", f"{UNKNOWN_ID};", "%7B%7Bid%7D%7D", "<script>", "*"]


def test_hostile_ids_in_every_path(api: Api) -> None:
    """What is no id is 400, what belongs to nothing 404; names of other things are 404."""
    calls = [call for call in calls_of(api) if "{" in call.route.template]
    trial = Trial(api)
    for call in calls:
        before, name, after = call.route.template.replace("{", "}").split("}")
        for text in NO_IDS:
            answer = call.send(api, path=f"{before}{text}{after}")
            status, code = (400, "bad_request") if name == "id" else (404, "not_found")
            trial.expect(f"{call.route} {text}", answer, status, code, "/id" if name == "id" else None)
        for text in (UNKNOWN_ID, UNKNOWN_ID.upper()):
            trial.expect(f"{call.route} {text}", call.send(api, path=f"{before}{text}{after}"), 404, "not_found")
    trial.close()


NO_PATHS = ["/static/..%2f..%2fetc%2fpasswd", "/static/../../etc/passwd", "/api", "/api/v1", "/api/v2/entities"]
NO_PATHS += ["/api/v1//entities", "/api/v1/entities/%2e%2e/users", "/api/v1/./entities", "/%00"]
NO_PATHS += [
    "/API/V1/ENTITIES",
    "/api/v1/entities.json",
    "/api/v1/entities;x=1",
    "/api/v1/docs/assets/..%2f..%2fapp.py",
]
NO_PATHS += [
    "/api/v1/docs/assets/%2fetc%2fpasswd",
    "/%ff%fe",
    "/api/v1/%F0%9F%92%A9",
    "/" + "a/" * 2000,
    "/" + "a" * 60_000,
]
NO_PATHS += [
    "/api/v1/entities/a/b/c/d",
    "/..",
    "/api/v1/problems/../entities",
    "/.git/config",
    "/wp-login.php",
    "/*",
    "/{id}",
]


def test_paths_that_lead_nowhere(storeless_api: Api) -> None:
    """Are 404 for anybody, whatever they hold."""
    trial = Trial(storeless_api)
    for path in NO_PATHS:
        for by in (NOBODY, "admin"):
            for method in ("GET", "POST", "DELETE"):
                trial.expect(f"{method} {path}", storeless_api(method, path, by=by), 404, "no_route")
    trial.close()


NO_TAGS = [
    "1",
    '"',
    '"1',
    '1"',
    '"1" "2"',
    "W/",
    'w/"1"',
    '"a\x00b"',
    '*, "1"',
    '"1";',
    "'1'",
    "\xff",
    '"1 "',
    "x" * 8000,
]
STALE_TAGS = [
    "",
    ",",
    '""',
    '"0"',
    '"-1"',
    '"01"',
    '"1.0"',
    '"999"',
    'W/"1"',
    '"a", "b"',
    f'"{"9" * 5000}"',
    f'"{"9" * 18}"',
]


def test_hostile_preconditions(api: Api) -> None:
    """An If-Match that is malformed is 400, and one that names no present state 412; nothing is changed by either."""
    calls = [call for call in calls_of(api) if call.route.operation.is_conditional]
    trial = Trial(api)
    for call in calls:
        for tag in NO_TAGS:
            answer = call.send(api, headers={"If-Match": tag})
            trial.expect(f"{call.route} {tag}", answer, 400, "bad_request")
        for tag in STALE_TAGS:
            answer = call.send(api, headers={"If-Match": tag})
            trial.expect(f"{call.route} {tag}", answer, 412, "stale_version")
    trial.close()


HEADERS = [
    "",
    "\x00",
    "\xff\xfe",
    "x" * 8000,
    "'; DROP TABLE entities --",
    "${jndi:ldap://x}",
    "%00",
    "{}",
    "\x7f",
    "a\tb",
]
NAMES = [
    "Accept",
    "Accept-Encoding",
    "X-Request-ID",
    "Traceparent",
    "Origin",
    "Cookie",
    "User-Agent",
    "Range",
    "Expect",
]
NAMES += ["X-Forwarded-For", "X-Forwarded-Host", "X-HTTP-Method-Override", "Forwarded", "Accept-Language", "Referer"]


def test_headers_that_do_not_matter(storeless_api: Api) -> None:
    """Whatever is in them, the answer is what it would have been; a request's id is never a hostile one."""
    paths = ["/health", "/api/v1/entities", "/api/v1/auth/me", "/api/v1/problems", "/api/v1/export", "/nowhere"]
    usual = {path: storeless_api("GET", path).status_code for path in paths}
    for path, name, text in itertools.product(paths, NAMES, HEADERS):
        answer = storeless_api("GET", path, headers={name: text})
        assert answer.status_code == usual[path], (path, name, text)
        assert set(answer.headers["x-request-id"]) <= set("0123456789abcdef")


FORMS = [
    "Bearer",
    "Bearer ",
    "Bearer  ",
    "bearer",
    "Basic YTpi",
    "Token x",
    "Bearerx",
    "Bearer\tx",
    "",
    " ",
    "x" * 8000,
    "\xff",
]
TOKENS = [
    "x",
    "a.b.c",
    "..",
    "null",
    "undefined",
    "\x00",
    "\xff",
    "a b",
    "' OR 1=1 --",
    "a" * 100_000,
    "." * 8000,
    "=",
    "{}",
]


def test_hostile_tokens_on_every_operation(storeless_api: Api) -> None:
    """Each is 401; operations for anybody do not look at it, so that nobody is kept from getting a better one."""
    calls = calls_of(storeless_api)
    trial = Trial(storeless_api)
    closed = [call for call in calls if not (call.route.operation.is_public or call.route.operation.is_for_clients)]
    for call in closed:
        for form in FORMS:
            answer = call.send(storeless_api, NOBODY, headers={"Authorization": form})
            trial.expect(f"{call.route} {form}", answer, 401, "not_authenticated")
        for token in TOKENS:
            answer = call.send(storeless_api, NOBODY, headers={"Authorization": f"Bearer {token}"})
            trial.expect(f"{call.route} {token}", answer, 401, "invalid_token")
            assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    trial.close()
    for call in calls:
        if call.route.operation.is_public:
            assert call.send(storeless_api, NOBODY, headers={"Authorization": "Bearer x"}).status_code < 400, call.route


def test_what_service_clients_may_not_send(storeless_api: Api) -> None:
    """Parameters in the query are 400, what proves nothing is 401, both as RFC 6749 (section 5.2) has it."""
    calls = [call for call in calls_of(storeless_api) if call.route.operation.is_for_clients]
    assert calls
    before = everything(storeless_api)
    for call in calls:
        for query in QUERIES:
            answer = call.send(storeless_api, NOBODY, query_string=query)
            assert (answer.status_code, answer.json["error"]) == (400, "invalid_request"), (call.route, query)
        for proof in [*FORMS, *(f"{scheme} {token}" for scheme in ("Basic", "Bearer") for token in TOKENS)]:
            answer = call.send(storeless_api, NOBODY, body=b"", headers={"Authorization": proof})
            assert (answer.status_code, answer.json["error"]) == (401, "invalid_client"), (call.route, proof[:200])
    assert everything(storeless_api) == before
