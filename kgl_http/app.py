"""The application: which path leads to which resource, and what surrounds them. All parts are passed in."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import attrs
import falcon

from kgl_core.access.client_tokens import OAuth
from kgl_core.access.logging_in import Auth
from kgl_core.access.tokens import TokenSigner
from kgl_core.kernel.errors import KglError
from kgl_core.knowledge_graph import KnowledgeGraph
from kgl_core.storage.loading.reading import BATCH_BYTES_MAX
from kgl_http.access import logging_in, oauth, oauth_clients, users
from kgl_http.access.oauth_server import OAuthServer
from kgl_http.api import health
from kgl_http.api.authentication import Authenticator
from kgl_http.api.error_handlers import on_exception, on_http_error, on_kgl_error, on_os_error
from kgl_http.api.idempotency import Idempotency
from kgl_http.api.middleware import Authentication, Compression, Observation, RootPath, VaryByOrigin
from kgl_http.api.operations import operations_of
from kgl_http.api.request import Request
from kgl_http.api.response import Response
from kgl_http.evidence import assertions, extractions, extractors, facts, sources
from kgl_http.exploration import matching, searching, walks
from kgl_http.graph import changes, entities, relationships, runs
from kgl_http.openapi import docs_pages
from kgl_http.openapi.document import Routes, describe
from kgl_http.server.long_requests import LongRequestSlots
from kgl_http.server.metrics import Metrics
from kgl_http.server.readiness import Readiness
from kgl_http.settings import Settings
from kgl_http.storage import administration, import_and_export

API: Final = "/api/v1"
_DOCUMENT: Final = f"{API}/openapi.json"
_EXPOSED: Final = ("Changes-Cursor", "ETag", "Location", "Retry-After", "X-Request-ID")

App = falcon.App[Any, Any]


@attrs.frozen(kw_only=True)
class Collaborators:
    """The parts that the application works with."""

    settings: Settings
    graph: KnowledgeGraph
    auth: Auth
    authenticator: Authenticator
    oauth: OAuth
    signer: TokenSigner
    metrics: Metrics
    readiness: Readiness
    slots: LongRequestSlots
    idempotency: Idempotency


def routes(given: Collaborators) -> Routes:
    """Every path and the resource that it leads to."""
    kg, settings = given.graph, given.settings
    account = (given.auth, settings.trusted_proxies, given.metrics)
    server = (
        OAuthServer(given.oauth, settings.jwt_issuer, settings.jwt_audience, given.metrics),
        settings.trusted_proxies,
    )
    conditional: dict[str, bool] = {"require_if_match": settings.require_if_match}
    imports: dict[str, Any] = {
        "bytes_max": settings.import_bytes_max,
        # Where one writes at a time, all others wait for an atomic import: no longer than for a part of any other.
        "atomic_bytes_max": None if settings.database_url.startswith("postgres") else BATCH_BYTES_MAX,
    }
    return (
        ("/", docs_pages.Root()),
        ("/health", health.Health()),
        ("/health/ready", health.Ready(given.readiness)),
        ("/metrics", health.MetricsPage(given.metrics)),
        ("/.well-known/jwks.json", health.Jwks(given.signer)),
        ("/.well-known/oauth-authorization-server", oauth.OAuthMetadata(settings.jwt_issuer)),
        (f"{API}/auth/register", logging_in.Register(*account)),
        (f"{API}/auth/token", logging_in.Token(*account)),
        (f"{API}/auth/refresh", logging_in.Refresh(*account)),
        (f"{API}/auth/logout", logging_in.Logout(*account)),
        (f"{API}/auth/me", logging_in.Me(*account)),
        (f"{API}/auth/password", logging_in.Password(*account)),
        (f"{API}/oauth/token", oauth.OAuthToken(*server)),
        (f"{API}/oauth/revoke", oauth.OAuthRevocation(*server)),
        (f"{API}/oauth/introspect", oauth.OAuthIntrospection(*server)),
        (f"{API}/entities", entities.Entities(kg)),
        (f"{API}/entities/get", entities.EntitySelections(kg)),
        (f"{API}/entities/{{id}}", entities.EntityById(kg, **conditional)),
        (f"{API}/entities/{{id}}/restore", entities.EntityRestoration(kg)),
        (f"{API}/entities/{{id}}/relationships", entities.EntityRelationships(kg)),
        (f"{API}/entities/{{id}}/assertions", facts.EntityAssertions(kg)),
        (f"{API}/entities/{{id}}/values", facts.EntityValues(kg)),
        (f"{API}/entities/{{id}}/pinned", facts.EntityPins(kg)),
        (f"{API}/entities/{{id}}/neighborhood", walks.EntityNeighborhood(kg)),
        (f"{API}/entities/{{id}}/summary", walks.EntitySummary(kg)),
        (f"{API}/graph/paths", walks.GraphPaths(kg)),
        (f"{API}/graph/common", walks.GraphCommonNeighbors(kg)),
        (f"{API}/graph/subgraph", walks.GraphSubgraph(kg)),
        (f"{API}/graph/match", matching.GraphMatches(kg)),
        (f"{API}/search", searching.SearchResults(kg)),
        (f"{API}/search/suggest", searching.SearchSuggestions(kg)),
        (f"{API}/search/link", searching.SearchLinks(kg)),
        (f"{API}/relationships", relationships.Relationships(kg)),
        (f"{API}/relationships/{{id}}", relationships.RelationshipById(kg, **conditional)),
        (f"{API}/relationships/{{id}}/restore", relationships.RelationshipRestoration(kg)),
        (f"{API}/relationships/{{id}}/assertions", facts.RelationshipAssertions(kg)),
        (f"{API}/relationships/{{id}}/values", facts.RelationshipValues(kg)),
        (f"{API}/relationships/{{id}}/pinned", facts.RelationshipPins(kg)),
        (f"{API}/sources", sources.Sources(kg)),
        (f"{API}/sources/withdraw", sources.SourceWithdrawals(kg)),
        (f"{API}/sources/{{id}}", sources.SourceById(kg, **conditional)),
        (f"{API}/sources/{{id}}/contribution", sources.SourceContribution(kg)),
        (f"{API}/sources/{{id}}/rank", sources.SourceRanking(kg)),
        (f"{API}/extractors", extractors.Extractors(kg)),
        (f"{API}/extractors/{{id}}", extractors.ExtractorById(kg)),
        (f"{API}/extractors/{{id}}/rank", extractors.ExtractorRanking(kg)),
        (f"{API}/assertions", assertions.Assertions(kg)),
        (f"{API}/assertions/{{id}}", assertions.AssertionById(kg)),
        (f"{API}/extractions", extractions.Extractions(kg, given.slots, bytes_max=settings.import_bytes_max)),
        (f"{API}/extractions/reinstate", extractions.ExtractionReinstatement(kg)),
        (f"{API}/runs", runs.Runs(kg)),
        (f"{API}/runs/{{id}}", runs.RunById(kg)),
        (f"{API}/runs/{{id}}/changes", runs.RunChanges(kg)),
        (f"{API}/runs/{{id}}/end", runs.RunEnding(kg)),
        (f"{API}/changes", changes.Changes(kg, given.slots, given.authenticator)),
        (f"{API}/import", import_and_export.Import(kg, given.slots, given.idempotency, **imports)),
        (f"{API}/export", import_and_export.Export(kg, given.slots)),
        (f"{API}/users", users.Users(kg)),
        (f"{API}/users/{{id}}", users.UserById(kg)),
        (f"{API}/users/{{id}}/role", users.UserRole(kg)),
        (f"{API}/users/{{id}}/disable", users.UserDisabling(kg)),
        (f"{API}/users/{{id}}/enable", users.UserEnabling(kg)),
        (f"{API}/oauth-clients", oauth_clients.Clients(kg)),
        (f"{API}/oauth-clients/{{id}}", oauth_clients.ClientById(kg)),
        (f"{API}/oauth-clients/{{id}}/rotate", oauth_clients.ClientRotation(kg)),
        (f"{API}/admin/ping", administration.Ping()),
        (f"{API}/admin/stats", administration.AdminStats(kg)),
        (f"{API}/docs", docs_pages.SwaggerUi()),
        (f"{API}/docs/assets/{{name}}", docs_pages.Asset()),
        (f"{API}/redoc", docs_pages.Redoc()),
        (f"{API}/problems", docs_pages.Problems()),
        (f"{API}/problems/{{code}}", docs_pages.ProblemByCode()),
    )


def create_app(given: Collaborators, *, version: str) -> App:
    """The WSGI application. Raises LookupError when a responder is not described by an operation."""
    served = list(routes(given))
    everything = [*served, (_DOCUMENT, docs_pages.OpenApi)]  # the document describes itself, too
    write = partial(describe, everything, version=version, root_path=given.settings.root_path)
    served.append((_DOCUMENT, docs_pages.OpenApi(write)))
    middleware: list[Any] = [Observation(given.metrics)]
    if root_path := given.settings.root_path:
        middleware.insert(0, RootPath(root_path))
    if origins := given.settings.cors_origins:
        cors: Any = falcon.CORSMiddleware(allow_origins=origins, allow_credentials=origins, expose_headers=_EXPOSED)
        middleware += [VaryByOrigin(), cors]
    middleware += [Compression(), Authentication(given.authenticator)]
    app: App = falcon.App(request_type=Request, response_type=Response, middleware=middleware)
    app.req_options.strip_url_path_trailing_slash = True
    app.add_error_handler(Exception, on_exception)
    app.add_error_handler(OSError, on_os_error)
    app.add_error_handler(falcon.HTTPError, on_http_error)
    app.add_error_handler(KglError, on_kgl_error)
    for path, resource in served:
        operations_of(resource)
        given.idempotency.guard(resource)
        app.add_route(path, resource)
    return app
