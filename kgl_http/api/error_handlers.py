"""Answers an error with its problem (RFC 9457)."""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import attrs
import falcon
import structlog

from kgl_core.kernel.errors import Fault, InvalidInput, KglError, Overloaded
from kgl_core.kernel.store_errors import StoreFull
from kgl_core.kernel.strict_json import MALFORMED
from kgl_http.api.envelope import dump_json, meta
from kgl_http.api.operations import PROBLEM
from kgl_http.api.problems import PROBLEMS, PROBLEMS_PATH, BadRequest, PreconditionFailed, UnsupportedCoding

# In our own texts a path follows a space or a backquote; a value that a client sent is quoted, and stays as it is.
_OWN_PATH: Final = re.compile(r"(?<=[ `])/api/v1/")
_FALCON_CODES: Final = {
    404: "no_route",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
}

_log = structlog.get_logger("kgl_http.api.problems")  # the name in the log, whatever this module is called


def on_kgl_error(req: Any, resp: Any, error: KglError, params: object) -> None:
    """Answer with one of our own errors."""
    code = error.code
    faults: Sequence[Fault] = getattr(error, "faults", ())
    if isinstance(error, InvalidInput):
        if any(fault.code == MALFORMED for fault in faults):
            code = MALFORMED
        elif req.method in ("GET", "HEAD", "DELETE"):
            code = "bad_request"  # there is no body that could be at fault
    if code not in PROBLEMS:
        on_exception(req, resp, error, params)
        return
    retry_after_s = getattr(error, "retry_after_s", None)
    detail = detail_of(error)
    if PROBLEMS[code].status >= 500 and code != "overloaded":
        # What is wrong with the store names hosts and users: it is for the log.
        _log.warning("Request failed", code=code, detail=detail)
        detail = PROBLEMS[code].explanation
    _send(req, resp, code, detail, faults, retry_after_s=retry_after_s)
    if isinstance(error, UnsupportedCoding):
        resp.set_header("Accept-Encoding", "gzip")
    if isinstance(error, PreconditionFailed) and error.tag is not None:
        resp.set_header("ETag", error.tag)


def below_root(req: Any, text: str) -> str:
    """``text`` with the root path before its paths, as clients of a proxy see them."""
    return _OWN_PATH.sub(lambda found: req.root_path + found[0], text)


def detail_of(error: KglError) -> str:
    """The detail of one of our errors, for the client."""
    if isinstance(error, InvalidInput | BadRequest):
        return "; ".join(f"{fault.pointer}: {fault.detail}".removeprefix(": ") for fault in error.faults)
    return str(error)


def on_http_error(req: Any, resp: Any, error: falcon.HTTPError, params: object) -> None:
    """Answer with one of Falcon's errors, in our form."""
    status = error.status_code
    code = _FALCON_CODES.get(status, "http_error" if status < 500 else "internal_error")
    detail = f"{error.description or error.title}; /api/v1/openapi.json says what is served"
    if code == "no_route":
        detail = "there is nothing at this path; the API's document is at /api/v1/openapi.json"
    elif code == "method_not_allowed":
        detail = f"this path does not take {req.method}; see Allow for what it takes"
    _send(req, resp, code, detail, status=status)
    if error.headers is not None:
        resp.set_headers(error.headers)


def on_os_error(req: Any, resp: Any, error: OSError, params: object) -> None:
    """Answer when the disk for large bodies and results is full, or too many files are open.

    Any other OSError is answered as an unexpected exception.
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        on_kgl_error(req, resp, StoreFull(), params)
    elif error.errno in (errno.EMFILE, errno.ENFILE):
        on_kgl_error(req, resp, Overloaded("the table of open files"), params)
    else:
        on_exception(req, resp, error, params)


def on_exception(req: Any, resp: Any, error: Exception, params: object) -> None:
    """Answer to an unexpected exception: the log gets the traceback, the client an id to ask with."""
    _log.error("Unexpected error", exc_info=error)
    _send(req, resp, "internal_error", f"something went wrong in kgl; tell an operator the request_id {req.request_id}")


def _send(
    req: Any,
    resp: Any,
    code: str,
    detail: str,
    faults: Sequence[Fault] = (),
    *,
    status: int | None = None,
    retry_after_s: int | None = None,
) -> None:
    problem = PROBLEMS[code]
    status = status or problem.status
    resp.status = status
    resp.content_type = PROBLEM
    resp.text = resp.stream = None
    resp.data = dump_json(
        {
            "type": f"{req.root_path}{PROBLEMS_PATH}/{code}",
            "title": problem.title if status == problem.status else HTTPStatus(status).phrase,
            "status": status,
            "detail": below_root(req, detail),
            "instance": req.root_path + quote(req.path),
            "code": code,
            "errors": [attrs.asdict(fault) for fault in faults],
            "data": None,
            "meta": meta(req),
        }
    )
    wait = retry_after_s or problem.retry_after_s
    if wait is not None:
        resp.set_header("Retry-After", str(wait))
    if status == 401:
        # RFC 6750, section 3: what was wrong is only told to those who sent a token.
        resp.set_header("WWW-Authenticate", 'Bearer error="invalid_token"' if code == "invalid_token" else "Bearer")
    resp.set_header("Cache-Control", "no-store")
