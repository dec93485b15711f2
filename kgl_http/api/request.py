"""Requests: their id, caller, query and body, read strictly and within limits."""

from __future__ import annotations

import io
import ipaddress
import random
import re
from collections.abc import Collection, Sequence
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

import falcon

from kgl_core.kernel.checked_records import escape
from kgl_core.kernel.errors import Fault, InvalidInput
from kgl_core.kernel.ids import parse_id
from kgl_core.kernel.permissions import Actor
from kgl_core.kernel.strict_json import parse_json
from kgl_core.storage.gzip_stream import Unpacked
from kgl_http.api.operations import FORM, JSON
from kgl_http.api.problems import BadRequest, BodyTooLarge, UnsupportedCoding, UnsupportedMediaType
from kgl_http.api.query_parameters import read_parameters, read_query, with_moments
from kgl_http.settings import Network

BODY_BYTES_MAX: Final = 1024 * 1024
_CHUNK_BYTES: Final = 64 * 1024
_INCOMPLETE: Final = "the body ended before its Content-Length; send it again"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_ADDRESS_LENGTH_MAX: Final = 128
_WITH_PORT: Final = re.compile(r"\[([^\]]*)\](?::\d{1,5})?|([\d.]+):\d{1,5}", re.ASCII)

T = TypeVar("T")


class Request(falcon.Request):
    """A request as the resources see it. ``caller`` is who sent it, or None if they are unknown.

    ``started_s`` is when it began, by `time.perf_counter`; None before the first middleware.
    """

    caller: Actor | None = None
    access_token: str = ""
    started_s: float | None = None
    _body: bytes | None = None
    _request_id: str | None = None

    @property
    def request_id(self) -> str:
        """The id of this request in answers and logs: the client's X-Request-ID if it is well-formed, or a new one."""
        if self._request_id is None:
            given = self.env.get("HTTP_X_REQUEST_ID")
            self._request_id = given if given and _REQUEST_ID.fullmatch(given) else _new_id()
        return self._request_id

    @property
    def run(self) -> UUID | None:
        """The run that the header Run names. Raises BadRequest for what is no id."""
        given = self.env.get("HTTP_RUN")
        if given is None:
            return None
        id = parse_id(given)
        if id is None:
            raise BadRequest([Fault("", "invalid_run", "the header Run takes the id of a run, as POST /runs gives it")])
        return id

    @property
    def traceparent(self) -> str | None:
        """The client's W3C trace context (level 1, section 3.2), or None if it is not well-formed."""
        given: str | None = self.env.get("HTTP_TRACEPARENT")
        return given if given and _TRACEPARENT.fullmatch(given) else None

    @property
    def actor(self) -> Actor:
        """The caller, for operations that need one."""
        if self.caller is None:
            raise AssertionError("only a public operation is called by nobody")
        return self.caller

    def client_address(self, trusted: Sequence[Network]) -> str | None:
        """The address that the request comes from: the peer's, or the one that ``trusted`` proxies forward."""
        address = _address(self.env.get("REMOTE_ADDR", ""))
        hops = [hop.strip() for hop in self.env.get("HTTP_X_FORWARDED_FOR", "").split(",")]
        while hops and address is not None and any(address in network for network in trusted):
            behind = _address(hops.pop())
            if behind is None:
                break
            address = behind
        return None if address is None else str(address)

    def read_query(self, cls: type[T]) -> T:
        """The query as an instance of ``cls``. Raises BadRequest with every fault, unknown parameters among them."""
        kind: Any = cls  # mypy takes no type[T] for Hashable
        query: T = read_query(kind, self.query_string)
        return query

    def read_id(self, text: str) -> UUID:
        """The id in the path. Raises BadRequest for anything else."""
        found = parse_id(text)
        if found is None:
            raise BadRequest([Fault("/id", "invalid_id", "an id in a path is a UUID of 36 characters with hyphens")])
        return found

    def read_object(self, media_types: Collection[str] = (JSON,)) -> dict[str, Any]:
        """The JSON object in the body. Raises UnsupportedMediaType, BodyTooLarge, and InvalidInput for others."""
        self.require_media_type(media_types)
        found = parse_json(self.read_body(), "the body")
        if type(found) is not dict:
            raise InvalidInput([Fault("", "not_an_object", "the body must be a JSON object, in braces")])
        if {"data", "meta"} <= found.keys():
            raise InvalidInput([Fault("", "enveloped", "this is a whole answer; send what is in its data")])
        return found

    def read_fields(self, cls: type) -> dict[str, Any]:
        """`read_object`, with the moments that ``cls`` has as fields converted from text."""
        found: dict[str, Any] = with_moments(cls, self.read_object())
        return found

    def read_form(self) -> dict[str, str]:
        """The parameters in the body. Those without a value are left out (RFC 6749, section 3.2).

        Raises UnsupportedMediaType, BodyTooLarge, and BadRequest for malformed or repeated parameters.
        """
        body = self.read_body()
        if not body:
            return {}
        self.require_media_type((FORM,))
        found: dict[str, str] = {}
        faults: list[Fault] = []
        for name, texts in read_parameters(body).items():
            if len(texts) > 1:
                faults.append(Fault(f"/{escape(name)}", "repeated", "give it once"))
            elif texts[0]:
                found[name] = texts[0]
        if faults:
            raise BadRequest(faults)
        return found

    def require_media_type(self, media_types: Collection[str]) -> None:
        """Raise UnsupportedMediaType unless the body has one of these types, in UTF-8."""
        given = self.env.get("CONTENT_TYPE", "")
        if given not in media_types:
            media_type, _, parameters = given.partition(";")
            charset = re.fullmatch(r'\s*charset="?utf-8"?\s*', parameters.lower()) if parameters else True
            if media_type.strip().lower() not in media_types or not charset:
                raise UnsupportedMediaType(f"send {' or '.join(media_types)}, in UTF-8")

    def spool_body(self, file: Writable, bytes_max: int) -> None:
        """Write the whole body to ``file``, unpacked if it came as gzip.

        Raises BodyTooLarge for more than ``bytes_max`` as sent or unpacked, UnsupportedCoding, and BadRequest for a
        body that ends too early or is not gzip.
        """
        length = self.content_length
        if length is not None and length > bytes_max:
            raise BodyTooLarge(bytes_max)
        packed = _Received(self._body_stream(), length, bytes_max)
        read = Unpacked(packed.read).read if self._is_packed() else packed.read
        left = bytes_max + 1
        try:
            while left and (chunk := read(min(left, _CHUNK_BYTES))):
                file.write(chunk)
                left -= len(chunk)
        except InvalidInput as error:
            raise BadRequest(error.faults) from None
        if not left:
            raise BodyTooLarge(bytes_max)

    def _is_packed(self) -> bool:
        """Whether the body came as gzip (RFC 9110, section 8.4.1). Raises UnsupportedCoding."""
        codings = [coding.strip().lower() for coding in self.env.get("HTTP_CONTENT_ENCODING", "").split(",")]
        codings = [coding for coding in codings if coding not in ("", "identity")]
        if not codings:
            return False
        if codings not in (["gzip"], ["x-gzip"]):
            raise UnsupportedCoding
        return True

    def read_body(self) -> bytes:
        """The whole body; it can be read again. Raises BodyTooLarge, UnsupportedCoding and BadRequest."""
        if self._body is None:
            self._body = self._received_body()
        return self._body

    def _received_body(self) -> bytes:
        length = self.content_length
        if length is None or length > BODY_BYTES_MAX or "HTTP_CONTENT_ENCODING" in self.env:
            file = io.BytesIO()
            self.spool_body(file, BODY_BYTES_MAX)
            return file.getvalue()
        body = _read(self._body_stream(), length)
        if len(body) < length:
            raise BadRequest([Fault("", "incomplete_body", _INCOMPLETE)])
        return body

    def _body_stream(self) -> Any:
        # Without a Content-Length, Falcon takes a body for empty; a server that ends the stream itself says so.
        if self.content_length is None and self.env.get("wsgi.input_terminated"):
            return self.env["wsgi.input"]
        return self.bounded_stream


class _Received:
    """A body from the server's stream, of this ``length`` if it is known."""

    def __init__(self, stream: Any, length: int | None, bytes_max: int) -> None:
        self._stream, self._has_length, self._bytes_max = stream, length is not None, bytes_max
        self._left = bytes_max + 1 if length is None else length

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes, none only at the end. Raises BodyTooLarge, and BadRequest if it ends too early."""
        chunk = _read(self._stream, min(size, self._left)) if self._left else b""
        self._left -= len(chunk)
        if self._has_length:
            if self._left and not chunk:
                raise BadRequest([Fault("", "incomplete_body", _INCOMPLETE)])
        elif not self._left:
            raise BodyTooLarge(self._bytes_max)
        return chunk


class Writable(Protocol):
    """What a body can be written to."""

    def write(self, data: bytes, /) -> object: ...


def _read(stream: Any, size: int) -> bytes:
    try:
        data: bytes = stream.read(size)
    except Exception as error:  # PEP 3333 names none: each server has its own for what it cannot read
        advice = "the body broke off, or its chunks are malformed; send it again"
        raise BadRequest([Fault("", "broken_body", advice)]) from error
    return data


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address in ``text``, which may be in brackets or have a port, as some proxies write it."""
    found = _WITH_PORT.fullmatch(text[:_ADDRESS_LENGTH_MAX])
    try:
        address = ipaddress.ip_address(
            (found[1] or found[2] if found else text[:_ADDRESS_LENGTH_MAX]).partition("%")[0]
        )
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _new_id() -> str:
    # It names a request and guards nothing. A fork starts Python's generator anew.
    return f"{random.getrandbits(128):032x}"
