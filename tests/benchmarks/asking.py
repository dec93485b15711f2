"""Asks the service one question after the other, on one connection, and takes the time of anything."""

import socket
import time
from collections.abc import Callable
from typing import Any, Final

from tests.benchmarks.client import body_length
from tests.benchmarks.contenders import Contender

_READ_BYTES: Final = 1024 * 1024


class Asking:
    """A client of the service with one connection, which does nothing but send and receive."""

    def __init__(self, service: Contender) -> None:
        self._service = service
        self._socket = socket.create_connection(service.address, timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(self, method: str, path: str, body: bytes = b"") -> bytes:
        """The body of an answer; ``body`` is JSON."""
        self._socket.sendall(self._service.request(method, path, body))
        received = self._receive()
        while b"\r\n\r\n" not in received:
            received += self._receive()
        head, _, begin = received.partition(b"\r\n\r\n")
        parts, missing = [begin], body_length(head) - len(begin)
        while missing:
            parts.append(self._receive())
            missing -= len(parts[-1])
        data = b"".join(parts)
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"{path}: {data[:500]!r}")
        return data

    def _receive(self) -> bytes:
        data = self._socket.recv(_READ_BYTES)
        if not data:
            raise RuntimeError("the service closed the connection")
        return data


def timed(act: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """How many milliseconds a call takes, and what it returns."""
    began = time.perf_counter()
    found = act(*arguments)
    return (time.perf_counter() - began) * 1e3, found
