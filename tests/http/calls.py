"""Every operation of the real application, and for each a call that succeeds when an admin makes it.

The operations come from the application's router, so a test that goes through them cannot forget one.
"""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import attrs
from falcon import testing

from kgl_core.access.logging_in import Login, PasswordChange, RefreshRequest
from kgl_core.access.oauth_clients import ClientDraft, RotationDraft
from kgl_core.access.registering import Registration
from kgl_core.evidence.assertions import AssertionDraft
from kgl_core.evidence.extraction.extractions import Extraction, ExtractionAddress
from kgl_core.evidence.extraction.withdrawing_sources import SourceWithdrawal
from kgl_core.evidence.origins.extractors import ExtractorDraft
from kgl_core.evidence.origins.ranking import Rank
from kgl_core.evidence.origins.sources import SourceDraft
from kgl_core.graph.entities import ENTITY, EntityDraft, EntitySelection
from kgl_core.graph.journal.runs import RunDraft, RunEnd
from kgl_core.graph.relationships import RelationshipDraft
from kgl_core.kernel.checked_records import rules_of, said
from kgl_http.access.oauth_server import NamedTokenForm, TokenForm
from kgl_http.access.users import RoleChange
from kgl_http.api.operations import FORM, NDJSON, Operation
from kgl_http.evidence.facts import Pins
from kgl_http.exploration.matching import MatchBody
from kgl_http.exploration.searching import LinkBody, SearchParameters, SuggestParameters
from kgl_http.exploration.walks import CommonParameters, PathParameters, SubgraphBody
from tests.http.conftest import AS_FORM, NOBODY, PASSWORD, Api

_numbers = itertools.count()


@attrs.frozen
class Route:
    """One method of one path of the application, and what it is for."""

    method: str
    template: str
    operation: Operation

    def __str__(self) -> str:
        return f"{self.method} {self.template}"

    @property
    def takes_json(self) -> bool:
        """Whether its body is a JSON object."""
        return self.operation.body is not None and not self.takes_form

    @property
    def takes_form(self) -> bool:
        """Whether its body is a form."""
        return FORM in self.operation.body_media_types


@attrs.frozen
class Call:
    """A call of a route: where to, and with what."""

    route: Route
    path: str
    body: Any = None
    query: str = ""

    @property
    def data(self) -> bytes | None:
        """The body as it is sent."""
        if self.route.takes_form:
            return urlencode(self.body).encode()
        return self.body if self.body is None or isinstance(self.body, bytes) else json.dumps(self.body).encode()

    @property
    def media_type(self) -> str:
        """The first that the operation takes."""
        return self.route.operation.body_media_types[0]

    def send(self, api: Api, by: str = "admin", **request: Any) -> testing.Result:
        """Make the call, as it is but for what is given."""
        given: dict[str, Any] = {"body": self.data, **({"query_string": self.query} if self.query else {}), **request}
        headers = request.get("headers", {})
        if given["body"] is not None and "Content-Type" not in headers:
            given["headers"] = {"Content-Type": self.media_type, **headers}
        return api(self.route.method, given.pop("path", self.path), by=by, **given)


def routes_of(api: Api) -> Iterator[Route]:
    """Every route of the application, without HEAD, which is as GET is.

    From the nodes of its router, since falcon.inspect reads the source of every responder, which takes seconds.
    """
    nodes = [*reversed(api.client.app._router._roots)]
    while nodes:
        node = nodes.pop()
        nodes += reversed(node.children)
        for method, responder in sorted((node.method_map or {}).items()):
            is_own = not getattr(responder, "func", responder).__module__.startswith("falcon.")
            if is_own and method != "HEAD":
                yield Route(method, node.uri_template, responder.operation)


def call_of(api: Api, route: Route, *, owner: str = "admin", by: str = "admin") -> Call:
    """A call of ``route`` on a record that ``owner`` created, which succeeds when ``by`` may make it.

    Raises LookupError for a route that nobody has described here: tell in this module how it is called.
    """
    path, known = _path(api, route, owner)
    query = _query(api, route, owner if by in (NOBODY, "reader") else by)
    if not route.takes_json and not route.takes_form:
        lines = _document() if route.template.endswith("/extractions") else _line()
        return Call(route, path, lines if NDJSON in route.operation.body_media_types else None, query)
    try:
        example = _BODIES[route.operation.body]
    except KeyError:
        raise LookupError(f"{route}: add an example of {route.operation.body.__name__} to {__name__}") from None
    rules = rules_of(route.operation.body)
    body = {**example(api, by), **{name: value for name, value in known.items() if name in rules}}
    missing = set(map(said, rules)) - body.keys()
    assert not missing, f"{route}: give {missing} in the example of its body, so that they are tested as well"
    return Call(route, path, body, query)


def calls_of(api: Api, **who: str) -> list[Call]:
    """A call of every route."""
    return [call_of(api, route, **who) for route in routes_of(api)]


def record_of(api: Api, plural: str) -> str:
    """The id of a new record of this noun."""
    return _PARAMETERS[f"/api/v1/{plural}/", "id"](api, "admin", False)[0]


def text_of(prefix: str) -> str:
    """A text that nothing else holds."""
    return f"{prefix}-{next(_numbers)}"


def _path(api: Api, route: Route, owner: str) -> tuple[str, Mapping[str, Any]]:
    """A path for the route, and what a body must hold that goes there."""
    for (beginning, name), make in _PARAMETERS.items():
        if route.template.startswith(beginning) and f"{{{name}}}" in route.template:
            value, known = make(api, owner, route.template.endswith(("/restore", "/enable")))
            return route.template.replace(f"{{{name}}}", value), known
    if "{" in route.template:
        raise LookupError(f"{route}: say in {__name__} what stands in its path")
    return route.template, {}


Made = tuple[str, Mapping[str, Any]]


def _entity(api: Api, owner: str, is_gone: bool) -> Made:
    kg = api.kg.acting_as(api.actor(owner))
    entity = kg.entities.create(type="person", name="Ada")
    kg.relationships.create(entity.id, "knows", kg.entities.create(type="person", name="Charles").id)
    if is_gone:
        kg.entities.delete(entity.id)
    return str(entity.id), {}


def _relationship(api: Api, owner: str, is_gone: bool) -> Made:
    kg = api.kg.acting_as(api.actor(owner))
    source, target = (kg.entities.create(type="person", name=name).id for name in ("Ada", "Charles"))
    made = kg.relationships.create(source, "knows", target, key="first")
    if is_gone:
        kg.relationships.delete(made.id)
    ends = {"source_entity_id": str(source), "relationship_type": "knows", "target_entity_id": str(target)}
    return str(made.id), {**ends, "key": "first"}


def _user(api: Api, owner: str, is_gone: bool) -> Made:
    user = api.account(text_of("somebody"))
    if is_gone:
        api.kg.users.disable(user.id)
    return str(user.id), {}


def _client(api: Api, owner: str, is_gone: bool) -> Made:
    return str(api.kg.clients.create(name=text_of("client"), scopes=["graph:read"]).client.id), {}


def _run(api: Api, owner: str, is_gone: bool) -> Made:
    kg = api.kg.acting_as(api.actor(owner))
    run = kg.runs.open().id
    for name in ("Ada", "Charles"):
        kg.in_run(run).entities.create(type="person", name=name)
    return str(run), {}


def _source(api: Api, owner: str, is_gone: bool) -> Made:
    made = api.kg.acting_as(api.actor(owner)).sources.create(uri=text_of("https://example.org/"))
    return str(made.id), {"uri": made.uri}


def _extractor(api: Api, owner: str, is_gone: bool) -> Made:
    made = api.kg.acting_as(api.actor(owner)).extractors.create(name=text_of("ner"))
    return str(made.id), {}


def _assertion(api: Api, owner: str, is_gone: bool) -> Made:
    entity = api.kg.entities.create(type="person", name="Ada")
    said = api.kg.acting_as(api.actor(owner)).assertions.add(ENTITY, entity.id, source=text_of("page"))
    return str(said.id), {}


def _query(api: Api, route: Route, by: str) -> str:
    """The query that a route needs, where it needs one; extractions are their caller's own."""
    if route.operation.query in (PathParameters, CommonParameters):
        ends = [api.entity()["id"] for _ in range(2)]
        names = ("from", "to") if route.operation.query is PathParameters else ("id", "id")
        return urlencode([*zip(names, ends, strict=True)])
    if route.operation.query in (SearchParameters, SuggestParameters):
        return "q=ada"
    if route.operation.query is not ExtractionAddress:
        return ""
    at = {"source": text_of("https://example.org/page"), "extractor": "spert"}
    if route.method != "PUT":
        kg = api.kg.acting_as(api.actor(by))
        kg.extract(*at.values(), {"entities": [{"label": "T1", "type": "person", "name": "Ada"}]})
        if route.method == "POST":
            kg.withdraw(*at.values())
    return urlencode(at)


_PARAMETERS: Mapping[tuple[str, str], Callable[[Api, str, bool], Made]] = {
    ("/api/v1/entities/", "id"): _entity,
    ("/api/v1/sources/", "id"): _source,
    ("/api/v1/extractors/", "id"): _extractor,
    ("/api/v1/assertions/", "id"): _assertion,
    ("/api/v1/relationships/", "id"): _relationship,
    ("/api/v1/runs/", "id"): _run,
    ("/api/v1/users/", "id"): _user,
    ("/api/v1/oauth-clients/", "id"): _client,
    ("/api/v1/docs/assets/", "name"): lambda *_: ("swagger_start.js", {}),
    ("/api/v1/problems/", "code"): lambda *_: ("not_found", {}),
}


def _registration(api: Api, by: str) -> dict[str, Any]:
    email = f"{text_of('new')}@example.org"
    return {"email": email, "password": PASSWORD, "first_name": "Ada", "last_name": "Lovelace"}


def _login(api: Api, by: str) -> dict[str, Any]:
    return {"email": api.account(text_of("login")).email, "password": PASSWORD}


def _refresh(api: Api, by: str) -> dict[str, Any]:
    answer = api("POST", "/api/v1/auth/token", by=NOBODY, json=_login(api, by))
    return {"refresh_token": answer.json["refresh_token"]}


def _entity_body(api: Api, by: str) -> dict[str, Any]:
    return {
        "type": "person",
        "name": "Grace",
        "aliases": ["Amazing Grace"],
        "key": text_of("key"),
        "confidence": 0.5,
        "source": "https://example.org/grace",
        "source_type": "page",
        "metadata": {"born": 1906},
    }


def _relationship_body(api: Api, by: str) -> dict[str, Any]:
    source, target = (str(api.kg.entities.create(type="person", name=name).id) for name in ("Ada", "Charles"))
    entity = _entity_body(api, by)
    about = {name: entity[name] for name in ("confidence", "source", "source_type", "metadata")}
    dates = {"key": "second", "valid_from": "1833-06", "valid_to": "1852-11-27T21:00:00Z"}
    return {"source_entity_id": source, "relationship_type": "knows", "target_entity_id": target, **about, **dates}


def _token_form(api: Api, by: str) -> dict[str, Any]:
    made = api.kg.clients.create(name="publishing", scopes=["graph:read"])
    proof = {"client_id": str(made.client.id), "client_secret": made.secret}
    return {"grant_type": "client_credentials", "scope": "graph:read", **proof}


def _named_token_form(api: Api, by: str) -> dict[str, Any]:
    form = _token_form(api, by)
    token = api("POST", "/api/v1/oauth/token", by=NOBODY, body=urlencode(form), headers=AS_FORM).json["access_token"]
    proof = {name: form[name] for name in ("client_id", "client_secret")}
    return {"token": token, "token_type_hint": "access_token", **proof}


def _line() -> bytes:
    return json.dumps({"kind": "entity", "key": text_of("key"), "type": "person", "name": "Ada"}).encode() + b"\n"


def _document() -> bytes:
    found = {"source": text_of("page"), "extractor": "spert", "entities": [_EXTRACTED]}
    return json.dumps(found).encode() + b"\n"


def _supporting(api: Api) -> str:
    """The URI of a source that supports an entity."""
    uri = text_of("https://example.org/page")
    api.kg.entities.create(type="person", name="Ada", source=uri)
    return uri


_EXTRACTED: Mapping[str, Any] = {"label": "T1", "type": "person", "name": "Ada", "locations": [{"sentence": 0}]}


_BODIES: Mapping[type, Callable[[Api, str], dict[str, Any]]] = {
    Registration: _registration,
    Login: _login,
    RefreshRequest: _refresh,
    PasswordChange: lambda api, by: {"current_password": PASSWORD, "new_password": PASSWORD},
    EntityDraft: _entity_body,
    EntitySelection: lambda api, by: {
        "ids": [api.entity()["id"]],
        "keys": ["none"],
        "names": ["Ada"],
        "is_active": None,
    },
    RelationshipDraft: _relationship_body,
    SourceDraft: lambda api, by: {
        "uri": text_of("https://example.org/source"),
        "title": "Note G",
        "type": "paper",
        "published": "1843",
        "metadata": {"pages": 66},
    },
    AssertionDraft: lambda api, by: {
        "source": text_of("https://example.org/source"),
        "extractor": "spert",
        "extractor_version": "2.1",
        "stance": "against",
        "confidence": 0.5,
        "locations": [{"page": 1, "sentence": 0, "start": 4, "end": 7, "quote": "Ada"}],
        "about": "/metadata/born",
        "value": {"year": [1815]},
    },
    SubgraphBody: lambda api, by: {
        "ids": [api.entity()["id"]],
        "filter": None,
        "max_entities": 10,
        "max_relationships": 10,
        "direction": "both",
        "relationship_type": ["knows"],
        "not_relationship_type": ["likes"],
        "entity_type": ["person"],
        "min_confidence": 0.5,
        "min_sources": 1,
        "valid_at": "1843",
        "fields": ["name"],
    },
    LinkBody: lambda api, by: {"names": [{"name": "Ada", "type": "person"}], "limit": 3, "fields": ["name"]},
    MatchBody: lambda api, by: {
        "nodes": {
            "a": {"type": "person", "id": api.entity()["id"], "key": "k", "name": "Ada", "metadata": {"born": 1815}},
            "b": {"min_confidence": 0.5, "min_sources": 1},
        },
        "relationships": {
            "r": {"source": "a", "target": "b", "type": ["wrote"], "direction": "both", "valid_at": "1843"},
        },
        "optional": [
            {"nodes": {}, "relationships": {"s": {"source": "b", "target": "a", "metadata": {"n": {"gt": 1}}}}}
        ],
        "not_exists": [{"nodes": {"c": {}}, "relationships": {"t": {"source": "b", "target": "c"}}}],
        "return": ["a", "b"],
        "order": [{"variable": "b", "metadata": "year", "descending": True}],
        "limit": 20,
        "count": True,
        "fields": ["name"],
    },
    SourceWithdrawal: lambda api, by: {"uri": _supporting(api), "dry_run": True},
    Rank: lambda api, by: {"rank": 5},
    ExtractorDraft: lambda api, by: {"name": text_of("ner")},
    Pins: lambda api, by: {"pinned": ["/confidence", "/metadata/born"]},
    Extraction: lambda api, by: {
        "version": "2.1",
        "title": "Note G",
        "type": "paper",
        "published": "1843",
        "complete": True,
        "match_names": False,
        "entities": [_EXTRACTED],
        "relationships": [],
    },
    RunDraft: lambda api, by: {"title": "nightly import"},
    RunEnd: lambda api, by: {"state": "failed"},
    RoleChange: lambda api, by: {"role": "moderator"},
    TokenForm: _token_form,
    NamedTokenForm: _named_token_form,
    ClientDraft: lambda api, by: {"name": "ai", "scopes": ["graph:read"], "expires_at": "2999-12-31T23:59:59Z"},
    RotationDraft: lambda api, by: {"expires_at": "2999-12-31T23:59:59+01:00"},
}


def everything(api: Api) -> tuple[Any, ...]:
    """All that there is: records, how many changes, accounts, the first 200 service clients and opened runs."""
    accounts: list[Any] = []
    page = api.kg.users.list(limit=200)
    accounts += page.items
    while page.next_cursor is not None:
        page = api.kg.users.list(limit=200, cursor=page.next_cursor)
        accounts += page.items
    clients, runs = api.kg.clients.list(limit=200), api.kg.runs.list(kind="opened", limit=200)
    return api.kg.stats(), list(api.kg.dump()), accounts, clients, runs
