"""How requests and answers are cut out of the bytes on a connection (RFC 9112), by the real server."""

import gzip
import json
import re
import socket
from uuid import UUID

import pytest

from tests.serving.service import API, Service, answer, chunk, read_answer, until

ENTITY = {"type": "person", "name": "Ada"}
BODY = json.dumps(ENTITY).encode()
JSON = "Content-Type: application/json"
CHUNKED = "Transfer-Encoding: chunked"


def test_a_chunked_body_is_read(service: Service) -> None:
    """JSON without a Content-Length, in pieces that end anywhere."""
    with service.socket() as connection:
        connection.sendall(service.head("POST", f"{API}/entities", JSON, CHUNKED))
        for at in range(0, len(BODY), 7):
            connection.sendall(chunk(BODY[at : at + 7]))
        connection.sendall(chunk(b""))
        found = read_answer(connection)
    assert (found.status, found.data["name"]) == (201, "Ada")


def test_a_chunked_import_is_read(service: Service) -> None:
    """Lines that are cut anywhere are put together again."""
    lines = b"".join(b'{"kind":"entity","key":"chunked-%d","type":"t","name":"n"}\n' % number for number in range(50))
    with service.socket() as connection:
        connection.sendall(service.head("POST", f"{API}/import", "Content-Type: application/x-ndjson", CHUNKED))
        for at in range(0, len(lines), 999):
            connection.sendall(chunk(lines[at : at + 999]))
        connection.sendall(chunk(b""))
        found = read_answer(connection)
    assert found.status == 200
    summary = json.loads(found.body)["summary"]
    assert UUID(summary.pop("run"))
    assert summary == {
        "created": 50,
        "updated": 0,
        "unchanged": 0,
        "kept": 0,
        "refused": 0,
        "is_kept": True,
        "refused_by_code": {},
        "refusals_left_out": 0,
    }


def test_a_connection_serves_many_requests(service: Service) -> None:
    """Also after answers without a body, and after errors; each request has an id of its own."""
    connection = service.connect()
    ids = set()
    for method, path, status in [
        ("GET", "/health", 200),
        ("HEAD", "/health", 200),
        ("GET", f"{API}/nowhere", 404),
        ("DELETE", "/health", 405),
        ("GET", f"{API}/entities", 401),
        ("GET", "/health", 200),
    ]:
        connection.request(method, path)
        found = answer(connection.getresponse())
        assert (found.status, found.body == b"") == (status, method == "HEAD")
        ids.add(found.headers["x-request-id"])
    assert len(ids) == 6
    connection.close()


def test_requests_may_be_sent_ahead(service: Service) -> None:
    """Pipelined requests are answered in their order."""
    with service.socket() as connection:
        connection.sendall(
            service.head("GET", f"{API}/auth/me")
            + service.head("POST", f"{API}/entities", JSON, f"Content-Length: {len(BODY)}")
            + BODY
            + service.head("GET", "/health", "Connection: close")
        )
        received = b""
        while data := connection.recv(65536):
            received += data
    assert re.findall(rb"HTTP/1.1 (\d+)", received) == [b"200", b"201", b"200"]


def test_a_client_may_ask_before_it_sends(service: Service) -> None:
    """Expect: 100-continue (RFC 9110, section 10.1.1)."""
    with service.socket() as connection:
        length = f"Content-Length: {len(BODY)}"
        connection.sendall(service.head("POST", f"{API}/entities", JSON, length, "Expect: 100-continue"))
        assert connection.recv(1024) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(BODY)
        assert read_answer(connection).status == 201


@pytest.mark.parametrize("path", ["/health", f"{API}/entities", f"{API}/openapi.json", f"{API}/export", "/metrics"])
def test_head_is_get_without_the_body(service: Service, path: str) -> None:
    """The same status and type, nothing after the headers, and the connection goes on."""
    whole = service("GET", path)
    connection = service.connect()
    connection.request("HEAD", path, headers={"Authorization": f"Bearer {service.token}"})
    head = answer(connection.getresponse())
    assert (head.status, head.headers["content-type"], head.body) == (200, whole.headers["content-type"], b"")
    connection.request("GET", "/health")
    assert answer(connection.getresponse()).json == {"status": "healthy"}
    connection.close()


@pytest.mark.parametrize("path", [f"{API}/entities?limit=200", f"{API}/export", f"{API}/problems"])
def test_large_answers_are_compressed_for_those_who_ask(service: Service, path: str) -> None:
    """What comes out is what comes uncompressed, and caches are told that there are two."""
    service("POST", f"{API}/entities", {**ENTITY, "metadata": {"text": "word " * 1000}})
    plain, packed = service("GET", path), service("GET", path, Accept_Encoding="gzip")
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers["vary"]
    whole = gzip.decompress(packed.body)
    assert (whole if b'"meta"' not in whole else json.loads(whole)["data"]) == (
        plain.body if b'"meta"' not in whole else plain.data
    )


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_past_the_limit_is_refused(service: Service, is_chunked: bool) -> None:
    """1 MiB and one byte: 413, whether its length is told before or not."""
    body = b'{"type":"t","name":"' + b"x" * 1024 * 1024
    with service.socket() as connection:
        if is_chunked:
            request = service.head("POST", f"{API}/entities", JSON, CHUNKED) + chunk(body) + chunk(b"")
        else:
            request = service.head("POST", f"{API}/entities", JSON, f"Content-Length: {len(body)}") + body
        connection.sendall(request)
        found = read_answer(connection)
    assert (found.status, found.json["code"]) == (413, "body_too_large")


def test_the_clients_request_id_is_kept(service: Service) -> None:
    """It names the request in the answer and in the log, with the account that sent it; a malformed one is replaced."""
    found = service("GET", f"{API}/auth/me", X_Request_ID="from-the-client.1")
    assert found.headers["x-request-id"] == found.json["meta"]["request_id"] == "from-the-client.1"
    [line] = until(lambda: [line for line in service.lines() if line["request_id"] == "from-the-client.1"])
    assert (line["message"], line["path"], line["status"]) == ("Request answered", f"{API}/auth/me", 200)
    assert line["user_id"] == found.data["id"]
    assert " " not in service("GET", "/health", X_Request_ID="a b").headers["x-request-id"]


SMUGGLED = b"GET /api/v1/admin/ping HTTP/1.1\r\nHost: kgl\r\nX-Request-ID: smuggled\r\n\r\n"
LENGTH = f"Content-Length: {len(BODY)}"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param((LENGTH, CHUNKED), b"0\r\n\r\n", id="length and chunked"),
        pytest.param((CHUNKED, LENGTH), chunk(BODY) + b"0\r\n\r\n", id="chunked and length"),
        pytest.param((LENGTH, "Content-Length: 3"), BODY, id="two lengths"),
        pytest.param((f"Content-Length: {len(BODY)}, 3",), BODY, id="a list of lengths"),
        pytest.param(("Content-Length: +20",), BODY, id="a length with a sign"),
        pytest.param(("Content-Length: 0x14",), BODY, id="a hexadecimal length"),
        pytest.param(("Content-Length: -1",), BODY, id="a negative length"),
        pytest.param(("Content-Length: ٢",), BODY, id="a length in other digits"),
        pytest.param(("Content-Length : 20",), BODY, id="a blank before the colon"),
        pytest.param((" Content-Length: 20",), BODY, id="a folded header"),
        pytest.param(("Transfer-Encoding: xchunked",), chunk(BODY) + b"0\r\n\r\n", id="an unknown coding"),
        pytest.param(("Transfer-Encoding: chunked, chunked",), chunk(BODY) + b"0\r\n\r\n", id="chunked twice"),
        pytest.param(("Transfer-Encoding: chunked, gzip",), chunk(BODY) + b"0\r\n\r\n", id="chunked, but not last"),
        pytest.param((CHUNKED,), b"zz\r\n" + BODY + b"\r\n0\r\n\r\n", id="a broken chunk size"),
        pytest.param((CHUNKED,), b"-5\r\n" + BODY + b"\r\n0\r\n\r\n", id="a negative chunk size"),
        pytest.param((CHUNKED,), b"0x5\r\n" + BODY + b"\r\n0\r\n\r\n", id="a chunk size with a prefix"),
        pytest.param((CHUNKED,), b"f" * 20 + b"\r\n" + BODY, id="a chunk size past 64 bits"),
        pytest.param((CHUNKED,), b"5\r\n" + BODY + b"\r\n0\r\n\r\n", id="a chunk longer than its size"),
    ],
)
def test_a_request_that_can_be_read_in_two_ways_is_refused(
    service: Service, headers: tuple[str, ...], body: bytes
) -> None:
    """With a 4xx or by closing the connection; what may be a second request inside is not answered (RFC 9112, 11.2)."""
    with service.socket() as connection:
        head = service.head("POST", f"{API}/entities", JSON, *headers)
        connection.sendall(head + body + SMUGGLED)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        try:
            while data := connection.recv(65536):
                received += data
        except ConnectionResetError:
            pass
    assert received.count(b"HTTP/1.1 ") <= 1
    assert not received or received.startswith(b"HTTP/1.1 4"), received[:200]
    assert not [line for line in service.lines() if line["request_id"] == "smuggled"]


@pytest.mark.parametrize(
    "header", ["SCRIPT_NAME: /api", "SCRIPT_NAME: /x", "PATH_INFO: /x", "X-Forwarded-Proto: https"]
)
def test_no_header_speaks_for_the_server(service: Service, header: str) -> None:
    """A header that is named like a variable of WSGI or CGI changes nothing, wherever it comes from."""
    with service.socket() as connection:
        connection.sendall(service.head("GET", f"{API}/nowhere", header))
        found = read_answer(connection)
    assert (found.status, found.json["instance"]) == (404, f"{API}/nowhere")
    assert found.json["type"] == f"{API}/problems/no_route"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /health HTTP/1.1\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost:\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nHost: kgl.example:8000\r\n\r\n", 200),
        (b"GET /health HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n", 200),
        (b"GET /health HTTP/1.0\r\n\r\n", 200),
    ],
)
def test_a_request_names_one_host(service: Service, head: bytes, status: int) -> None:
    """Under HTTP/1.1, which has no other way to tell what it is for (RFC 9112, section 3.2)."""
    with service.socket() as connection:
        connection.sendall(head)
        found = read_answer(connection)
    assert found.status == status
    if status == 400 and found.headers["content-type"] == "application/problem+json":
        assert found.json["errors"][0]["code"] == "no_host"


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(b"GET /health HTTP/1.1\r\nX-Long: " + b"x" * 1024 * 1024 + b"\r\n\r\n", id="a header of 1 MiB"),
        pytest.param(b"GET /health HTTP/1.1\r\n" + b"X-Many: x\r\n" * 2000 + b"\r\n", id="2,000 headers"),
        pytest.param(b"GET /health?" + b"x" * 1024 * 1024 + b" HTTP/1.1\r\n\r\n", id="a path of 1 MiB"),
        pytest.param(b"GET /health HTTP/9.9\r\n\r\n", id="an unknown version"),
        pytest.param(b"G\xffT /health HTTP/1.1\r\n\r\n", id="a method that is none"),
        pytest.param(b"BREW /health HTTP/1.1\r\n\r\n", id="an unknown method"),
        pytest.param(b"GET /health HTTP/1.1\r\nX-\x00: x\r\n\r\n", id="a NUL in a header's name"),
        pytest.param(b"GET /health HTTP/1.1\r\nX: \x00\r\n\r\n", id="a NUL in a header"),
        pytest.param(b"GET /%00 HTTP/1.1\r\nConnection: close\r\n\r\n", id="a NUL in the path"),
        pytest.param(b"GET /%ff%fe HTTP/1.1\r\nConnection: close\r\n\r\n", id="no UTF-8 in the path"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", id="the beginning of TLS"),
        pytest.param(b"GET http://[ HTTP/1.1\r\n\r\n", id="a broken URL"),
    ],
)
def test_what_is_no_request_is_refused(service: Service, head: bytes) -> None:
    """With a 4xx or by closing the connection; and the service goes on."""
    with service.socket() as connection:
        received = b""
        try:
            connection.sendall(head)
            received = connection.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            pass
    assert not received or received.startswith(b"HTTP/1.1 4"), received[:200]
    assert service("GET", "/health").status == 200
