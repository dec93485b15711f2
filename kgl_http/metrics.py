"""Metrics for Prometheus, summed over gunicorn's workers where PROMETHEUS_MULTIPROC_DIR was set
before this module was imported.

No label takes a value from a request: routes are templates, methods and outcomes are from short lists.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.values import MutexValue, ValueClass

from kgl_core.changes import Change
from kgl_core.errors import InvalidCredentials, InvalidInput, InvalidToken, KglError, OAuthError, TooManyAttempts
from kgl_http.errors import BadRequest
from kgl_http.operations import METHODS

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
_METHODS: Final = frozenset({*METHODS, "HEAD", "OPTIONS"})
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_UNMATCHED: Final = "unmatched"
_REFUSALS: Final = (InvalidCredentials, InvalidToken, OAuthError, InvalidInput, BadRequest)


class Metrics:
    """What is counted and timed; shared by threads."""

    def __init__(self) -> None:
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
        self._requests_of = cache(requests.labels)
        self._durations_of = cache(durations.labels)
        self.in_flight = Gauge(
            "kgl_http_requests_in_flight",
            "Requests being answered",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self.connections = Gauge(
            "kgl_database_connections_in_use",
            "Connections taken from the pools",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._logins = Counter("kgl_logins", "Attempts to log in", ("outcome",), registry=registry)
        self._token_requests = Counter(
            "kgl_token_requests", "Requests for tokens, without logins", ("grant", "outcome"), registry=registry
        )
        changes = Counter("kgl_records_changed", "Changes that were committed", ("kind", "action"), registry=registry)
        self._changes_of = cache(changes.labels)

    def answered(self, method: str, route: str | None, status: int, duration_s: float) -> None:
        """Count an answer to ``route``, a template; None where no route matched."""
        method = method if method in _METHODS else "other"
        route = route or _UNMATCHED
        self._requests_of(method, route, status).inc()
        self._durations_of(method, route).observe(duration_s)

    def login(self) -> AbstractContextManager[None]:
        """Count an attempt to log in by how the block ends."""
        return _counted(self._logins)

    def token_request(self, grant: str) -> AbstractContextManager[None]:
        """Count a request for tokens by this grant (RFC 6749, section 1.3) by how the block ends."""
        return _counted(self._token_requests, grant)

    def changed(self, changes: Sequence[Change]) -> None:
        """Count committed changes."""
        tally: dict[tuple[type, str], int] = {}
        for change in changes:
            of = type(change.record), change.action.value
            tally[of] = tally.get(of, 0) + 1
        for (kind, action), number in tally.items():
            self._changes_of(kind.__name__.lower(), action).inc(number)

    def render(self) -> bytes:
        """Everything, of all workers, in Prometheus' text format 0.0.4."""
        registry = self._registry
        if ValueClass is not MutexValue:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


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
