"""Asks the service one question after the other, on one connection, and takes the time of anything."""

import time
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any

from tests.benchmarks.contenders import Contender


class Asking:
    """A client of the service with one connection."""

    def __init__(self, service: Contender) -> None:
        self._connection = HTTPConnection(*service.address, timeout=60)
        self._headers = dict(service.headers)

    def call(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """The body of an answer; ``body`` is JSON."""
        kind = {"Content-Type": "application/json"} if body else {}
        self._connection.request(method, path, body, {**self._headers, **kind})
        answer = self._connection.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {data[:500]!r}")
        return data


def timed(act: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    """How many milliseconds a call takes, and what it returns."""
    began = time.perf_counter()
    found = act(*arguments)
    return (time.perf_counter() - began) * 1e3, found
