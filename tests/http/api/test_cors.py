"""CORS: pages of the origins that were named may call the API, others may not."""

from collections.abc import Iterator
from typing import Any

import pytest
from falcon import testing

from tests.http.conftest import NOBODY, Api, MakeApi, making_apis, problem

ENTITIES = "/api/v1/entities"
APP, OTHER = "https://app.example.org", "http://localhost:5173"
STRANGERS = (
    "null",
    "*",
    "",
    "https://evil.example.org",
    "https://app.example.org.evil.org",
    "https://app.example.org:8443",
    "https://app.example.org/",
    "http://app.example.org",
    "https://APP.example.org",
    f"{APP}, {OTHER}",
)


@pytest.fixture
def make_api() -> Iterator[MakeApi]:
    """The same on every store."""
    with making_apis("memory://") as make:
        yield make


@pytest.fixture
def open_api(make_api: MakeApi) -> Api:
    """An application that two origins may call."""
    return make_api(cors_origins=f"{APP},{OTHER}")


def cors(answer: testing.Result) -> dict[str, str]:
    """The headers of an answer that a browser reads to decide who may see it."""
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


def preflight(api: Api, origin: str, path: str = ENTITIES, method: str = "POST", **headers: Any) -> testing.Result:
    """What a browser asks before it sends a request that is not simple."""
    asked = {"Origin": origin, "Access-Control-Request-Method": method, **headers}
    return api("OPTIONS", path, by=NOBODY, headers=asked)


@pytest.mark.parametrize("origin", [APP, OTHER])
def test_a_named_origin_may_read_answers(open_api: Api, origin: str) -> None:
    """Successes, problems and what leads nowhere, with credentials, and the headers that clients need."""
    for path, by in ((ENTITIES, "admin"), (ENTITIES, NOBODY), ("/nothing", NOBODY), ("/health", NOBODY)):
        answer = open_api("GET", path, by=by, headers={"Origin": origin})
        assert cors(answer) == {
            "access-control-allow-origin": origin,
            "access-control-allow-credentials": "true",
            "access-control-expose-headers": "Changes-Cursor, ETag, Location, Retry-After, X-Request-ID",
        }
        assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize("origin", STRANGERS)
def test_no_other_origin_is_ever_reflected(open_api: Api, origin: str) -> None:
    """Not one that is close, not ``null`` of a sandboxed page, not several; the answer itself is as it was."""
    answer = open_api("GET", ENTITIES, headers={"Origin": origin})
    assert (answer.status_code, cors(answer)) == (200, {})
    assert "Origin" in answer.headers["vary"]
    assert cors(preflight(open_api, origin)) == {}


def test_an_answer_without_origin_says_that_it_varies_too(open_api: Api) -> None:
    """Or a cache would give it to a browser that needs the headers."""
    for path in (ENTITIES, "/nothing", "/health"):
        answer = open_api("GET", path)
        assert cors(answer) == {}
        assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize("origin", [APP, *STRANGERS])
def test_where_no_origin_is_named_none_may_call(make_api: MakeApi, origin: str) -> None:
    """The default; and then nothing varies by origin."""
    api = make_api()
    for answer in (api("GET", ENTITIES, headers={"Origin": origin}), preflight(api, origin)):
        assert (answer.status_code, cors(answer)) == (200, {})
        assert "Origin" not in answer.headers.get("vary", "")


@pytest.mark.parametrize(
    ("path", "method"),
    [(ENTITIES, "POST"), (f"{ENTITIES}/1", "PATCH"), (f"{ENTITIES}/1", "DELETE"), ("/api/v1/users/1/role", "PUT")],
)
def test_a_preflight_lets_a_named_origin_send(open_api: Api, path: str, method: str) -> None:
    """Without a token, as browsers send none; with the headers that were asked for."""
    headers = {"Access-Control-Request-Headers": "authorization,content-type,if-match,idempotency-key"}
    answer = preflight(open_api, APP, path, method, **headers)
    assert (answer.status_code, answer.content) == (200, b"")
    found = cors(answer)
    assert found["access-control-allow-origin"] == APP
    assert found["access-control-allow-credentials"] == "true"
    assert method in [name.strip() for name in found["access-control-allow-methods"].split(",")]
    assert found["access-control-allow-headers"] == "authorization,content-type,if-match,idempotency-key"
    assert int(found["access-control-max-age"]) <= 86_400
    assert "Origin" in answer.headers["vary"]


def test_a_preflight_of_what_is_not_there_is_refused(open_api: Api) -> None:
    """A browser takes an answer that is no success for a no."""
    problem(preflight(open_api, APP, "/nothing"), 404, "no_route")


def test_an_origin_does_no_harm_to_compression(open_api: Api) -> None:
    """An answer that varies by both says both."""
    for n in range(30):
        open_api.entity(name=f"{n}")
    answer = open_api("GET", ENTITIES, headers={"Origin": APP, "Accept-Encoding": "gzip"})
    assert {name.strip() for name in answer.headers["vary"].split(",")} == {"Origin", "Accept-Encoding"}
    assert answer.headers["content-encoding"] == "gzip"
