"""Long requests beside short ones: imports, exports and waits keep half of the threads free, and hold no lock idly."""

import json
import select
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count

import pytest

from kgl_http.server.long_bodies import SHORT_BYTES_MAX
from tests.serving.service import API, SLOTS, WITHIN_S, Answer, Service, chunk, read_answer, until

NDJSON = ("Content-Type: application/x-ndjson", "Transfer-Encoding: chunked")
_numbers = count()


def line() -> bytes:
    """A line of NDJSON that no other test imports."""
    return b'{"kind":"entity","key":"long-%d","type":"t","name":"n"}\n' % next(_numbers)


def long_lines() -> bytes:
    """More lines than an import has that counts as short."""
    lines = b"".join(line() for _ in range(4_000))
    assert len(lines) > 2 * SHORT_BYTES_MAX  # which is read in pieces of that size
    return lines


def begin_import(service: Service, lines: bytes) -> socket.socket:
    """An import whose sender has paused."""
    connection = service.socket()
    connection.sendall(service.head("POST", f"{API}/import", *NDJSON) + chunk(lines))
    return connection


def end_import(connection: socket.socket) -> dict[str, object]:
    """The summary of an import whose sender has gone on."""
    connection.sendall(chunk(b""))
    found = read_answer(connection)
    assert found.status == 200, found
    summary: dict[str, object] = json.loads(found.body.splitlines()[-1])["summary"]
    return summary


def some_answer(connections: list[socket.socket]) -> socket.socket:
    """The first connection on which there is something to read."""
    readable, _, _ = select.select(connections, [], [], WITHIN_S)
    assert readable
    found: socket.socket = readable[0]
    return found


def served(service: Service, path: str) -> Answer | None:
    """What a GET answers; None while those of other tests still have all slots."""
    found = service("GET", path)
    return None if found.status == 503 else found


@pytest.fixture(scope="module")
def big(service: Service) -> bytes:
    """The export of a graph that is larger than what lies between two sockets."""
    text = "x" * 9000
    lines = [
        json.dumps({"kind": "entity", "key": f"big-{number}", "type": "big", "name": "n", "metadata": {"text": text}})
        for number in range(1200)
    ]
    found = service("POST", f"{API}/import", "\n".join(lines).encode(), Content_Type="application/x-ndjson")
    assert json.loads(found.body)["summary"]["created"] == len(lines)
    return service("GET", f"{API}/export").body


def test_a_slow_sender_holds_no_lock(service: Service) -> None:
    """While an import waits for its lines, others write, and see none of them; then all are there."""
    lines = [line() for _ in range(1000)]
    first = f"{API}/entities?key={json.loads(lines[0])['key']}"
    with begin_import(service, b"".join(lines)) as connection:
        assert service("POST", f"{API}/entities", {"type": "t", "name": "meanwhile"}).status == 201
        assert service("GET", first).data == []
        assert end_import(connection)["created"] == len(lines)
    assert len(service("GET", first).data) == 1


def test_an_import_that_breaks_off_imports_nothing(service: Service) -> None:
    """Its sender is gone before the end, by chunks or by length; its slot is free again."""
    lines = line()
    key = json.loads(lines)["key"]
    for _ in range(SLOTS + 1):
        begin_import(service, lines).close()
        with service.socket() as connection:
            length = f"Content-Length: {len(lines) + 1}"
            connection.sendall(service.head("POST", f"{API}/import", NDJSON[0], length) + lines)
            connection.shutdown(socket.SHUT_WR)
            assert read_answer(connection).status in (400, 503)
    until(lambda: service("POST", f"{API}/import", b"", Content_Type=NDJSON[0].partition(": ")[2]).status == 200)
    assert service("GET", f"{API}/entities?key={key}").data == []


def test_imports_take_half_of_the_threads(service: Service) -> None:
    """One more is asked to come again; short requests are served all the while, and those that have begun go on."""
    with ExitStack() as stack:
        # Short ones take no slot.
        open_ones = [stack.enter_context(begin_import(service, long_lines())) for _ in range(SLOTS + 1)]
        refused = some_answer(open_ones)
        found = read_answer(refused)
        assert (found.status, found.json["code"]) == (503, "overloaded")
        assert int(found.headers["retry-after"]) >= 1
        for _ in range(20):
            assert service("GET", f"{API}/auth/me").status == 200
        open_ones.remove(refused)
        for connection in open_ones:
            connection.sendall(chunk(b""))
        assert {read_answer(connection).status for connection in open_ones} <= {200, 503}


def test_an_export_that_nobody_reads_to_its_end_gives_its_slot_back(service: Service, big: bytes) -> None:
    """Also where the client goes away half-way, more often than there are slots."""
    assert len(big) > 10_000_000
    for _ in range(2 * SLOTS + 1):
        with service.socket(receive_buffer=4096) as connection:
            connection.sendall(service.head("GET", f"{API}/export"))
            beginning = connection.recv(4096)
            assert beginning.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 503 ")), beginning
    for _ in range(SLOTS):
        found = until(lambda: served(service, f"{API}/export"))
        assert len(found.body) >= len(big)


def test_exports_take_half_of_the_threads(service: Service, big: bytes) -> None:
    """One that is not read keeps its slot; one more is asked to come again, and short requests are served."""
    with ExitStack() as stack:
        open_ones = [stack.enter_context(service.socket(receive_buffer=4096)) for _ in range(SLOTS + 1)]
        for connection in open_ones:
            connection.sendall(service.head("GET", f"{API}/export"))
        beginnings = [connection.recv(12) for connection in open_ones]
        assert b"HTTP/1.1 503" in beginnings
        assert {*beginnings} <= {b"HTTP/1.1 200", b"HTTP/1.1 503"}
        assert service("POST", f"{API}/entities", {"type": "t", "name": "beside exports"}).status == 201


def test_an_export_is_of_one_moment(service: Service, big: bytes) -> None:
    """What is written while it is sent is not in it."""
    with until(lambda: begin_export(service)) as connection:
        received = []
        made = service("POST", f"{API}/entities", {"type": "t", "name": "too late", "key": f"late-{next(_numbers)}"})
        assert made.status == 201
        while data := connection.recv(65536):
            received.append(data)
    assert b"".join(received).endswith(b"0\r\n\r\n")
    assert made.data["key"].encode() not in b"".join(received)


def begin_export(service: Service) -> socket.socket | None:
    """An export of which only the status has been read; None while those of other tests still have all slots."""
    connection = service.socket(receive_buffer=4096)
    connection.sendall(service.head("GET", f"{API}/export", "Connection: close"))
    if connection.recv(12) == b"HTTP/1.1 200":
        return connection
    connection.close()
    return None


def latest(service: Service) -> str:
    """The cursor after the last change there is; one is made, since without any there is no cursor."""
    assert service("POST", f"{API}/entities", {"type": "t", "name": "at first"}).status == 201
    cursor = ""
    while True:
        found = service("GET", f"{API}/changes?limit=200{cursor and '&after=' + cursor}").json
        cursor = found["meta"]["next_cursor"]
        if not found["data"]:
            return str(cursor)


def test_a_reader_of_changes_is_told_at_once(service: Service) -> None:
    """It waits for longer than the test would, and is answered as soon as there is a change."""
    after = latest(service)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(until, lambda: served(service, f"{API}/changes?after={after}&wait=30"))
        made = service("POST", f"{API}/entities", {"type": "t", "name": "news"}).data
        found = waiting.result(WITHIN_S)
    assert [change["record"]["id"] for change in found.data] == [made["id"]]
    assert found.json["meta"]["next_cursor"] != after


def test_readers_of_changes_take_half_of_the_threads(service: Service) -> None:
    """One more is asked to come again, and whoever writes is served; then all who wait are told."""
    after = latest(service)
    with ExitStack() as stack:
        waiting = [stack.enter_context(service.socket()) for _ in range(SLOTS + 1)]
        for connection in waiting:
            connection.sendall(service.head("GET", f"{API}/changes?after={after}&wait=30"))
        refused = some_answer(waiting)
        assert read_answer(refused).status == 503
        waiting.remove(refused)
        assert service("POST", f"{API}/entities", {"type": "t", "name": "news"}).status == 201
        assert {read_answer(connection).status for connection in waiting} <= {200, 503}
