"""``/oauth``: access tokens for service clients, and what becomes of tokens (RFC 6749, 7009, 7662, 8414)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import falcon

from kgl_core.access.tokens import IssuedAccess
from kgl_core.kernel.errors import KglError
from kgl_core.kernel.permissions import Scope
from kgl_http.access.oauth_server import (
    AUTH_METHODS,
    GRANT_TYPES,
    NamedTokenForm,
    OAuthAnswer,
    OAuthServer,
    Sent,
    TokenForm,
    refusal,
)
from kgl_http.api.envelope import dump_json
from kgl_http.api.operations import FORM, Answer, Resource, operation
from kgl_http.api.query_parameters import NoQuery
from kgl_http.settings import Network

PATH: Final = "/api/v1/oauth"


class OAuthResource(Resource):
    """The base of these resources: the authorization server, and the proxies that are trusted."""

    def __init__(self, server: OAuthServer, trusted_proxies: Sequence[Network]) -> None:
        self._server, self._trusted = server, trusted_proxies

    def _send(self, req: Any, resp: Any, respond: Callable[[Sent], OAuthAnswer]) -> None:
        try:
            req.read_query(NoQuery)
            sent = Sent(req.read_form(), req.env.get("HTTP_AUTHORIZATION"), req.client_address(self._trusted))
        except KglError as error:
            resp.status, body, headers = refusal(error)
        else:
            resp.status, body, headers = respond(sent)
        resp.data = dump_json(body)
        resp.set_headers(headers)


class OAuthToken(OAuthResource):
    """``/oauth/token``."""

    @operation(
        summary="Get an access token for a service client, by its id and secret",
        is_for_clients=True,
        body=TokenForm,
        body_media_types=(FORM,),
        answers={200: Answer(IssuedAccess, "bare")},
    )
    def on_post(self, req: Any, resp: Any) -> None:
        self._send(req, resp, self._server.token)


class OAuthRevocation(OAuthResource):
    """``/oauth/revoke``."""

    @operation(
        summary="End a token that was issued to the client; for kgl's own, client_id=kgl without a secret will do",
        is_for_clients=True,
        body=NamedTokenForm,
        body_media_types=(FORM,),
        answers={200: Answer(dict[str, Any], "bare")},
    )
    def on_post(self, req: Any, resp: Any) -> None:
        self._send(req, resp, self._server.revocation)


class OAuthIntrospection(OAuthResource):
    """``/oauth/introspect``."""

    @operation(
        summary="Ask whether an access token is in force, and what it says",
        is_for_clients=True,
        body=NamedTokenForm,
        body_media_types=(FORM,),
        answers={200: Answer(dict[str, Any], "bare")},
    )
    def on_post(self, req: Any, resp: Any) -> None:
        self._send(req, resp, self._server.introspection)


class OAuthMetadata(Resource):
    """``/.well-known/oauth-authorization-server``."""

    def __init__(self, issuer: str) -> None:
        self._metadata = metadata(issuer) if _is_public_url(issuer) else None

    @operation(
        summary="Read where the endpoints are (RFC 8414); 404 where JWT_ISSUER is no https URL",
        is_public=True,
        answers={200: Answer(dict[str, Any], "bare")},
        errors=(404,),
    )
    def on_get(self, req: Any, resp: Any) -> None:
        if self._metadata is None:
            raise falcon.HTTPNotFound
        resp.data = dump_json(self._metadata)
        resp.set_header("Cache-Control", "public, max-age=300")


def metadata(issuer: str) -> dict[str, Any]:
    """The metadata of an authorization server (RFC 8414, section 2)."""
    base = issuer.rstrip("/")
    return {
        "issuer": issuer,
        "token_endpoint": f"{base}{PATH}/token",
        "revocation_endpoint": f"{base}{PATH}/revoke",
        "introspection_endpoint": f"{base}{PATH}/introspect",
        "jwks_uri": f"{base}/.well-known/jwks.json",
        "scopes_supported": list(Scope),
        "response_types_supported": [],
        "grant_types_supported": GRANT_TYPES,
        "token_endpoint_auth_methods_supported": AUTH_METHODS,
        "revocation_endpoint_auth_methods_supported": [*AUTH_METHODS, "none"],
        "introspection_endpoint_auth_methods_supported": AUTH_METHODS,
    }


def _is_public_url(issuer: str) -> bool:
    """Whether this is an issuer as in RFC 8414, section 2: an https URL without query and fragment."""
    try:
        parts = urlsplit(issuer)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname) and not parts.query and not parts.fragment
