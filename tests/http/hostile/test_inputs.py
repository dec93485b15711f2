"""Bodies that must not hurt: on every operation that takes one, in every field, each is refused and changes nothing.

Which operations and fields there are, the application itself says, so that new ones are covered as they come.
"""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from falcon import testing

from kgl_core.evidence.extraction.extractions import ExtractedEntity, ExtractedRelationship
from kgl_core.kernel.checked_records import MISSING, rules_of, said
from kgl_core.kernel.strict_json import DEPTH_MAX
from kgl_core.storage.record_lines import LINE_BYTES_MAX, EntityLine, RelationshipLine
from kgl_http.api.operations import JSON, MERGE_PATCH, NDJSON
from kgl_http.api.request import BODY_BYTES_MAX
from tests.http.calls import Call, call_of, everything, routes_of
from tests.http.conftest import Api, MakeApi, making_apis, problem
from tests.http.hostile.values import MALFORMED_VALUES, values_for


@pytest.fixture
def storeless_api() -> Iterator[Api]:
    """The application for tests of what is refused before a store is asked."""
    with making_apis("memory://") as make:
        yield make()


def complaint(answer: testing.Result, status: int, code: str, pointer: str | None = None) -> str | None:
    """What is wrong with an answer that must be this problem, and name what is at ``pointer``; None if all is right."""
    try:
        found = problem(answer, status, code)
    except (AssertionError, KeyError, TypeError, json.JSONDecodeError):
        return f"{answer.status}, not {status} {code}: {answer.text[:300]}"
    named = [fault["pointer"] for fault in found["errors"]]
    if pointer is not None and not any(
        name == pointer or (pointer and name.startswith(f"{pointer}/")) for name in named
    ):
        return f"it names {named}, not {pointer}"
    return None


def written(body: dict[str, Any], field: str, value: str) -> bytes:
    """A body as JSON, with one value as it is written here; what it means to write, UTF-8 may not know."""
    others = {name: json.dumps(other) for name, other in body.items()}
    text = ", ".join(f'"{name}": {text}' for name, text in {**others, field: value}.items())
    return f"{{{text}}}".encode()


def json_calls(api: Api) -> Iterator[Call]:
    """A call of every operation that takes a JSON object."""
    return (call_of(api, route) for route in routes_of(api) if route.takes_json)


class Trial:
    """Collects what is wrong with answers, and compares all that there was before with all that there is after."""

    def __init__(self, api: Api) -> None:
        api.token("admin")  # whose login changes the account
        self._api = api
        self._before = everything(api)
        self._wrong: list[str] = []
        self.number = 0

    def expect(self, what: str, answer: testing.Result, status: int, code: str, pointer: str | None = None) -> None:
        """Note what is wrong with the answer to ``what``."""
        self.number += 1
        wrong = complaint(answer, status, code, pointer)
        if wrong is not None:
            self._wrong.append(f"{what[:200]}: {wrong}")

    def close(self) -> None:
        """Fail with all that was wrong, or when something has changed."""
        assert self.number > 0
        assert not self._wrong, f"{len(self._wrong)} of {self.number}:\n" + "\n".join(self._wrong[:30])
        assert everything(self._api) == self._before


def required_in(cls: Any) -> set[str]:
    """The fields that a body or line can't do without, and in which null is a fault."""
    return {field.name for field in cls.__attrs_attrs__ if field.default is MISSING}


def test_hostile_values_in_every_field(api: Api) -> None:
    """Each is 422 and names the field, by the rule that guards it."""
    calls = list(json_calls(api))
    trial = Trial(api)
    for call in calls:
        cls = call.route.operation.body
        required = required_in(cls)
        for field, rule in rules_of(cls).items():
            for value in values_for(rule, is_removable=field not in required):
                answer = call.send(api, body=written(call.body, said(field), value))
                trial.expect(f"{call.route} {field}={value}", answer, 422, "invalid_input", f"/{said(field)}")
    trial.close()


def test_what_is_no_json_in_every_field(storeless_api: Api) -> None:
    """Each is 400, wherever it stands."""
    calls = list(json_calls(storeless_api))
    trial = Trial(storeless_api)
    for call in calls:
        for field in call.body:
            for name, value in MALFORMED_VALUES.items():
                answer = call.send(storeless_api, body=written(call.body, field, value))
                trial.expect(f"{call.route} {field}: {name}", answer, 400, "malformed_json", "")
    trial.close()


def test_fields_that_nobody_knows(api: Api) -> None:
    """Are named, with the near miss; what looks like one for the service's own use is none."""
    calls = list(json_calls(api))
    trial = Trial(api)
    for call in calls:
        first = next(iter(call.body))
        names = ["is_superuser", "id", "version", "created_by", "__proto__", "__class__", "self", "constructor", ""]
        for name in [*names, f"{first}s", first.upper(), "a/b~c", "\x00", "\ud800", "x" * 5000, "$where", "kwargs"]:
            pointer = "/" + name[:64].encode("utf-8", "backslashreplace").decode().replace("~", "~0").replace("/", "~1")
            answer = call.send(api, body=json.dumps({**call.body, name: 9}).encode())
            trial.expect(f"{call.route} {name}", answer, 422, "invalid_input", pointer)
            if name == f"{first}s":
                assert f"did you mean {first}?" in answer.text
        for name in call.body:  # each but this one
            if call.route.operation.is_partial or not required_of(call, name):
                continue
            body = {other: value for other, value in call.body.items() if other != name}
            trial.expect(f"{call.route} without {name}", call.send(api, json=body), 422, "invalid_input", f"/{name}")
    trial.close()


def required_of(call: Call, name: str) -> bool:
    """Whether the body must have this field."""
    fields = {said(field.name): field.default for field in call.route.operation.body.__attrs_attrs__}
    return fields[name] is MISSING


MALFORMED_BODIES: dict[str, bytes] = {
    "nothing": b"",
    "a space": b" ",
    "cut": b'{"name":',
    "cut in a string": b'{"name":"a',
    "a brace": b"{",
    "a closing brace": b"}",
    "two objects": b"{}{}",
    "more after it": b"{} x",
    "a name twice": b'{"name":"a","name":"a"}',
    "a byte FF": b'{"name":"\xff"}',
    "a lone continuation byte": b'{"name":"\x80"}',
    "an encoded surrogate": b'{"name":"\xed\xa0\x80"}',
    "an overlong NUL": b'{"name":"\xc0\x80"}',
    "UTF-16": '{"name":"a"}'.encode("utf-16"),
    "UTF-32": '{"name":"a"}'.encode("utf-32"),
    "UTF-16 without a mark": '{"name":"a"}'.encode("utf-16-le"),
    "two byte order marks": b"\xef\xbb\xbf\xef\xbb\xbf{}",
    "a NUL at the end": b"{}\x00",
    "NaN": b"NaN",
    "100,000 lists": b"[" * 100_000,
    "100,000 objects": b'{"a":' * 100_000,
    "a form": b"name=a&type=person",
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "YAML": b"!!python/object/apply:os.system ['id']",
    "a pickle": b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00.",
    "JSON5": b"{name: 'a',}",
    "a guarded object": b")]}',\n{}",
    "a form feed before it": b"\x0c{}",
    "a word joiner before it": b"\xe2\x81\xa0{}",
}
NO_OBJECTS = [b"null", b"[]", b"true", b"5", b"-0", b'"text"', b'["name"]', b"1e400", b"[[{}]]", b'"\\ud800"']
MEDIA_TYPES = ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml", "*/*"]
MEDIA_TYPES += [
    NDJSON,
    "application/json; charset=latin-1",
    "application/json; charset=utf-16",
    "application/jsonx",
    ";",
]
MEDIA_TYPES += [
    "application/json; a=b",
    "application/json, text/plain",
    "x" * 5000,
    "application/json; charset=",
    "\xff",
]
CODINGS = ["gzip", "deflate", "br", "zstd", "gzip, gzip", "identity, gzip", "x", "*"]


def test_bodies_that_are_no_json(storeless_api: Api) -> None:
    """Each is 400, and says where it stops being JSON; what is JSON and no object is 422."""
    calls = list(json_calls(storeless_api))
    trial = Trial(storeless_api)
    for call in calls:
        for name, body in MALFORMED_BODIES.items():
            trial.expect(f"{call.route}: {name}", call.send(storeless_api, body=body), 400, "malformed_json", "")
        for body in NO_OBJECTS:
            trial.expect(f"{call.route}: {body!r}", call.send(storeless_api, body=body), 422, "invalid_input", "")
    trial.close()


def test_bodies_of_another_kind(storeless_api: Api) -> None:
    """Each is 415 and names what is taken, whatever the body; gzip is taken, but neither broken nor a bomb."""
    calls = [
        call_of(storeless_api, route)
        for route in routes_of(storeless_api)
        if route.takes_json or NDJSON in route.operation.body_media_types
    ]
    bomb = gzip.compress(bytes(10_000_000))
    trial = Trial(storeless_api)
    for call in calls:
        taken = call.route.operation.body_media_types
        assert call.data is not None
        for media_type in {*MEDIA_TYPES, JSON, MERGE_PATCH} - {*taken}:
            answer = call.send(storeless_api, headers={"Content-Type": media_type})
            trial.expect(f"{call.route}: {media_type}", answer, 415, "unsupported_media_type")
            assert taken[0] in answer.json["detail"]
        for coding in CODINGS:
            headers = {"Content-Type": taken[0], "Content-Encoding": coding}
            for body in (call.data, bomb):
                answer = call.send(storeless_api, body=body, headers=headers)
                if coding not in ("gzip", "identity, gzip"):
                    expected = (415, "unsupported_media_type")
                elif body is not bomb:
                    expected = (400, "bad_request")
                else:
                    expected = (422, "invalid_input") if NDJSON in taken else (413, "body_too_large")
                trial.expect(f"{call.route}: {coding}", answer, *expected)
    trial.close()


def test_bodies_that_are_too_long(api: Api) -> None:
    """One byte over the limit is 413, with and without a Content-Length; at the limit it is taken."""
    chunked = {"extras": {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}}
    for call in list(json_calls(api)):
        trial = Trial(api)
        assert call.data is not None
        full = call.data + b" " * (BODY_BYTES_MAX - len(call.data))
        for how in ({}, chunked):
            answer = call.send(api, body=full + b" ", **how)
            trial.expect(f"{call.route}, {how}", answer, 413, "body_too_large")
            assert str(BODY_BYTES_MAX) in answer.json["detail"]
        trial.close()
        assert call.send(api, body=full).status_code < 300, call.route


LENGTHS = ["-1", "abc", "1e3", "0x10", "+5", "\xb2", "5, 5", "5 5", "1_0", "9" * 5000, "9" * 18]


def test_lengths_that_are_none(storeless_api: Api) -> None:
    """A Content-Length that is no number is 400, one that no body can have 413, and a body that ends before it 400."""
    for call in list(json_calls(storeless_api)):
        trial = Trial(storeless_api)
        for length in LENGTHS:
            status = answered(storeless_api, call, length)
            assert status in ({400, 413} if length.isdigit() else {400}), (call.route, length, status)
        assert answered(storeless_api, call, str(len(call.data or b"") + 1)) == 400
        trial.number += 1
        trial.close()


def answered(api: Api, call: Call, length: str) -> int:
    """The status of the answer to a call that claims this length; without the validator, which refuses it as well."""
    headers = {**api.headers("admin"), "Content-Type": call.media_type}
    environ = testing.create_environ(call.path, method=call.route.method, headers=headers, body=call.data or b"")
    environ["CONTENT_LENGTH"] = length
    started = testing.StartResponseMock()
    body = b"".join(api.client.app(environ, started))
    assert json.loads(body)["code"] in ("http_error", "body_too_large", "bad_request", "malformed_json"), body
    return int(started.status[:3])


def lines_of(api: Api) -> Iterator[tuple[dict[str, Any], type]]:
    """A line of each kind with all its fields, and the class that has its rules."""
    ends = [str(api.kg.entities.create(type="person", name=name).id) for name in ("Ada", "Charles")]
    about = {"confidence": 0.5, "source": "a", "source_type": "b", "metadata": {"a": 1}, "is_active": True}
    entity = {"kind": "entity", "id": None, "key": "k", "type": "t", "name": "n", "aliases": ["a"], **about}
    edge = {"source_entity_id": ends[0], "relationship_type": "t", "target_entity_id": ends[1], "deleted_with": None}
    edge |= {"key": "k", "valid_from": "1994", "valid_to": "1994-05"}
    keys = {"id": None, "source_entity_key": None, "target_entity_key": None}
    yield entity, EntityLine
    yield {"kind": "relationship", **edge, **keys, **about}, RelationshipLine


def imported(api: Api, lines: list[bytes], query: str = "") -> testing.Result:
    """The answer to an import of these lines."""
    headers = {"Content-Type": NDJSON}
    return api("POST", "/api/v1/import", body=b"\n".join(lines), headers=headers, query_string=query)


def test_hostile_lines(api: Api) -> None:
    """Each is refused by its number, with the field or what is no JSON in it; of an atomic import nothing is kept."""
    expected: list[tuple[str, bytes]] = []
    for line, cls in lines_of(api):
        assert rules_of(cls).keys() <= line.keys()
        required = {"type", "name", "relationship_type"}
        for field, rule in rules_of(cls).items():
            values = values_for(rule, is_removable=field not in required)
            expected += [(f"/{field}", written(line, field, value)) for value in values]
        values = [value for value in MALFORMED_VALUES.values() if "\n" not in value]
        expected += [("record: ", written(line, field, value)) for field in line for value in values]
        expected += [("/kind", written(line, "kind", value)) for value in ('"user"', "null", "[]", "5", '"\\u0000"')]
    bodies = [body for body in MALFORMED_BODIES.values() if body.strip() and b"\n" not in body]
    expected += [("record: ", body) for body in [*bodies, *NO_OBJECTS]]
    expected += [("record: ", b" " * LINE_BYTES_MAX + b"{}")]
    api.token("admin")
    before = everything(api)
    for begin in range(0, len(expected), 100):
        part = expected[begin : begin + 100]
        lines = [line for _, line in part]
        found = problem(imported(api, lines, "atomic=true"), 422, "import_refused")
        assert str(len(lines)) in found["detail"]
        *results, last = [json.loads(line) for line in imported(api, lines).content.splitlines()]
        names = ("created", "updated", "unchanged", "kept", "refused", "refusals_left_out")
        assert [last["summary"][name] for name in names] == [0, 0, 0, 0, len(lines), 0]
        assert [result["number"] for result in results] == list(range(1, len(lines) + 1))
        for (what, line), result in zip(part, results, strict=True):
            assert what in result["detail"], (line[:200], result)
    assert everything(api) == before


def items_of(api: Api) -> Iterator[tuple[str, dict[str, Any], type]]:
    """An item of each kind, with the name of the list that it belongs to and the class that has its rules."""
    ids = [str(api.kg.entities.create(type="person", name=name, key=name).id) for name in ("Ada", "Charles")]
    about = {"confidence": 0.5, "metadata": {"a": 1}, "locations": [{"sentence": 0}]}
    entity = {"label": "T1", "id": None, "key": "k", "type": "t", "name": "n", "aliases": ["a"], **about}
    yield "entities", entity, ExtractedEntity
    ends = dict.fromkeys((f"{end}_entity_{way}" for end in ("source", "target") for way in ("label", "key")), None)
    edge = {**ends, "source_entity_id": ids[0], "relationship_type": "t", "target_entity_id": ids[1]}
    yield (
        "relationships",
        {**edge, "key": "k", "valid_from": "1994", "valid_to": "1994-05", **about},
        ExtractedRelationship,
    )


def test_hostile_items(api: Api) -> None:
    """Each is refused by its number, with the field that is at fault; the graph stays as it is."""
    cases = list(items_of(api))
    before = list(api.kg.dump())
    for plural, item, cls in cases:
        assert rules_of(cls).keys() == item.keys()
        required = required_in(cls)
        expected: list[tuple[str, bytes]] = []
        for field, rule in rules_of(cls).items():
            for value in values_for(rule, is_removable=field not in required):
                if value.count("[") < DEPTH_MAX - 3:  # which with a list around it is too deep for the whole body
                    expected.append((f"/{field}", written(item, field, value)))
        expected += [("", value) for value in (b"null", b"true", b"5", b'"text"', b"[]", b"[[{}]]")]
        expected += [("/nonsense", b'{"nonsense": 1}'), ("/a~1b~0c", written(item, "a/b~c", "1"))]
        while expected:
            part: list[tuple[str, bytes]] = []
            while expected and sum(len(each) + 1 for _, each in part) + len(expected[-1][1]) < BODY_BYTES_MAX - 100:
                part.append(expected.pop())
            body = b'{"%b": [%b]}' % (plural.encode(), b",".join(each for _, each in part))
            at = {"source": "https://example.org/hostile", "extractor": "hostile"}
            answer = api("PUT", "/api/v1/extractions", params=at, body=body, headers={"Content-Type": JSON})
            assert answer.status_code == 200, answer.text[:500]
            told = answer.json["data"]
            assert (told["refused"], told["created"], told["retires"]) == (len(part), 0, False)
            for number, ((pointer, sent), note) in enumerate(zip(part, told["items"], strict=True)):
                assert note["pointer"].startswith(f"/{plural}/{number}{pointer}"), (sent[:200], note)
    assert list(api.kg.dump()) == before


def test_imports_that_are_too_long(make_api: MakeApi) -> None:
    """A byte over the limit is 413, and not one line of it is kept, with and without a Content-Length."""
    api = make_api(import_bytes_max="1024")
    [(line, _), _] = lines_of(api)
    full = json.dumps(line).encode().ljust(1024, b" ")
    trial = Trial(api)
    for extras in ({}, {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}):
        for body in (full + b"\n", full[:-2] + b"\n" + full):
            answer = api("POST", "/api/v1/import", body=body, headers={"Content-Type": NDJSON}, extras=extras)
            trial.expect("an import", answer, 413, "body_too_large")
    trial.close()
    assert b'"created":1' in imported(api, [full]).content
