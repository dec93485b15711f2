"""Whatever comes in, on any operation: never a 5xx, always a success or a whole problem."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from falcon import testing
from hypothesis import example, given
from hypothesis import strategies as st

from kgl_core.kernel.checked_records import rules_of
from kgl_core.storage.record_lines import EntityLine, RelationshipLine
from kgl_http.api.operations import JSON, NDJSON
from kgl_http.graph import changes
from tests.http.calls import Call, calls_of
from tests.http.conftest import NOBODY, Api, making_apis, problem

ANY_TEXT = st.text(st.characters())  # of all characters, lone surrogates too
FINE_TEXT = st.text(st.characters(codec="utf-8"))
HEADER_TEXT = st.text(st.characters(max_codepoint=255))  # as servers hand headers on (PEP 3333)
NUMBERS = st.integers() | st.floats() | st.sampled_from([2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**400, -0.0, 1e308])
PLAIN = st.none() | st.booleans() | NUMBERS | ANY_TEXT
ANY_JSON = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4), max_leaves=12
)


class StillTime:
    """Time in which nobody has to wait."""

    def __init__(self) -> None:
        self._now_s = 0.0

    def monotonic(self) -> float:
        return self._now_s

    def wait(self, duration_s: float) -> bool:
        self._now_s += duration_s
        return False


@pytest.fixture
def calls(api: Api, monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """A call of every operation."""
    still = StillTime()
    monkeypatch.setattr(changes, "time", still)
    monkeypatch.setattr(api.container.slots(), "wait", still.wait)
    return calls_of(api, by="changer")


@pytest.fixture
def storeless_api() -> Iterator[Api]:
    """The application for tests of what is refused before a store is asked."""
    with making_apis("memory://") as make:
        yield make()


@pytest.fixture
def storeless_calls(storeless_api: Api) -> list[Call]:
    """The same, of such an application."""
    return calls_of(storeless_api, by="changer")


def check(answer: testing.Result) -> testing.Result:
    """The answer, which must be a success, or of the client's making: a problem, or what RFC 6749 (section 5.2) has."""
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400 and answer.json.keys() != {"error", "error_description"}:
        problem(answer, answer.status_code, answer.json["code"])
    elif answer.headers.get("content-type") == "application/json":
        assert answer.json is not None
    return answer


def caller_of(call: Call) -> str:
    """An admin; but one who is good for nothing else where that ends what is called with."""
    return "changer" if call.path.endswith("/auth/password") else "admin"


def pick(data: st.DataObject, calls: list[Call]) -> Call:
    """One of the calls."""
    return data.draw(st.sampled_from(calls), label="call")


@given(st.data(), ANY_JSON)
def test_any_json_as_a_body(api: Api, calls: list[Call], data: st.DataObject, value: Any) -> None:
    """Where one is expected, and where none is."""
    call = pick(data, calls)
    check(call.send(api, caller_of(call), body=json.dumps(value).encode()))


@given(st.data())
def test_any_value_in_any_field(api: Api, calls: list[Call], data: st.DataObject) -> None:
    """Beside fields that are right; what a record takes, it keeps."""
    call = pick(data, [call for call in calls if call.route.takes_json])
    field = data.draw(st.sampled_from(sorted(call.body)) | ANY_TEXT, label="field")
    body = {**call.body, field: data.draw(ANY_JSON | st.lists(FINE_TEXT) | FINE_TEXT, label="value")}
    left_out = data.draw(st.sets(st.sampled_from(sorted(call.body)), max_size=1), label="left out")
    body = {name: value for name, value in body.items() if name not in left_out}
    answer = check(call.send(api, caller_of(call), body=json.dumps(body).encode()))
    if answer.status_code in (200, 201) and "etag" in answer.headers:
        path = answer.headers.get("location", call.path)
        assert check(api("GET", path)).json["data"] == answer.json["data"]


@given(
    st.data(), st.binary(max_size=200), HEADER_TEXT | st.sampled_from([JSON, NDJSON, "application/json;charset=utf-8"])
)
def test_any_bytes_of_any_type(
    storeless_api: Api, storeless_calls: list[Call], data: st.DataObject, body: bytes, media_type: str
) -> None:
    """As a body, said to be of any media type."""
    call = pick(data, storeless_calls)
    check(call.send(storeless_api, caller_of(call), body=body, headers={"Content-Type": media_type}))


def queries(names: list[str]) -> st.SearchStrategy[str]:
    """Queries of these parameters and others, with values of all kinds, as they are or percent-encoded."""
    texts = FINE_TEXT | NUMBERS.map(str) | st.datetimes(timezones=st.timezones()).map(str) | st.uuids().map(str)
    texts = texts | st.sampled_from(["true", "any", "exact", "name", "-created_at", "1", "200", "0.5"])
    pairs = st.tuples(st.sampled_from(names) | FINE_TEXT, texts | st.binary(max_size=9))
    encoded = st.lists(pairs, max_size=4).map(
        lambda all: "&".join(f"{quote(name)}={quote(text)}" for name, text in all)
    )
    return encoded | st.text(st.characters(max_codepoint=255, exclude_characters="?"))


@given(st.data())
def test_any_query(api: Api, calls: list[Call], data: st.DataObject) -> None:
    """Of parameters that there are, and of others."""
    call = pick(data, calls)
    query = call.route.operation.query
    names = ["limit", "cursor"] if query is None else list(rules_of(query))
    check(call.send(api, caller_of(call), query_string=data.draw(queries(names or ["x"]), label="query")))


@given(st.data(), FINE_TEXT | st.binary(max_size=40))
def test_any_path(storeless_api: Api, storeless_calls: list[Call], data: st.DataObject, text: str | bytes) -> None:
    """In place of an id, at the end of a path, or as the whole of it."""
    call = pick(data, storeless_calls)
    encoded = quote(text, safe="")
    template = call.route.template
    paths = ["/" + encoded, f"{template}/{encoded}", "/api/v1/" + quote(text)]
    if "{" in template:
        before, _, after = template.replace("{", "}").split("}")
        paths.append(f"{before}{encoded}{after}")
    for path in paths:
        check(call.send(storeless_api, caller_of(call), path=path))


NAMES = [
    "Authorization",
    "If-Match",
    "If-None-Match",
    "X-Request-ID",
    "Traceparent",
    "Origin",
    "Accept-Encoding",
    "Accept",
]
NAMES += [
    "X-Forwarded-For",
    "Content-Encoding",
    "Cookie",
    "Range",
    "Access-Control-Request-Method",
    "Accept-Language",
    "Host",
]


@given(st.data(), st.dictionaries(st.sampled_from(NAMES), HEADER_TEXT, max_size=4))
@example(None, {"If-Match": '"²"'})
@example(None, {"If-None-Match": "W/" * 1000})
def test_any_headers(
    storeless_api: Api, storeless_calls: list[Call], data: st.DataObject | None, headers: dict[str, str]
) -> None:
    """Of those that mean something, and others."""
    for call in storeless_calls if data is None else [pick(data, storeless_calls)]:
        check(call.send(storeless_api, caller_of(call), headers=headers))


PART = st.text("abcXYZ019-_", max_size=40)
TOKENS = st.builds(lambda parts: ".".join(parts), st.lists(PART, max_size=5)) | HEADER_TEXT


@given(st.data(), TOKENS)
def test_any_token(storeless_api: Api, storeless_calls: list[Call], data: st.DataObject, token: str) -> None:
    """Nobody's token opens anything."""
    call = pick(data, storeless_calls)
    answer = check(call.send(storeless_api, NOBODY, headers={"Authorization": f"Bearer {token}"}))
    asked = call.route.operation
    assert asked.is_public or asked.is_for_clients or answer.status_code == 401


def records() -> st.SearchStrategy[dict[str, Any]]:
    """Records for an import, some of which are right."""
    ends = st.sampled_from(["a", "b", "c"])
    usual: dict[str, dict[str, Any]] = {
        "entity": {"type": st.just("t"), "name": FINE_TEXT, "key": ends},
        "relationship": {"source_entity_key": ends, "target_entity_key": ends, "relationship_type": st.just("t")},
    }

    def of(kind: str, names: list[str]) -> st.SearchStrategy[dict[str, Any]]:
        wrong = st.dictionaries(st.sampled_from(names) | ANY_TEXT, ANY_JSON, max_size=2)
        right = st.fixed_dictionaries({"kind": st.just(kind), **usual[kind]})
        return st.tuples(right, st.just({}) | wrong).map(lambda both: {**both[0], **both[1]})

    return of("entity", list(rules_of(EntityLine))) | of("relationship", list(rules_of(RelationshipLine)))


def lines() -> st.SearchStrategy[bytes]:
    """Lines of an import."""
    return (records() | ANY_JSON).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40)


@given(st.lists(lines(), max_size=8), st.sampled_from(["", "atomic=true", "dry_run=true", "results=all"]))
def test_any_import(api: Api, lines: list[bytes], query: str) -> None:
    """Each line has a result or is refused, and what was taken makes a graph that can be exported and taken again."""
    headers = {"Content-Type": NDJSON}
    answer = api("POST", "/api/v1/import", body=b"\n".join(lines), headers=headers, query_string=query)
    if check(answer).status_code == 200:
        *results, last = answer.content.splitlines()
        assert json.loads(last)["summary"]["refused"] == sum(b'"outcome":"refused"' in result for result in results)
    everything = api("GET", "/api/v1/export").content
    again = api("POST", "/api/v1/import", body=everything, headers=headers, query_string="atomic=true")
    summary = json.loads(again.content.splitlines()[-1])["summary"]
    assert (summary["created"], summary["updated"], summary["refused"]) == (0, 0, 0)


@given(FINE_TEXT, FINE_TEXT)
def test_any_login(api: Api, email: str, password: str) -> None:
    """Lets nobody in who is not there, whatever is typed into the two fields."""
    said = {"email": email, "password": password}
    answer = check(api("POST", "/api/v1/auth/token", by=NOBODY, json=said))
    assert answer.status_code in (401, 422, 429)
