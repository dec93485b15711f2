"""Idempotency keys over HTTP (draft-ietf-httpapi-idempotency-key-header-07): a repeated POST is done once."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from kgl_core.kernel.errors import Fault, IdempotencyKeyReused
from kgl_core.kernel.idempotency import AnswerKept, AnswerSeal, IdempotencyKey, KeptAnswer
from kgl_core.storage.idempotent_store import HeldStore
from kgl_http.api.envelope import dump_json
from kgl_http.api.operations import NDJSON, takes_key
from kgl_http.api.problems import BadRequest

HEADER: Final = "Idempotency-Key"
# A string of RFC 8941 (section 3.3.3), or what most clients send: the bare text.
_QUOTED: Final = re.compile(r'"((?:[!#-\[\]-~]|\\["\\]){1,255})"')
_BARE: Final = re.compile(r"[!#-~][!-~]{0,254}")
KEY_PATTERN: Final = rf"^(?:{_QUOTED.pattern}|{_BARE.pattern})$"
_KEPT_HEADERS: Final = ("Location", "ETag", "Content-Type", "Cache-Control", "Pragma")


class Idempotency:
    """Does a request with a key once, and answers its repetitions as it answered the first. Shared by threads."""

    def __init__(self, store: HeldStore, seal: AnswerSeal) -> None:
        self._store, self._seal = store, seal

    def guard(self, resource: Any) -> None:
        """Make a resource's POST take keys if it writes to the graph. Imports do so themselves: bodies may be large."""
        responder = getattr(resource, "on_post", None)
        if responder is None or not takes_key("POST", responder.operation):
            return
        if NDJSON in responder.operation.body_media_types:
            return

        @functools.wraps(responder)
        def guarded(req: Any, resp: Any, **params: str) -> None:
            key = key_of(req)
            body = () if key is None else (req.read_body(),)
            self.once(key, req, resp, body, lambda: responder(req, resp, **params))

        resource.on_post = guarded

    def once(
        self,
        key: IdempotencyKey | None,
        req: Any,
        resp: Any,
        body: Iterable[bytes],
        respond: Callable[[], None],
    ) -> None:
        """Call ``respond``, or repeat the answer if this was done before under this key. Only successes are kept.

        Raises RequestInFlight, IdempotencyKeyReused if the key belongs to another request, and what ``respond`` raises.
        """
        if key is None:
            respond()
            return
        run = req.env.get("HTTP_RUN")  # what is done within another run is something else
        request = (req.method, req.path, req.query_string, *(() if run is None else (run,)))
        fingerprint = key.fingerprint(request, body)
        kept = self._store.find(key.id)
        if kept is None:
            try:
                self._respond(key, fingerprint, resp, respond)
                return
            except AnswerKept as found:
                kept = found.kept
        self._replay(key, fingerprint, resp, kept)

    def _respond(self, key: IdempotencyKey, fingerprint: bytes, resp: Any, respond: Callable[[], None]) -> None:
        with self._store.hold(key.id) as hold:
            respond()
            try:
                if resp.status_code >= 300:
                    hold.release()
                elif hold.uow is not None:
                    hold.finish(fingerprint, self._seal.seal(key, _written(resp)))
            except BaseException:
                _clear(resp)
                raise

    def _replay(self, key: IdempotencyKey, fingerprint: bytes, resp: Any, kept: KeptAnswer) -> None:
        if not kept.answers(fingerprint):
            raise IdempotencyKeyReused
        head, _, resp.data = self._seal.unseal(key, kept.answer).partition(b"\n")
        told = json.loads(head)
        resp.status = told["status"]
        resp.set_headers(told["headers"])


def key_of(req: Any) -> IdempotencyKey | None:
    """The key of a request, bound to its caller; None if it has none. Raises BadRequest."""
    given = req.env.get("HTTP_IDEMPOTENCY_KEY")
    if given is None:
        return None
    found = _QUOTED.fullmatch(given)
    if found is not None:
        return IdempotencyKey(re.sub(r"\\(.)", r"\1", found[1]), req.caller)
    if not _BARE.fullmatch(given):
        advice = "an Idempotency-Key is 1 to 255 visible ASCII characters, as they are or in quotes; a UUID will do"
        raise BadRequest([Fault("", "malformed_idempotency_key", advice)])
    return IdempotencyKey(given, req.caller)


def _written(resp: Any) -> bytes:
    """An answer in bytes for `_replay`: a line with its status and headers, then its body."""
    if resp.stream is None:
        body: bytes = resp.data or b""
    else:
        body = resp.stream.read()
        resp.stream.seek(0)
    headers = {name: value for name in _KEPT_HEADERS if (value := resp.get_header(name)) is not None}
    return dump_json({"status": resp.status_code, "headers": headers}) + b"\n" + body


def _clear(resp: Any) -> None:
    """Remove what a success has put into an answer that becomes a problem."""
    if resp.stream is not None:
        resp.stream.close()
    for name in _KEPT_HEADERS:
        resp.delete_header(name)
