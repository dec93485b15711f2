"""The envelope of answers: ``{"data": …, "meta": …, "errors": []}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from kgl_adapters.clock_and_ids import now
from kgl_core.kernel.nouns.pages import Page
from kgl_core.kernel.strict_json import escape_line_breaks
from kgl_http.api.json_views import unstructure, unstructure_all


def dump_json(value: Any) -> bytes:
    """Compact JSON on one line, whatever counts as a line break; moments as RFC 3339 with Z, ids as text."""
    return escape_line_breaks(orjson.dumps(value, option=orjson.OPT_UTC_Z))


def meta(req: Any, **more: Any) -> dict[str, Any]:
    """The ``meta`` of an answer: the request's id, the time, and ``more``."""
    return {"request_id": req.request_id, "timestamp": now(), **more}


def send(req: Any, resp: Any, data: Any, **more: Any) -> None:
    """Answer with ``data``, such as records, in the envelope."""
    _send(req, resp, unstructure(data), more)


def send_shown(req: Any, resp: Any, data: Any, **more: Any) -> None:
    """Answer with ``data``, which is JSON already, in the envelope."""
    _send(req, resp, data, more)


def send_beside(req: Any, resp: Any, data: Any, included: Any, **more: Any) -> None:
    """Answer with ``data``, and beside it the records that it names, in the envelope; both are JSON already."""
    resp.data = dump_json({"data": data, "included": included, "meta": meta(req, **more), "errors": []})


def send_json(req: Any, resp: Any, data: bytes) -> None:
    """Answer with ``data``, which `dump_json` made, in the envelope."""
    about = orjson.dumps(meta(req), option=orjson.OPT_UTC_Z)
    resp.data = b'{"data":%b,"meta":%b,"errors":[]}' % (data, about)


def send_page(req: Any, resp: Any, page: Page[Any], **more: Any) -> None:
    """Answer with a page of a listing; ``next_cursor`` is null at its end."""
    _send(req, resp, unstructure_all(page.items), {"next_cursor": page.next_cursor, "limit": page.limit, **more})


def _send(req: Any, resp: Any, data: Any, more: Mapping[str, Any]) -> None:
    resp.data = dump_json({"data": data, "meta": meta(req, **more), "errors": []})
