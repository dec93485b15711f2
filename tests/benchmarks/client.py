"""A client that keeps every latency as it was: ``python -m tests.benchmarks.client``, a process of its own.

Each of its connections is kept alive and sends the next request as soon as the last is answered. So, unlike with a
client that fills in the requests that a stall kept it from sending, a latency is one that some caller waited.
"""

import base64
import json
import random
import selectors
import socket
import subprocess
import sys
import time
from array import array
from collections.abc import Iterator, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import attrs

from tests.benchmarks.percentiles import percentile

_CHECKOUT: Final = Path(__file__).parents[2]
_READ_BYTES: Final = 2**18
_PATIENCE_S: Final = 30
"""How long the last answers may take after the time is up."""


@attrs.frozen
class Latencies:
    """What the connections saw: microseconds of each answered request, in ascending order, and how long it all took."""

    micros: Sequence[int]
    seconds: float

    @property
    def per_second(self) -> float:
        return len(self.micros) / self.seconds

    def percentile(self, part: float) -> float:
        """Milliseconds within which ``part`` (above 0, to 1) of the requests were answered."""
        return percentile(self.micros, part) / 1000


def press(address: tuple[str, int], requests: Sequence[bytes], *, connections: int, seconds: float) -> Latencies:
    """Send the requests, again and again, for so many seconds. Raises RuntimeError for an answer that is not 2xx."""
    order = {
        "address": address,
        "connections": connections,
        "seconds": seconds,
        "requests": [base64.b64encode(request).decode() for request in requests],
    }
    command = [sys.executable, "-m", "tests.benchmarks.client"]
    done = subprocess.run(
        command, input=json.dumps(order).encode(), capture_output=True, cwd=_CHECKOUT, check=False, timeout=seconds + 90
    )
    if done.returncode:
        raise RuntimeError(f"the client failed: {done.stderr.decode()}")
    head, _, micros = done.stdout.partition(b"\n")
    return Latencies(sorted(array("Q", micros)), float(head))


class _Connection:
    """One connection, and the answer that it waits for."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=_PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._missing, self._received = 0, b""

    def send(self, request: bytes) -> None:
        self.began = time.perf_counter_ns()
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Whether the answer is whole now."""
        data = self.socket.recv(_READ_BYTES)
        if not data:
            raise RuntimeError(f"the server closed the connection after {self._received!r}")
        if self._missing:
            self._missing -= len(data)
            return not self._missing
        data = self._received + data
        head, blank, body = data.partition(b"\r\n\r\n")
        if not blank:
            self._received = data
            return False
        self._received = b""
        if head[9:10] != b"2":
            raise RuntimeError(f"unexpected answer: {data!r}")
        self._missing = body_length(head) - len(body)
        return not self._missing


def body_length(head: bytes) -> int:
    """How many bytes the body of an answer has, by its head. Raises RuntimeError."""
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    if not found:
        raise RuntimeError(f"an answer without its length: {head!r}")
    return int(rest.partition(b"\r")[0])


def _run(address: tuple[str, int], requests: Iterator[bytes], connections: int, seconds: float) -> tuple[float, Any]:
    micros = array("Q")
    with selectors.DefaultSelector() as selector:
        made = [_Connection(address) for _ in range(connections)]
        for connection in made:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        began = time.perf_counter_ns()
        until, waiting = began + int(seconds * 1e9), connections
        for connection in made:
            connection.send(next(requests))
        while waiting:
            ready = selector.select(_PATIENCE_S)
            if not ready:
                raise RuntimeError(f"no answer within {_PATIENCE_S} seconds")
            for key, _ in ready:
                connection = key.data
                if connection.receive():
                    now = time.perf_counter_ns()
                    micros.append((now - connection.began) // 1000)
                    if now < until:
                        connection.send(next(requests))
                    else:
                        waiting -= 1
        took = time.perf_counter_ns() - began
        for connection in made:
            connection.socket.close()
    return took / 1e9, micros


def main() -> None:
    """Do what standard input says; write the seconds that it took as a line, and the microseconds as bytes."""
    order = json.load(sys.stdin)
    requests = [base64.b64decode(request) for request in order["requests"]]
    random.Random().shuffle(requests)
    seconds, micros = _run(tuple(order["address"]), cycle(requests), order["connections"], order["seconds"])
    sys.stdout.buffer.write(f"{seconds}\n".encode() + micros.tobytes())


if __name__ == "__main__":
    main()
