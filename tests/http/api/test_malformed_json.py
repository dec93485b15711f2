"""Documents that no parser of JSON may take (RFC 8259), by what is wrong with them; and some that every one must take.

The classes are those of Nicolas Seriot's JSONTestSuite; the documents are our own.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kgl_core.kernel.strict_json import MALFORMED
from kgl_http.api.operations import NDJSON
from tests.http.calls import call_of, everything, routes_of
from tests.http.conftest import Api, making_apis, problem

DOCUMENTS: dict[str, list[bytes]] = {
    "depth": [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 50_000 + b"]" * 50_000, b'[{"a":' * 50_000],
    "length": [b"1" * 5_000, b"-" + b"9" * 5_000, b'{"a":' + b"1" * 5_000 + b"}", b"1" * 100_000],
}
# In the file, each character stands for the byte of its code point.
_SHORT: dict[str, list[str]] = json.loads(Path(__file__).with_name("malformed_json.json").read_text("utf-8"))
DOCUMENTS |= {kind: [text.encode("latin-1") for text in texts] for kind, texts in _SHORT.items()}

FINE = [
    b'{"type":"t","name":"n"}',
    b' \t\r\n{ "type" : "t" , "name" : "n" } \n',
    b'\xef\xbb\xbf{"type":"t","name":"n"}',
    b'{"type":"\\u0074","\\u006eame":"n"}',
    b'{"type":"t","name":"\\ud83d\\ude00\\/\\\\\\""}',
    '{"type":"t","name":"\u007e\U0010ffff","metadata":{"\u2028":"\u2029"}}'.encode(),
    b'{"type":"t","name":"n","confidence":-0}',
    b'{"type":"t","name":"n","confidence":1E-2}',
    b'{"type":"t","name":"n","confidence":0e+1}',
    b'{"type":"t","name":"n","confidence":1e-300}',
    b'{"type":"t","name":"n","metadata":{"":[[[{}]]],"a":-0.0,"b":9223372036854775807,"c":1.0E+2}}',
]


@pytest.fixture
def storeless_api() -> Iterator[Api]:
    """The application: none of this comes as far as a store."""
    with making_apis("memory://") as make:
        yield make()


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_documents_that_no_parser_takes(storeless_api: Api, kind: str) -> None:
    """On every operation that takes JSON, each is 400, and is no line of an import either."""
    assert sum(map(len, DOCUMENTS.values())) > 200
    calls = [call_of(storeless_api, route) for route in routes_of(storeless_api) if route.takes_json]
    storeless_api.token("admin")
    before = everything(storeless_api)
    for document in DOCUMENTS[kind]:
        for call in calls:
            found = problem(call.send(storeless_api, body=document), 400, MALFORMED)
            assert [(fault["pointer"], fault["code"]) for fault in found["errors"]] == [("", MALFORMED)], document
    lines = [document for document in DOCUMENTS[kind] if document.strip() and b"\n" not in document]
    # What a body begins with says whether it holds lines or an array.
    body = b"\n".join([b'{"kind":"user"}', *lines])
    answer = storeless_api("POST", "/api/v1/import", body=body, headers={"Content-Type": NDJSON})
    _, *results, last = map(json.loads, answer.content.splitlines())
    assert [(result["number"], result["code"]) for result in results] == [
        (n, MALFORMED) for n in range(2, len(lines) + 2)
    ]
    assert last["summary"]["refused"] == len(lines) + 1
    assert everything(storeless_api) == before


@pytest.mark.parametrize("document", FINE)
def test_documents_that_every_parser_takes(storeless_api: Api, document: bytes) -> None:
    """Are taken, with what they say."""
    answer = storeless_api("POST", "/api/v1/entities", body=document, headers={"Content-Type": "application/json"})
    assert answer.status_code == 201, answer.text
    said = json.loads(document)
    assert {name: answer.json["data"][name] for name in said} == said
