"""Clients that write without pause while something fails, and a ledger of what each was told."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from typing import Any, Final

import attrs
import pytest

from kgl_adapters import connect
from kgl_core import Change, KnowledgeGraph
from tests.serving.service import API, Answer, Service, answer, until

CLIENTS: Final = 8


def rounds(many: int) -> pytest.MarkDecorator:
    """How often a test does it: twice, and as often as ``many`` with ``-m soak``."""
    return pytest.mark.parametrize("rounds", [2, pytest.param(many, marks=pytest.mark.soak)])


@attrs.frozen
class Attempt:
    """A record that a client tried to create, and the answer: none when the connection was lost or refused."""

    name: str
    answer: Answer | None = None
    error: Exception | None = None
    took_s: float = 0.0

    @property
    def status(self) -> int | None:
        """The answer's status."""
        return self.answer.status if self.answer else None

    @property
    def is_refused(self) -> bool:
        """Whether the service never had it: no connection was made."""
        return isinstance(self.error, ConnectionRefusedError)


@attrs.define
class Ledger:
    """What all clients tried, in the order of the answers."""

    attempts: list[Attempt] = attrs.field(factory=list)
    _ending: threading.Event = attrs.field(factory=threading.Event)

    def statuses(self, since: int = 0) -> Counter[int | None]:
        """How many attempts ended with each status."""
        return Counter(attempt.status for attempt in self.attempts[since:])

    def lost(self) -> list[Attempt]:
        """Those that the service was sent and did not answer."""
        return [attempt for attempt in self.attempts if attempt.answer is None and not attempt.is_refused]

    def wait_for(self, status: int | None, count: int, since: int = 0) -> None:
        """Return when ``count`` attempts have ended with that status."""
        until(lambda: self.statuses(since)[status] >= count)


@contextmanager
def load(service: Service, prefix: str, clients: int = CLIENTS) -> Iterator[Ledger]:
    """Clients that create records named after ``prefix`` for as long as the block runs.

    Half of them keep their connections. One that is refused or loses its connection makes another.
    """
    ledger = Ledger()
    token, port = service.token, service.port
    with ThreadPoolExecutor(clients) as threads:
        running = [
            threads.submit(_write, ledger, port, token, f"{prefix}-{number}", keeps=number % 2 == 0)
            for number in range(clients)
        ]
        try:
            yield ledger
        finally:
            ledger._ending.set()
    for client in running:
        client.result()


def _write(ledger: Ledger, port: int, token: str, prefix: str, *, keeps: bool) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    count = 0
    while not ledger._ending.is_set():
        count += 1
        attempt = _attempt(connection, token, f"{prefix}-{count}")
        ledger.attempts.append(attempt)
        if attempt.answer is None or not keeps:
            connection.close()
        if attempt.answer is None:
            ledger._ending.wait(0.02)
    connection.close()


def _attempt(connection: HTTPConnection, token: str, name: str) -> Attempt:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    begin = time.monotonic()
    try:
        connection.request("POST", f"{API}/entities", f'{{"type":"fault","name":"{name}"}}', headers)
        return Attempt(name, answer(connection.getresponse()), None, time.monotonic() - begin)
    except (OSError, HTTPException) as error:
        return Attempt(name, None, error, time.monotonic() - begin)


def all_pages(page_after: Callable[[Any], Sequence[Change]]) -> list[Change]:
    """All changes."""
    found: list[Change] = []
    while page := page_after(found[-1].cursor if found else None):
        found += page
    return found


def check_kept(url: str, attempts: Sequence[Attempt]) -> None:
    """Every acknowledged record is in the database, once and with its one change; and nothing that nobody tried."""
    with connect(url, migrate=False) as kg:
        _check_kept(kg, attempts)


def _check_kept(kg: KnowledgeGraph, attempts: Sequence[Attempt]) -> None:
    kept = {record["id"]: record["name"] for record in kg.dump()}
    changes = all_pages(lambda cursor: kg.changes(after=cursor, limit=200).items)
    assert Counter(str(change.record.id) for change in changes) == Counter([*kept])
    assert {change.action for change in changes} <= {"created"}
    acknowledged = {
        attempt.answer.data["id"]: attempt.name for attempt in attempts if attempt.answer and attempt.status == 201
    }
    assert acknowledged.items() <= kept.items()
    tried = Counter(attempt.name for attempt in attempts)
    assert not Counter(kept.values()) - tried, "each attempt is kept at most once"
