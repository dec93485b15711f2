"""Makes the API's document (OpenAPI 3.1) from the routes, the operations and the rules."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import attrs

from kgl_core.kernel.checked_records import MISSING, rules_of, said
from kgl_http.api.operations import FORM, METHODS, NDJSON, Answer, Operation, operations_of, takes_key
from kgl_http.openapi.schema_parts import UUID_SCHEMA, Schema, prose
from kgl_http.openapi.schemas import Schemas
from kgl_http.openapi.security import permission_prose, security_of, security_schemes
from kgl_http.openapi.shared_parts import (
    DESCRIPTION,
    HEADERS,
    PARAMETERS,
    add_envelope,
    envelope,
    header_refs,
    oauth_errors,
    phrase,
    problems,
)

Routes = Sequence[tuple[str, object]]

_VERBS: Final = {"GET": "get", "POST": "post", "PUT": "replace", "PATCH": "update", "DELETE": "delete"}
_CHANGING: Final = ("PUT", "PATCH", "DELETE")
_TAGS: Final = {
    "administration": "admin",
    "docs_pages": "pages",
    "import_and_export": "bulk",
    "logging_in": "auth",
    "oauth_clients": "clients",
}
"""Tags that differ from the name of their module. Generated clients are named after them, so they do not change."""


def describe(routes: Routes, *, version: str, root_path: str = "") -> dict[str, Any]:
    """The document of the API with these routes, which are pairs of a path template and a resource or its class.

    ``root_path`` is what a proxy puts before the paths.

    Raises LookupError if a responder has no operation, TypeError for a rule or a type without a schema, and ValueError
    if two operations or two schemas would have the same name.
    """
    return _Document().describe(routes, version, root_path)


class _Document:
    def __init__(self) -> None:
        self._schemas = Schemas()
        self._errors: set[int] = set()
        self._operation_ids: set[str] = set()
        self._ids: dict[str, str] = {}  # where a new record's id is in the answer, by path

    def describe(self, routes: Routes, version: str, root_path: str) -> dict[str, Any]:
        modules: dict[str, None] = {}
        paths = {}
        add_envelope(self._schemas)
        for path, resource in routes:
            cls = resource if isinstance(resource, type) else type(resource)
            modules[cls.__module__] = None
            found = operations_of(resource)
            paths[path] = {
                method.lower(): self._operation(path, cls, method, found[method])
                for method in METHODS
                if method in found
            }
        _link(paths, self._ids)
        return {
            "openapi": "3.1.1",
            "info": {
                "title": "kgl",
                "version": version,
                "description": DESCRIPTION,
                "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
            },
            # Relative to where the document is, so that it holds behind a proxy that adds a prefix to the path.
            "servers": [{"url": "../.."}],
            "security": [{"bearer": []}],
            "tags": [{"name": _tag(name), "description": _first_line(sys.modules[name].__doc__)} for name in modules],
            "paths": paths,
            "components": {
                "schemas": dict(sorted(self._schemas.components.items())),
                "parameters": PARAMETERS,
                "headers": HEADERS,
                "responses": problems(self._errors),
                "securitySchemes": security_schemes(root_path),
            },
        }

    def _operation(self, path: str, cls: type, method: str, operation: Operation) -> dict[str, Any]:
        operation_id = _operation_id(path, cls, method, operation)
        if operation_id in self._operation_ids:
            raise ValueError(f"two operations are called {operation_id}; rename one of the classes")
        self._operation_ids.add(operation_id)
        if 201 in operation.answers:
            self._ids[path] = operation.answers[201].id_at
        statuses = _errors_of(path, method, operation)
        self._errors |= statuses
        described: dict[str, Any] = {
            "operationId": operation_id,
            "tags": [_tag(cls.__module__)],
            "summary": operation.summary,
            "description": "\n\n".join(filter(None, [_query_prose(operation), permission_prose(operation)])),
            "parameters": [*_path_parameters(path), *self._query_parameters(operation), *_headers(method, operation)],
            "responses": {
                **{str(status): self._answer(status, answer) for status, answer in operation.answers.items()},
                **({"304": _not_modified()} if _is_cacheable(method, operation) else {}),
                **(oauth_errors(self._schemas) if operation.is_for_clients else {}),
                **{str(status): {"$ref": f"#/components/responses/{phrase(status)}"} for status in sorted(statuses)},
                "default": {"$ref": "#/components/responses/Problem"},
            },
        }
        if _has_body(operation):
            schema = self._body(method, operation)
            described["requestBody"] = {
                "required": True,
                "content": {media_type: {"schema": schema} for media_type in operation.body_media_types},
            }
        security = security_of(operation)
        if security is not None:
            described["security"] = security
        return {name: value for name, value in described.items() if value or name == "security"}

    def _body(self, method: str, operation: Operation) -> Schema:
        if operation.body is None:
            return {"type": "string", "description": "One JSON object a line."}
        if FORM in operation.body_media_types:
            return self._schemas.form(operation.body)
        return self._schemas.taken(operation.body, is_partial=operation.is_partial, is_change=method in _CHANGING)

    def _query_parameters(self, operation: Operation) -> Iterable[Schema]:
        if operation.query is None:
            return
        fields = {field.name: field for field in attrs.fields(operation.query)}
        for name, rule in rules_of(operation.query).items():
            schema = self._schemas.of_parameter(rule)
            default = fields[name].default
            if default not in (MISSING, None, ()):
                schema["default"] = str(default).lower() if schema["type"] == "string" else default
            style = {"style": "form", "explode": True} if schema["type"] in ("array", "object") else {}
            required = {"required": True} if default is MISSING else {}
            yield {"name": said(name), "in": "query", **required, **style, "schema": schema}

    def _answer(self, status: int, answer: Answer) -> Schema:
        headers = {
            "ETag": answer.has_etag,
            "Location": answer.has_location,
            "Changes-Cursor": answer.has_changes_cursor,
        }
        described: Schema = {
            "description": f"{HTTPStatus(status).phrase}.",
            "headers": header_refs({name: name.replace("-", "") for name, is_sent in headers.items() if is_sent}),
        }
        if answer.shape != "none":
            described["content"] = {answer.media_type: {"schema": self._content(answer)}}
        return described

    def _content(self, answer: Answer) -> Schema:
        model = {} if answer.model is None else self._schemas.shown(answer.model)
        if answer.shape == "bare":
            return model
        if answer.shape == "text":
            lines = {"description": f"One JSON object a line, such as `{answer.model.__name__}`."} if model else {}
            return {"type": "string", **lines}
        meta = {name: self._schemas.shown(kind) for name, kind in answer.meta.items()}
        included = None if answer.included is None else self._schemas.shown(answer.included)
        return envelope(model, is_page=answer.shape == "page", meta=meta or None, included=included)


def _link(paths: Mapping[str, Mapping[str, Schema]], ids: Mapping[str, str]) -> None:
    """Add OpenAPI links from a created record to the operations that take its id. ``ids`` says where that id is.

    What is created below another record, such as an assertion, is found in the collection of its own kind.
    """
    for path, id_at in ids.items():
        collection = f"/api/v1/{path.rpartition('/')[2]}"
        paths[path]["post"]["responses"]["201"]["links"] = {
            found["operationId"]: {
                "operationId": found["operationId"],
                "parameters": {"id": f"$response.body#{id_at}"},
            }
            for other, methods in paths.items()
            if other.startswith(f"{collection}/{{id}}")
            for found in methods.values()
        }


def _operation_id(path: str, cls: type, method: str, operation: Operation) -> str:
    if operation.name is not None:
        return operation.name
    created = operation.answers.get(201)
    if created is not None and "{" not in path:
        return f"create{created.model.__name__}"
    is_page = any(answer.shape == "page" for answer in operation.answers.values())
    return f"{'list' if is_page else _VERBS[method]}{cls.__name__.removesuffix('ById')}"


def _errors_of(path: str, method: str, operation: Operation) -> set[int]:
    """The statuses of the problems that the operation can answer with, other than unexpected ones."""
    keyed = {409, 422} if takes_key(method, operation) else set()
    if operation.is_for_clients:
        return {503} | keyed
    statuses = set(operation.errors) | keyed
    if operation.takes_run:
        statuses |= {404, 409}  # of the run
    if path.startswith("/api/"):
        statuses.add(400)  # at least by a parameter that it does not know
    if operation.query is not None and {"cursor", "after"} & rules_of(operation.query).keys():
        statuses.add(410)
    if not operation.is_public:
        statuses |= {401, 403}
    if operation.is_conditional:
        statuses |= {412, 428} if method in _CHANGING else {412}
    if _has_body(operation):
        statuses |= {413, 415, 422}
    if _has_body(operation) or not operation.is_public:
        statuses.add(503)  # all of these need the store, and only these
    return statuses - set(operation.answers)


def _has_body(operation: Operation) -> bool:
    return operation.body is not None or NDJSON in operation.body_media_types


def _is_cacheable(method: str, operation: Operation) -> bool:
    return method == "GET" and any(answer.has_etag for answer in operation.answers.values())


def _path_parameters(path: str) -> Iterable[Schema]:
    for name in re.findall(r"{(\w+)}", path):
        schema = dict(UUID_SCHEMA) if name == "id" else {"type": "string", "minLength": 1, "pattern": "^[^/]+$"}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _headers(method: str, operation: Operation) -> Iterable[Schema]:
    names = ["RequestId"]
    if takes_key(method, operation):
        names.append("IdempotencyKey")
    if operation.takes_run:
        names.append("Run")
    if operation.is_conditional:
        names += ["IfMatch", "IfNoneMatchOfChange"]
    if _is_cacheable(method, operation):
        names.append("IfNoneMatch")
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def _not_modified() -> Schema:
    return {"description": "What the client has is still right.", "headers": header_refs({"ETag": "ETag"})}


def _query_prose(operation: Operation) -> str:
    return prose(operation.query.__doc__) if operation.query is not None else ""


def _tag(module: str) -> str:
    name = module.rpartition(".")[2]
    return _TAGS.get(name, name)


def _first_line(doc: str | None) -> str:
    return prose(inspect.cleandoc(doc or "").partition("\n")[0])
