"""What operations share in the API's document: parameters, headers, the envelope, and problems by status."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Final

from kgl_core.kernel.errors import Fault
from kgl_http.api.idempotency import KEY_PATTERN
from kgl_http.api.operations import JSON, PROBLEM
from kgl_http.api.problems import PROBLEMS
from kgl_http.openapi.schema_parts import INSTANT_SCHEMA, UUID_SCHEMA, Schema
from kgl_http.openapi.schemas import Schemas

DESCRIPTION: Final = """\
A knowledge graph: entities, the relationships between them, and every change that was made to either.

An answer holds its `data` in an envelope, with `meta` beside it; an error is a problem (RFC 9457) with a stable `code`,
whose `type` leads to a page that says what to do. Text is UTF-8, moments are RFC 3339 in UTC, ids are UUIDs.

Log in with `POST /api/v1/auth/token`, or as a service client with `POST /api/v1/oauth/token`, and send the
`access_token` with each request: `Authorization: Bearer …`."""

_ENTITY_TAG: Final = r'(?:W/)?"[!#-~\u0080-\u00ff]*"'
_EMPTY: Final = r"[ \t]*(?:,[ \t]*)*"  # what a list may also hold, or be (RFC 9110, section 5.6.1.2)
_LIST: Final = rf"{_EMPTY}(?:{_ENTITY_TAG}(?:[ \t]*,{_EMPTY}{_ENTITY_TAG})*{_EMPTY})?"
ENTITY_TAGS: Final = rf"^(?:[ \t]*\*[ \t]*|{_LIST})$"
"""What If-Match and If-None-Match hold (RFC 9110, sections 8.8.3, 13.1.1 and 13.1.2)."""

_TAG_EXAMPLE: Final = '"3-5f2b09d1c47ae8f0"'

PARAMETERS: Final[Mapping[str, Schema]] = {
    "RequestId": {
        "name": "X-Request-ID",
        "in": "header",
        "description": "Names the request in the answer and in the log: 1 to 64 letters, digits and . _ - ; "
        "anything else is passed over, and kgl makes one.",
        "schema": {"type": "string"},
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Names the request, so that sending it again within 24 hours has no further effect and is "
        "answered as the first was: 1 to 255 visible ASCII characters, or a string in quotes (RFC 8941). "
        "Choose it at random, such as a UUID, for each request anew.",
        "schema": {"type": "string", "pattern": KEY_PATTERN},
        "example": "8e03978e-40d5-43dd-bc93-6894a57f9324",
    },
    "Run": {
        "name": "Run",
        "in": "header",
        "description": "The id of an open run, from POST /api/v1/runs: what this changes is part of it.",
        "schema": dict(UUID_SCHEMA),
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "description": "Change the record only if its ETag is among these, else answer 412 (RFC 9110, section 13.1.1).",
        "schema": {"type": "string", "pattern": ENTITY_TAGS},
        "example": _TAG_EXAMPLE,
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "Answer 304, without a body, if the ETag is among these (RFC 9110, section 13.1.2).",
        "schema": {"type": "string", "pattern": ENTITY_TAGS},
        "example": _TAG_EXAMPLE,
    },
    "IfNoneMatchOfChange": {
        "name": "If-None-Match",
        "in": "header",
        "description": "Answer 412 if the record's ETag is among these, or for * if there is a record at all "
        "(RFC 9110, section 13.1.2).",
        "schema": {"type": "string", "pattern": ENTITY_TAGS},
        "example": _TAG_EXAMPLE,
    },
}
HEADERS: Final[Mapping[str, Schema]] = {
    "ETag": {"description": "Names this state of what was answered.", "schema": {"type": "string"}},
    "Location": {
        "description": "Where the new record is, as a reference relative to the request.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "ChangesCursor": {
        "description": "The place in the feed of changes at which the export was taken: "
        "`GET /api/v1/changes?after=` it has what happened since.",
        "schema": {"type": "string"},
    },
    "RequestId": {"description": "What names this request in the log.", "schema": {"type": "string"}},
    "RetryAfter": {
        "description": "How many seconds to wait before another try.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "Authenticate": {"description": "Which authentication is asked for.", "schema": {"type": "string"}},
}
_ERROR_HEADERS: Final[Mapping[int, Mapping[str, str]]] = {
    401: {"WWW-Authenticate": "Authenticate"},
    429: {"Retry-After": "RetryAfter"},
    503: {"Retry-After": "RetryAfter"},
}
_OAUTH_ERRORS: Final = (400, 401, 429)


_META: Final[Mapping[str, Schema]] = {"request_id": {"type": "string"}, "timestamp": dict(INSTANT_SCHEMA)}
_PAGE_META: Final[Mapping[str, Schema]] = {
    "next_cursor": {"type": ["string", "null"], "description": "Leads to the next page; null at the end."},
    "limit": {"type": ["integer", "null"], "description": "How many items a page has at most."},
}
_TOTAL: Final[Mapping[str, Schema]] = {
    "total": {"type": "integer", "minimum": 0, "description": "How many there are in all, if asked for."}
}


def add_envelope(schemas: Schemas) -> None:
    """Add the schemas of the envelope, and of the problems that are sent instead of it (RFC 9457)."""
    text, reference = {"type": "string"}, {"type": "string", "format": "uri-reference"}
    problem: dict[str, Schema] = {
        "type": reference,
        "title": text,
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": text,
        "instance": reference,
        "code": {"type": "string", "enum": list(PROBLEMS)},
        "errors": {"type": "array", "items": schemas.shown(Fault)},
        "data": {"type": "null"},
        "meta": _schema("Meta"),
    }
    schemas.add("Meta", _closed(_META))
    schemas.add("PageMeta", _closed({**_META, **_PAGE_META}, _TOTAL))
    schemas.add("Problem", _closed(problem))


def envelope(
    model: Schema, *, is_page: bool, meta: Mapping[str, Schema] | None = None, included: Schema | None = None
) -> Schema:
    """The schema of an answer with one ``model`` as its data, or with a list of them.

    ``meta`` is what its meta has besides; without it, that of a list is that of a page. ``included`` are the records
    that the data names, beside it.
    """
    data = {"type": "array", "items": model} if is_page else model
    about = _schema("PageMeta" if is_page else "Meta") if meta is None else _closed({**_META, **meta})
    beside = {} if included is None else {"included": included}
    return _closed({"data": data, **beside, "meta": about, "errors": {"type": "array", "maxItems": 0}})


def problems(statuses: Iterable[int]) -> dict[str, Schema]:
    """The answers of these statuses, and the default one, by their names from `phrase`."""
    default = _problem("A problem that can happen to any request.", _schema("Problem"), {})
    return {"Problem": default, **{phrase(status): _problem_of(status) for status in sorted(statuses)}}


def oauth_errors(schemas: Schemas) -> dict[str, Schema]:
    """The errors that a service client gets instead of problems, by their status (RFC 6749, section 5.2)."""
    text = {"type": "string"}
    error = schemas.add("OAuthError", _closed({"error": text, "error_description": text}))
    return {
        str(status): {
            "description": f"{HTTPStatus(status).phrase}.",
            "headers": header_refs(_ERROR_HEADERS.get(status, {})),
            "content": {JSON: {"schema": error}},
        }
        for status in _OAUTH_ERRORS
    }


def header_refs(names: Mapping[str, str]) -> Schema:
    """References to the headers of an answer, from their names to those in HEADERS. X-Request-ID is always there."""
    return {
        header: {"$ref": f"#/components/headers/{name}"}
        for header, name in {"X-Request-ID": "RequestId", **names}.items()
    }


def phrase(status: int) -> str:
    """The name of a status, such as NotFound."""
    return re.sub(r"\W", "", HTTPStatus(status).phrase.title())


def _problem_of(status: int) -> Schema:
    found = {code: problem for code, problem in PROBLEMS.items() if problem.status == status}
    lines = [f"- `{code}`: {problem.title}. {problem.explanation}" for code, problem in found.items()]
    exact = {"properties": {"status": {"const": status}, "code": {"enum": list(found)}}}
    schema = {"allOf": [_schema("Problem"), exact]}
    description = "\n".join([f"{HTTPStatus(status).phrase}.\n", *lines])
    return _problem(description, schema, _ERROR_HEADERS.get(status, {}))


def _problem(description: str, schema: Schema, headers: Mapping[str, str]) -> Schema:
    return {
        "description": description,
        "headers": header_refs(headers),
        "content": {PROBLEM: {"schema": schema}},
    }


def _schema(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _closed(properties: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": {**properties, **(optional or {})},
        "required": list(properties),
        "additionalProperties": False,
    }
