"""Bodies that come as gzip (RFC 9110, section 8.4.1.3): read within limits, and refused whole where they are broken."""

import gzip
import json
from typing import Any

import pytest
from falcon import testing

from kgl_core.storage.gzip_stream import MEMBERS_MAX
from kgl_http.api.operations import FORM
from kgl_http.api.request import BODY_BYTES_MAX
from tests.http.conftest import Api, MakeApi, problem
from tests.http.storage.test_import_and_export import ADA, IMPORT, NDJSON, NOTES, lines_of, results, summary

ENTITIES = "/api/v1/entities"
CHUNKED = {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}


def pack(api: Api, path: str, body: bytes, kind: str, coding: str = "gzip", **request: Any) -> testing.Result:
    """Send a body as it is, under a Content-Encoding."""
    return api("POST", path, body=body, headers={"Content-Type": kind, "Content-Encoding": coding}, **request)


@pytest.mark.parametrize("extras", [{}, CHUNKED], ids=["length", "chunked"])
@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZip", "identity, gzip"])
def test_bodies_may_come_as_gzip(api: Api, coding: str, extras: dict[str, Any]) -> None:
    """Imports, JSON and forms, of one member or several."""
    lines = gzip.compress(lines_of([ADA])) + gzip.compress(lines_of([NOTES]))
    assert results(pack(api, IMPORT, lines, NDJSON, coding, extras=extras)) == [summary(created=2)]
    entity = json.dumps({"type": "person", "name": "ハハ"}).encode()
    made = pack(api, ENTITIES, gzip.compress(entity), "application/json", coding, extras=extras)
    assert made.json["data"]["name"] == "ハハ"
    assert pack(api, ENTITIES, entity, "application/json", "identity").status_code == 201
    client = api.credentials("reader")
    form = f"grant_type=client_credentials&client_id={client.client.id}&client_secret={client.secret}".encode()
    assert pack(api, "/api/v1/oauth/token", gzip.compress(form), FORM, coding, extras=extras).status_code == 200


@pytest.mark.parametrize("coding", ["br", "zstd", "deflate", "gzip, gzip", "gzip, br", "*"])
@pytest.mark.parametrize(("path", "kind"), [(IMPORT, NDJSON), (ENTITIES, "application/json")])
def test_other_codings_are_refused(api: Api, coding: str, path: str, kind: str) -> None:
    """The answer says which one is read (RFC 9110, section 15.5.16)."""
    answer = pack(api, path, gzip.compress(lines_of([ADA])), kind, coding)
    assert "gzip" in problem(answer, 415, "unsupported_media_type")["detail"]
    assert answer.headers["accept-encoding"] == "gzip"


def broken() -> list[bytes]:
    """Streams that are no gzip, or not all of one."""
    whole = gzip.compress(lines_of([ADA]) * 50, mtime=0)
    bad_sum = whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:]
    return [b"", b"{}", whole[:1], whole[:12], whole[:-1], bad_sum, whole + b"junk", whole + whole[:9]]


@pytest.mark.parametrize("body", broken())
@pytest.mark.parametrize(("path", "kind"), [(IMPORT, NDJSON), (ENTITIES, "application/json")])
def test_broken_gzip_is_refused_whole(api: Api, body: bytes, path: str, kind: str) -> None:
    """With 400, and nothing of it is kept."""
    found = problem(pack(api, path, body, kind), 400, "bad_request")
    assert found["errors"][0]["code"] == "malformed_gzip"
    assert api("GET", "/api/v1/changes").json["data"] == []


def test_what_comes_out_has_a_limit(make_api: MakeApi) -> None:
    """The same as for a body that is not packed: to the byte, and little more is ever unpacked."""
    api = make_api(import_bytes_max="65536")
    full = lines_of([ADA]).ljust(65536)
    assert results(pack(api, IMPORT, gzip.compress(full), NDJSON)) == [summary(created=1)]
    for bomb in (full + b" ", b" " * 100_000_000):
        problem(pack(api, IMPORT, gzip.compress(bomb), NDJSON), 413, "body_too_large")
    entity = json.dumps({"type": "person", "name": "Ada"}).encode()
    assert pack(api, ENTITIES, gzip.compress(entity.ljust(BODY_BYTES_MAX)), "application/json").status_code == 201
    bomb = gzip.compress(entity.ljust(BODY_BYTES_MAX + 1))
    problem(pack(api, ENTITIES, bomb, "application/json"), 413, "body_too_large")


def test_a_stream_of_countless_empty_members_is_refused(make_api: MakeApi) -> None:
    """Each costs next to nothing, but there is no end of them."""
    api = make_api()
    body = gzip.compress(b"") * (MEMBERS_MAX + 1)
    assert problem(pack(api, IMPORT, body, NDJSON), 400, "bad_request")["errors"][0]["code"] == "malformed_gzip"


def test_gzip_that_nobody_declared_is_told_once(api: Api) -> None:
    """So is UTF-16; nothing is loaded."""
    for body, code in (
        (gzip.compress(lines_of([ADA])), "packed"),
        (lines_of([ADA]).decode().encode("utf-16"), "not_utf8"),
    ):
        found = problem(api("POST", IMPORT, body=body, headers={"Content-Type": NDJSON}), 422, "invalid_input")
        assert [fault["code"] for fault in found["errors"]] == [code]
    assert api("GET", "/api/v1/changes").json["data"] == []
