"""``/health``, ``/health/ready``, ``/metrics`` and ``/.well-known/jwks.json``: for machines that look after others."""

from __future__ import annotations

from typing import Any

from kgl_core.access.tokens import TokenSigner
from kgl_http.api.envelope import dump_json
from kgl_http.api.operations import Answer, Resource, operation
from kgl_http.server.metrics import CONTENT_TYPE, Metrics
from kgl_http.server.readiness import Readiness


class Health(Resource):
    """``/health``."""

    @operation(
        summary="See whether the process answers",
        is_public=True,
        answers={200: Answer(dict[str, str], "bare")},
    )
    def on_get(self, req: Any, resp: Any) -> None:
        resp.data = b'{"status":"healthy"}'
        resp.set_header("Cache-Control", "no-store")


class Ready(Resource):
    """``/health/ready``."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    @operation(
        summary="See whether requests can be served, and if not, which part is in the way",
        is_public=True,
        answers={200: Answer(dict[str, Any], "bare"), 503: Answer(dict[str, Any], "bare")},
    )
    def on_get(self, req: Any, resp: Any) -> None:
        checks = self._readiness.check()
        is_ready = not any(check.is_in_the_way for check in checks)
        resp.status = 200 if is_ready else 503
        resp.data = dump_json(
            {
                "status": "ready" if is_ready else "not_ready",
                "checks": {check.name: {"status": check.status, "detail": check.detail} for check in checks},
            }
        )
        resp.set_header("Cache-Control", "no-store")
        if not is_ready:
            resp.set_header("Retry-After", "5")


class MetricsPage(Resource):
    """``/metrics``."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    @operation(
        summary="Read the metrics of all workers, in Prometheus' text format",
        is_public=True,
        answers={200: Answer(None, "text", media_type="text/plain")},
    )
    def on_get(self, req: Any, resp: Any) -> None:
        resp.data = self._metrics.render()
        resp.content_type = CONTENT_TYPE
        resp.set_header("Cache-Control", "no-store")


class Jwks(Resource):
    """``/.well-known/jwks.json``."""

    def __init__(self, signer: TokenSigner) -> None:
        self._signer = signer

    @operation(
        summary="Get the public keys that verify access tokens (RFC 7517); none under HS256",
        is_public=True,
        answers={200: Answer(dict[str, Any], "bare")},
    )
    def on_get(self, req: Any, resp: Any) -> None:
        resp.data = dump_json(self._signer.jwks())
        resp.set_header("Cache-Control", "public, max-age=300")
