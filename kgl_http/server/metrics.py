"""Metrics for Prometheus, summed over processes where PROMETHEUS_MULTIPROC_DIR was set before this is imported.

No label takes a value from a request: routes are templates, methods and outcomes are from short lists. Where a process
can't have its files in that folder, it counts for itself alone.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections import Counter as Tally
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector

from kgl_core.access.oauth_errors import OAuthError
from kgl_core.graph.journal.changes import Change, ChangeAction
from kgl_core.kernel.errors import InvalidCredentials, InvalidInput, InvalidToken, KglError, TooManyAttempts
from kgl_http.api.operations import METHODS
from kgl_http.api.problems import BadRequest
from kgl_http.server import metric_files

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
PUBLISH_EVERY_S: Final = 0.25
_METHODS: Final = frozenset({*METHODS, "HEAD", "OPTIONS"})
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_WAITING_MAX: Final = 1000  # answers, or changes, that wait to be counted
_UNMATCHED: Final = "unmatched"
_REFUSALS: Final = (InvalidCredentials, InvalidToken, OAuthError, InvalidInput, BadRequest)

M = TypeVar("M", Counter, Histogram)
T = TypeVar("T")


class Metrics:
    """What is counted and timed; shared by threads."""

    def __init__(self) -> None:
        metric_files.reserve()
        self._registry = registry = CollectorRegistry()
        requests = Counter("kgl_http_requests", "Requests answered", ("method", "route", "status"), registry=registry)
        durations = Histogram(
            "kgl_http_request_duration_seconds",
            "Time to answer a request, without sending a streamed body",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=registry,
        )
        # Looking a child up takes longer than counting; there are only as many as routes with their answers.
        self._requests_of = _children(requests)
        self._durations_of = _children(durations)
        self._in_flight = Gauge(
            "kgl_http_requests_in_flight",
            "Requests being answered",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._connections = Gauge(
            "kgl_database_connections_in_use",
            "Connections taken from the pools",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._replica_lag = Gauge(
            "kgl_replica_lag_seconds",
            "How old what the replica answers may be; +Inf while it answers nothing",
            multiprocess_mode="livemax",
            registry=registry,
        )
        self._logins = Counter("kgl_logins", "Attempts to log in", ("outcome",), registry=registry)
        self._token_requests = Counter(
            "kgl_token_requests", "Requests for tokens, without logins", ("grant", "outcome"), registry=registry
        )
        changes = Counter("kgl_records_changed", "Changes that were committed", ("kind", "action"), registry=registry)
        self._changes_of = _children(changes)
        self._dropped_lines = Counter(
            "kgl_log_lines_dropped", "Lines of the log that could not be written", registry=registry
        )

        # Threads share deques without a lock; this one's length is a count.
        self._answering: deque[None] = deque()
        self._answered: deque[tuple[str, str, int, float]] = deque()
        self._changed: deque[tuple[type, ChangeAction]] = deque()
        self._checked_out: list[Callable[[], int]] = []

    def began(self) -> None:
        """Count a request that is being answered, until `ended`."""
        self._answering.append(None)

    def ended(self) -> None:
        """Stop counting it."""
        self._answering.pop()

    def watch_connections(self, checked_out: Callable[[], int]) -> None:
        """Have ``checked_out`` say how many connections of a pool are in use."""
        self._checked_out.append(checked_out)

    def publish_behind(self) -> None:
        """Publish from now on: by a thread, every PUBLISH_EVERY_S, and at the end of this process.

        Call it in the process that serves, after any fork.
        """
        threading.Thread(target=self._keep_publishing, name="metrics", daemon=True).start()
        atexit.register(self.publish)

    def _keep_publishing(self) -> None:
        while True:
            time.sleep(PUBLISH_EVERY_S)
            self.publish()

    def publish(self) -> None:
        """Count what happened since the last time, and write the gauges: now and then, and not with each request."""
        counts = Tally[Counter]()
        for method, route, status, duration_s in _taken(self._answered):
            requests, durations = self._requests_of(method, route, status), self._durations_of(method, route)
            if requests is not None and durations is not None:
                counts[requests] += 1
                durations.observe(duration_s)
        for kind, action in _taken(self._changed):
            changes = self._changes_of(kind.__name__.lower(), action.value)
            if changes is not None:
                counts[changes] += 1
        for counter, number in counts.items():
            counter.inc(number)
        self._in_flight.set(len(self._answering))
        self._connections.set(sum(checked_out() for checked_out in self._checked_out))

    def dropped_lines(self, count: int) -> None:
        """Count lines of the log that could not be written."""
        self._dropped_lines.inc(count)

    def answered(self, method: str, route: str | None, status: int, duration_s: float) -> None:
        """Count an answer to ``route``, a template; None where no route matched. `publish` shows it."""
        self._answered.append((method if method in _METHODS else "other", route or _UNMATCHED, status, duration_s))
        if len(self._answered) >= _WAITING_MAX:
            self.publish()

    def login(self) -> AbstractContextManager[None]:
        """Count an attempt to log in by how the block ends."""
        return _counted(self._logins)

    def token_request(self, grant: str) -> AbstractContextManager[None]:
        """Count a request for tokens by this grant (RFC 6749, section 1.3) by how the block ends."""
        return _counted(self._token_requests, grant)

    def changed(self, changes: Sequence[Change]) -> None:
        """Count committed changes. `publish` shows it."""
        self._changed.extend((type(change.record), change.action) for change in changes)
        if len(self._changed) >= _WAITING_MAX:
            self.publish()

    def replica_looked_at(self, lag_s: float) -> None:
        """The replica is so many seconds behind."""
        self._replica_lag.set(lag_s)

    def render(self) -> bytes:
        """Everything, of all workers, in Prometheus' text format 0.0.4."""
        self.publish()
        registry = self._registry
        if metric_files.are_used():
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


def _taken(waiting: deque[T]) -> Iterator[T]:
    """What waits in a deque that threads share, each taken out."""
    while waiting:
        try:
            first = waiting.popleft()
        except IndexError:  # another thread was quicker
            return
        yield first


def _children(metric: M) -> Callable[..., M | None]:
    """The children of a metric by their labels, each looked up once; None for one that there is no room for."""

    @cache
    def child(*labels: object) -> M | None:
        return metric.labels(*labels) if metric_files.have_room() else None

    return child


@contextmanager
def _counted(counter: Counter, *labels: str) -> Iterator[None]:
    try:
        yield
    except _REFUSALS:
        counter.labels(*labels, "refused").inc()
        raise
    except TooManyAttempts:
        counter.labels(*labels, "throttled").inc()
        raise
    except KglError:
        counter.labels(*labels, "failed").inc()
        raise
    counter.labels(*labels, "accepted").inc()
