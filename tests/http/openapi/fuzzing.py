"""How schemathesis calls the application, and what the API's document cannot say of a request."""

import copy
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID, uuid4

import schemathesis
from hypothesis import assume
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.schemas import OpenApiSchema

from kgl_core.evidence.assertions import ASSERTION, QUOTE_BYTES_MAX
from kgl_core.evidence.origins.extractors import EXTRACTOR
from kgl_core.evidence.origins.sources import SOURCE
from kgl_core.graph.metadata import JsonObject, JsonValue
from kgl_core.graph.nouns import GRAPH_NOUNS
from kgl_core.kernel.errors import Fault
from kgl_core.kernel.periods import period_between, period_of
from kgl_core.kernel.text import is_visible
from kgl_http.api.operations import NDJSON
from kgl_http.openapi.shared_parts import ENTITY_TAGS
from tests.http.calls import record_of
from tests.http.conftest import Api, making_apis
from tests.http.document import DOCUMENT

_ODD: Final = "00000000-0000-0000-0000-000000000001"
_LISTINGS: Final = [f"/api/v1/{noun.plural}" for noun in GRAPH_NOUNS]
_DATES: Final = ("valid_from", "valid_to")
_ACCEPTED: Final = ["2xx", "302", "304", "404", "409", "412"]
# 413, since a list of too many items can be too long for a body.
_REJECTED: Final = ["400", "401", "403", "404", "406", "409", "412", "413", "415", "422", "428"]
_CONFIG: Final[dict[str, Any]] = {
    "generation": {"deterministic": True, "database": "none"},
    "phases": {name: {"extra-data-sources": {"responses": False}} for name in ("examples", "coverage", "fuzzing")},
    "checks": {
        "positive_data_acceptance": {"expected-statuses": _ACCEPTED},
        "use_after_free": {"enabled": False},  # what is deleted can be seen, and restored
    },
    "operations": [
        {
            # What is well-formed may still be no password or token that we gave out.
            "include-path": [f"/api/v1/auth/{name}" for name in ("token", "refresh", "password")],
            "checks": {"positive_data_acceptance": {"expected-statuses": [*_ACCEPTED, "401", "422", "429"]}},
        },
        {
            # Ends, types and keys must stay as they are, and what a patch adds to may become too much.
            "include-operation-id": ["replaceRelationship", *(f"update{noun.record.__name__}" for noun in GRAPH_NOUNS)],
            "checks": {"positive_data_acceptance": {"expected-statuses": [*_ACCEPTED, "422"]}},
        },
        {
            # A token that was made up is none of ours, a scope none that there is; what else a form holds is ignored.
            "include-path-regex": "^/api/v1/oauth/",
            "checks": {
                "positive_data_acceptance": {"expected-statuses": [*_ACCEPTED, "400"]},
                "negative_data_rejection": {"expected-statuses": ["400", "401"]},
                "ignored_auth": {"enabled": False},  # it takes 429, which stops who fails on and on, for an error
            },
        },
        {
            # A weight is given with one kind of path only; ids and a filter are not given together; a schema cannot say
            # that relationships join all nodes of a pattern; and search has a listing's filters, but not all values.
            "include-operation-id": ["listGraphPaths", "postGraphSubgraph", "listGraphMatches", "listSearchResults"],
            "checks": {"positive_data_acceptance": {"expected-statuses": [*_ACCEPTED, "400", "422"]}},
        },
        {
            # Every text is lines, of which some may be refused.
            "include-operation-id": ["postImport", "createExtractions"],
            "checks": {"negative_data_rejection": {"enabled": False}},
        },
        {
            # The items of an extraction are checked one by one: see `check_status`.
            "include-operation-id": "replaceExtraction",
            "checks": {"negative_data_rejection": {"expected-statuses": [*_REJECTED, "200"]}},
        },
        {
            # What there is to pin differs between nouns, and says the answer.
            "include-operation-id": [f"replace{noun.record.__name__}Pins" for noun in GRAPH_NOUNS],
            "checks": {"positive_data_acceptance": {"expected-statuses": [*_ACCEPTED, "422"]}},
        },
    ],
}


@schemathesis.serializer(NDJSON)
def _lines(context: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


class Served:
    """The application over one store, with a record of each kind, and an admin and a service client who call it."""

    def __init__(self, api: Api) -> None:
        ends = [api.entity(name=name)["id"] for name in ("Ada", "Note G", "Charles")]
        self.ids: Mapping[str, str] = {
            **{noun.plural: record_of(api, noun.plural) for noun in (*GRAPH_NOUNS, SOURCE, EXTRACTOR, ASSERTION)},
            "entities": ends[0],
            "relationships": api.relationship(ends[1], ends[2])["id"],
            "users": str(api.account("grace").id),
            "oauth-clients": str(api.credentials("reader").client.id),
            "runs": str(api.kg.runs.open().id),
        }
        self.run = str(api.kg.runs.open().id)  # which nobody ends
        self.ends = ends[1:]
        self.app = _closed(api.client.app)
        service = api.credentials("service")
        self._admin = api.headers("admin")["Authorization"]
        self._client = "Basic " + b64encode(f"{service.client.id}:{service.secret}".encode()).decode()

    def headers_for(self, case: Any) -> dict[str, str]:
        """What shows who calls: an admin, or where clients prove who they are, one of these."""
        is_for_clients = case.operation.path.startswith("/api/v1/oauth/")
        return {"Authorization": self._client if is_for_clients else self._admin, "Accept-Encoding": "identity"}


@contextmanager
def served(url: str) -> Iterator[Served]:
    """The application over the store at ``url``, which is empty and at head."""
    with making_apis(url) as make_api:
        yield Served(make_api(access_token_ttl="86400"))


def described(*, whole: bool = False) -> OpenApiSchema:
    """The document as schemathesis reads it; unless ``whole``, one body of those that are alike is gone through."""
    alike = ["replaceEntity", "updateEntity", "createRelationship", "replaceRelationship", "updateRelationship"]
    short = {"include-operation-id": alike, "phases": {"coverage": {"enabled": False}}}
    return _read(DOCUMENT, operations=[*_CONFIG["operations"], *([] if whole else [short])])


def walkable() -> OpenApiSchema:
    """The document as schemathesis goes from one operation to the next, by valid requests only.

    Without X-Request-ID and Idempotency-Key, which it takes for ids of what no operation makes, so that it starts
    nowhere.
    """
    document = copy.deepcopy(DOCUMENT)
    for methods in document["paths"].values():
        for found in methods.values():
            names = {"$ref": "#/components/parameters/RequestId"}, {"$ref": "#/components/parameters/IdempotencyKey"}
            found["parameters"] = [parameter for parameter in found["parameters"] if parameter not in names]
    return _read(document, generation={**_CONFIG["generation"], "mode": "positive"})


def _read(document: dict[str, Any], **config: Any) -> OpenApiSchema:
    return schemathesis.openapi.from_dict(
        {**document, "servers": [{"url": "/"}]}, config=SchemathesisConfig.from_dict({**_CONFIG, **config})
    )


def send(case: Any, to: Served) -> None:
    """Send one request to the application, half of them to records that exist, and check the answer."""
    mend(case, to)
    if case.meta.generation.mode.is_positive:
        if _is_even(case.path_parameters.get("id", _ODD)):
            case.path_parameters["id"] = to.ids[case.operation.path.split("/")[3]]
        if isinstance(case.body, dict) and _is_even(case.body.get("source_entity_id", _ODD)):
            case.body["source_entity_id"], case.body["target_entity_id"] = to.ends
    check_status(case, case.call_and_validate(headers=to.headers_for(case)))


def mend(case: Any, to: Served) -> None:
    """Lead the request to the application, and make valid what the document cannot say of a valid one."""
    case.operation.app = case.operation.schema.app = to.app
    if not case.meta.generation.mode.is_positive:
        # The document bounds the numbers of metadata to 64 bits; kgl takes larger ones that are no whole numbers.
        assume(not _has_large_float(case.body))
        # A parameter without a value, such as an empty list, is not sent, and what is sent may be valid then.
        assume(all(value not in ([], {}, None) for value in (case.query or {}).values()))
        return
    # The document's patterns name only the commonest of what nobody can see.
    for given in (case.query, case.body if isinstance(case.body, dict) else {}):
        assume(all(is_visible(text) for name in (given or {}) if name != "metadata" for text in _texts(given[name])))
    query, headers = case.query, case.headers
    for name in ("cursor", "after"):
        query.pop(name, None)  # only what a listing gave out is one
    if case.operation.path == "/api/v1/import":
        query.pop("atomic", None)  # any text is taken, but then refused as a whole for its lines
        headers.pop("Idempotency-Key", None)  # which needs atomic
    if "Run" in headers:
        headers["Run"] = to.run
        query.pop("title", None)  # of a run of its own
    if "Idempotency-Key" in headers:
        headers["Idempotency-Key"] = str(uuid4())  # none that was used before
    if case.operation.label == "PATCH /api/v1/sources/{id}":
        case.body.pop("uri", None)  # it identifies the source and never changes
    if case.operation.path == "/api/v1/sources" and "uri" in query:
        case.query = {"uri": query["uri"]}
    if case.operation.path == "/api/v1/extractors" and "name" in query:
        case.query = {"name": query["name"]}
    if period_of(query.get("valid_at", "1994")) is None:
        del query["valid_at"]
    if "wait" in query:
        query["wait"] = 0  # nobody else makes a change to wait for
    if case.operation.path in _LISTINGS and (query.get("id") or query.get("key")):
        case.query = {name: query[name] for name in ("id", "key") if name in query}
    for name in ("If-Match", "If-None-Match"):
        # In its phase "coverage", schemathesis 4.32 gives headers values that their patterns do not match.
        if not re.fullmatch(ENTITY_TAGS, headers.get(name, "*")):
            del headers[name]
    for kind in ("users", "oauth-clients"):
        if case.operation.path.startswith(f"/api/v1/{kind}/{{id}}"):
            case.path_parameters["id"] = to.ids[kind]  # and never the admin or the client who calls
    if isinstance(case.body, dict):
        _mend_body(case.body, is_login=case.operation.path.endswith("/token"))


def check_status(case: Any, answer: Any) -> None:
    """Fail for a status that the document does not name: schemathesis contents itself with the default answer.

    Fail for an extraction as well that is accepted although it breaks a rule, unless the item that does is refused.
    """
    if case.method == case.operation.method.upper():
        assert str(answer.status_code) in case.operation.definition.raw["responses"], answer.status_code
        if case.operation.label == "PUT /api/v1/extractions" and answer.status_code == 200:
            assert case.meta.generation.mode.is_positive or answer.json()["data"]["refused"], answer.text


def _mend_body(body: dict[str, Any], *, is_login: bool) -> None:
    body.update({name: _whole(value) for name, value in body.items() if name not in ("metadata", "value")})
    if not body.keys().isdisjoint(_DATES):
        # A pattern cannot say which days a month has, nor that the end comes after the begin, also of what is stored.
        dates = {name: body.get(name) for name in _DATES}
        body.update({name: date if date is not None and period_of(date) else None for name, date in dates.items()})
        if period_between(body["valid_from"], body["valid_to"]).is_empty:
            body["valid_to"] = None
    if period_of(body.get("published") or "1994") is None:
        del body["published"]
    for location in body.get("locations") or ():
        # A schema can neither compare two numbers nor count bytes.
        if location.get("start") is None or location["start"] > (location.get("end") or 0):
            location.pop("end", None)
        if location.get("quote") is not None:
            location["quote"] = location["quote"][: QUOTE_BYTES_MAX // 4]
    if body.get("about") is None or body.get("value") is None:
        body.pop("about", None)  # each needs the other, which a schema could only say at length
        body.pop("value", None)
    for name in ("client_id", "client_secret"):
        body.pop(name, None)  # the header proves who calls, and no two proofs may be given
    for name in ("password", "new_password"):
        if name in body and not is_login:
            body[name] = f"{body[name]} correct horse"[-128:]
    if body.get("expires_at") is not None:
        body["expires_at"] = "2999-12-31T23:59:59Z"  # a format cannot say that it lies ahead
    faults: list[Fault] = []
    JsonObject()(body.get("metadata") or {}, "", faults)
    JsonValue()(body.get("value"), "", faults)
    if {fault.code for fault in faults} & {"too_many", "too_large"}:
        for name in ("metadata", "about", "value"):
            body.pop(name, None)


def _whole(value: Any) -> Any:
    """A value with each 5.0 as 5, which a schema takes for the same number."""
    if isinstance(value, dict):
        return {name: _whole(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [*map(_whole, value)]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _texts(value: Any) -> list[str]:
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]


def _has_large_float(value: Any) -> bool:
    if isinstance(value, dict):
        value = [*value.values()]
    return (
        any(map(_has_large_float, value)) if isinstance(value, list) else type(value) is float and abs(value) >= 2**63
    )


def _is_even(id: str) -> bool:
    """One id of two."""
    return UUID(id).int % 2 == 0


def _closed(app: Callable[..., Any]) -> Callable[..., Any]:
    """``app``, each answer read to its end and closed: schemathesis closes none."""

    def call(environ: Any, start_response: Any) -> list[bytes]:
        answer = app(environ, start_response)
        try:
            return [b"".join(answer)]
        finally:
            if hasattr(answer, "close"):
                answer.close()

    return call
