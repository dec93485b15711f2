"""What happens before and after every responder. Falcon passes answers through these classes in reverse order."""

from __future__ import annotations

import gzip
import re
import time
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, Final

from kgl_core.kernel.errors import Fault, PermissionDenied
from kgl_core.kernel.permissions import ActorKind, require
from kgl_http.api.authentication import Authenticator
from kgl_http.api.operations import JSON
from kgl_http.api.problems import BadRequest, NotAuthenticated
from kgl_http.server.log import current_request, tell
from kgl_http.server.metrics import Metrics

GZIP_BYTES_MIN: Final = 2048
_GZIP_LEVEL: Final = 4
_WEIGHT: Final = re.compile(r"q=(?:0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")  # RFC 9110, section 12.4.2
_COMPRESSIBLE: Final = re.compile(r"application/(json|problem\+json|x-ndjson)|text/")


class RootPath:
    """Sets the path under which a proxy offers the service and that it strips (SCRIPT_NAME of PEP 3333)."""

    def __init__(self, root_path: str) -> None:
        self._root_path = root_path

    def process_request(self, req: Any, resp: Any) -> None:
        req.env["SCRIPT_NAME"] = self._root_path


class Observation:
    """Logs and counts every request, and sends its id with the answer."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def process_request(self, req: Any, resp: Any) -> None:
        req.started_s = time.perf_counter()
        current_request.set(req)
        self._metrics.began()

    def process_response(self, req: Any, resp: Any, resource: object, is_success: bool) -> None:
        resp.set_header("X-Request-ID", req.request_id)
        if req.started_s is None:  # Falcon refused it before any middleware
            self.process_request(req, resp)
        duration_s = time.perf_counter() - req.started_s
        self._metrics.ended()
        status = resp.status_code
        self._metrics.answered(req.method, req.uri_template, status, duration_s)
        trace = {} if (given := req.traceparent) is None else {"traceparent": given}
        tell(
            "kgl_http.requests",
            "Request answered",
            method=req.method,
            path=req.uri_template,
            status=status,
            duration_ms=round(duration_s * 1000, 3),
            **trace,
        )
        current_request.set(None)


class VaryByOrigin:
    """Tells caches that answers depend on the Origin header; used if CORS_ORIGINS is set."""

    def process_response(self, req: Any, resp: Any, resource: object, is_success: bool) -> None:
        resp.append_header("Vary", "Origin")


class Compression:
    """Compresses large answers for clients that accept gzip (RFC 9110, section 8.4.1.3).

    It leaves out answers with a strong entity tag, which stands for an exact sequence of bytes.
    """

    def process_response(self, req: Any, resp: Any, resource: object, is_success: bool) -> None:
        is_stream = resp.stream is not None
        if not is_stream and len(resp.data or b"") < GZIP_BYTES_MIN:
            return
        # Falcon fills in the type of JSON only when it sends it.
        if resp.get_header("ETag", default="W/")[:2] != "W/" or not _COMPRESSIBLE.match(resp.content_type or JSON):
            return
        resp.append_header("Vary", "Accept-Encoding")
        if not accepts_gzip(req.get_header("Accept-Encoding", default="")):
            return
        if is_stream:
            resp.stream = _Compressed(resp.stream)
            resp.delete_header("Content-Length")
        else:
            resp.data = gzip.compress(resp.data, _GZIP_LEVEL, mtime=0)
        resp.set_header("Content-Encoding", "gzip")


class Authentication:
    """Stops callers who may not call an operation. Which records they may change, the use case decides."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def process_resource(self, req: Any, resp: Any, resource: object, params: dict[str, str]) -> None:
        _require_host(req)
        responder = getattr(resource, f"on_{req.method.lower()}", None)
        if responder is None:
            return  # Falcon's own: OPTIONS, or 405
        operation = responder.operation
        header = req.env.get("HTTP_AUTHORIZATION")
        if operation.is_public or operation.is_for_clients:
            return
        if header is None or header[:7].lower() != "bearer ":
            raise NotAuthenticated
        req.access_token = header[7:].strip()
        req.caller = caller = self._authenticator.caller(req.access_token)
        if operation.action is not None:
            require(caller, operation.action, caller)
        elif caller.kind is not ActorKind.USER:
            raise PermissionDenied(caller, "use an account", "a service has none; log in with one")


def _require_host(req: Any) -> None:
    """Raise BadRequest for HTTP/1.1 without a Host, or with several (RFC 9112, section 3.2)."""
    host = req.env.get("HTTP_HOST")
    if (not host and req.env["SERVER_PROTOCOL"] == "HTTP/1.1") or (host and "," in host):
        advice = "send one Host header, which names the service (RFC 9112, section 3.2)"
        raise BadRequest([Fault("", "no_host", advice)])


@lru_cache(maxsize=64)
def accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding header accepts gzip (RFC 9110, section 12.5.3)."""
    weights: dict[str, float] = {}
    for part in header.lower().split(","):
        coding, semicolon, weight = map(str.strip, part.partition(";"))
        if not semicolon or _WEIGHT.fullmatch(weight):
            weights.setdefault(coding, float(weight[2:] or 1))
    return next((weights[name] for name in ("gzip", "x-gzip", "*") if name in weights), 0) > 0


class _Compressed:
    """A stream that is compressed piece by piece."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        compressor = zlib.compressobj(_GZIP_LEVEL, wbits=zlib.MAX_WBITS | 16)
        for chunk in _pieces(self._stream):
            if compressed := compressor.compress(chunk):
                yield compressed
        yield compressor.flush()

    def close(self) -> None:
        if hasattr(self._stream, "close"):
            self._stream.close()


def _pieces(stream: Any) -> Iterable[bytes]:
    return iter(lambda: stream.read(64 * 1024), b"") if hasattr(stream, "read") else stream
