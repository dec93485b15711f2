"""OAuth 2.0 for service clients: Authlib's authorization server over our use cases, with the errors of RFC 6749.

This is the only module that knows Authlib. We authenticate a client before Authlib sees the request, so that wrong
secrets are counted, and strangers learn nothing else.
"""

from __future__ import annotations

import logging
import re
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Final
from urllib.parse import unquote_plus

import attrs
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Request
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from kgl_core.access.client_tokens import OAuth
from kgl_core.access.oauth_clients import Client
from kgl_core.access.oauth_errors import InvalidClient, OAuthError
from kgl_core.access.passwords import Secret
from kgl_core.access.tokens import OWN_CLIENT_ID, TOKEN_LENGTH_MAX
from kgl_core.kernel.checked_records import build, check, ruled, rules_of
from kgl_core.kernel.errors import Fault, InvalidInput, KglError, TooManyAttempts
from kgl_core.kernel.field_rules import Choice, Optional, Text
from kgl_http.api.error_handlers import detail_of
from kgl_http.api.problems import BadRequest
from kgl_http.server.metrics import Metrics

GRANT_TYPES: Final = (ClientCredentialsGrant.GRANT_TYPE,)
AUTH_METHODS: Final = ("client_secret_basic", "client_secret_post")
_PARAMETER_LENGTH_MAX: Final = 1000
_CLIENT_ID: Final = Optional(Text(_PARAMETER_LENGTH_MAX))
_CLIENT_SECRET: Final = Optional(Secret(_PARAMETER_LENGTH_MAX))
_TOKEN: Final = Secret(TOKEN_LENGTH_MAX)
_CLIENTS_FAULTS: Final = (OAuthError, InvalidInput, BadRequest, TooManyAttempts)
# RFC 6749, section 5.2: what error_description must not hold.
_UNDESCRIBABLE: Final = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")
_CHALLENGE: Final = 'Basic realm="kgl", charset="UTF-8"'
# Authlib refuses URLs without TLS. That ends before us, at a proxy whose address we do not know.
_URL: Final = "https://kgl/"
logging.getLogger("authlib").setLevel(logging.INFO)  # it logs the tokens that it issues, at DEBUG

Headers = Sequence[tuple[str, str]]
OAuthAnswer = tuple[int, Mapping[str, Any], Headers]
_Respond = Callable[["_Request"], OAuthAnswer]


@attrs.frozen(kw_only=True)
class TokenForm:
    """What a service client sends for an access token. Without ``scope``, it gets all that it was granted."""

    grant_type: str = ruled(Choice(GRANT_TYPES))
    scope: str | None = ruled(Optional(Text(_PARAMETER_LENGTH_MAX)), default=None)
    client_id: str | None = ruled(_CLIENT_ID, default=None)
    client_secret: str | None = ruled(_CLIENT_SECRET, default=None, is_secret=True)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class NamedTokenForm:
    """A token that something is to be done with; its kind is found out, whatever ``token_type_hint`` says."""

    token: str = ruled(_TOKEN, is_secret=True)
    token_type_hint: str | None = ruled(Optional(Text(_PARAMETER_LENGTH_MAX)), default=None)
    client_id: str | None = ruled(_CLIENT_ID, default=None)
    client_secret: str | None = ruled(_CLIENT_SECRET, default=None, is_secret=True)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen
class Sent:
    """What a request sent: its form, its Authorization header, and the address that it came from."""

    form: Mapping[str, str] = attrs.field(repr=False)
    authorization: str | None = attrs.field(repr=False)
    address: str | None


class OAuthServer:
    """Answers service clients, with a status, a JSON object and headers each time. Shared by threads.

    Raises errors that are not the client's fault, such as StoreError; they become problems as everywhere else.
    """

    def __init__(self, oauth: OAuth, issuer: str, audience: str, metrics: Metrics) -> None:
        self._oauth, self._metrics = oauth, metrics
        self._authlib = _Authlib(oauth, issuer, audience)

    def token(self, sent: Sent) -> OAuthAnswer:
        """An access token (RFC 6749, section 4.4)."""
        counted = self._metrics.token_request(ClientCredentialsGrant.GRANT_TYPE)
        return self._answer(sent, TokenForm, self._authlib.create_token_response, counted)

    def revocation(self, sent: Sent) -> OAuthAnswer:
        """Revoke a token (RFC 7009)."""
        return self._answer(sent, NamedTokenForm, self._endpoint(RevocationEndpoint), takes_public=True)

    def introspection(self, sent: Sent) -> OAuthAnswer:
        """What a token says, if it is in force (RFC 7662)."""
        return self._answer(sent, NamedTokenForm, self._endpoint(IntrospectionEndpoint))

    def _endpoint(self, endpoint: type[RevocationEndpoint | IntrospectionEndpoint]) -> _Respond:
        return partial(self._authlib.create_endpoint_response, endpoint.ENDPOINT_NAME)

    def _answer(
        self,
        sent: Sent,
        cls: type,
        respond: _Respond,
        counted: AbstractContextManager[None] | None = None,
        *,
        takes_public: bool = False,
    ) -> OAuthAnswer:
        try:
            with counted or nullcontext():
                return self._checked(sent, cls, respond, takes_public)
        except _CLIENTS_FAULTS as error:
            return refusal(error)

    def _checked(self, sent: Sent, cls: type, respond: _Respond, takes_public: bool) -> OAuthAnswer:
        id, secret = _credentials(sent)
        if takes_public and secret is None and id == OWN_CLIENT_ID:
            client = _AuthlibClient(OWN_CLIENT_ID)
        elif id is None or secret is None:
            raise InvalidClient
        else:
            found = self._oauth.authenticate(id, secret, sent.address)
            client = _AuthlibClient(str(found.id), found)
        # Others are to be ignored (RFC 6749, section 3.2).
        build(cls, {name: value for name, value in sent.form.items() if name in rules_of(cls)})
        return respond(_Request(sent.form, client))


def refusal(error: KglError) -> OAuthAnswer:
    """The answer to a client for one of our errors (RFC 6749, section 5.2)."""
    headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store"), ("Pragma", "no-cache")]
    code, status = "invalid_request", 400
    if isinstance(error, InvalidClient):
        code, status = error.code, 401
        headers.append(("WWW-Authenticate", _CHALLENGE))
    elif isinstance(error, TooManyAttempts):
        code, status = "temporarily_unavailable", 429
        headers.append(("Retry-After", str(error.retry_after_s)))
    elif isinstance(error, InvalidInput) and any(_is_other_grant(fault) for fault in error.faults):
        code = "unsupported_grant_type"
    elif isinstance(error, OAuthError):
        code = error.code
    return status, {"error": code, "error_description": _UNDESCRIBABLE.sub("?", detail_of(error))}, headers


def _is_other_grant(fault: Fault) -> bool:
    return (fault.pointer, fault.code) == ("/grant_type", "not_a_choice")


def _credentials(sent: Sent) -> tuple[str | None, str | None]:
    """The client's id and secret, from HTTP Basic or from the form (RFC 6749, section 2.3.1).

    Raises BadRequest if it sends both, and InvalidClient for a header that cannot be read.
    """
    id, secret = sent.form.get("client_id"), sent.form.get("client_secret")
    scheme, _, encoded = (sent.authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return id, secret
    try:
        text = b64decode(encoded.strip(), validate=True).decode()
    except ValueError:
        raise InvalidClient from None
    name, _, password = text.partition(":")
    basic_id, basic_secret = unquote_plus(name), unquote_plus(password)
    if secret is not None or id not in (None, basic_id):
        advice = "prove who you are in one way: by the Authorization header, or in the form"
        raise BadRequest([Fault("/client_secret", "two_methods", advice)])
    return basic_id, basic_secret


class _AuthlibClient(ClientMixin):  # type: ignore[misc]
    """An authenticated client for Authlib; ``client`` is None for kgl itself."""

    def __init__(self, id: str, client: Client | None = None) -> None:
        self.id, self.client = id, client

    def get_client_id(self) -> str:
        return self.id

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in GRANT_TYPES


class _Request(OAuth2Request):  # type: ignore[misc]
    """A form that a client has sent, as Authlib reads it."""

    def __init__(self, form: Mapping[str, str], client: _AuthlibClient) -> None:
        super().__init__("POST", _URL)
        self.payload = BasicOAuth2Payload(dict(form))
        self.client = client

    @property
    def form(self) -> Mapping[str, str]:
        data: Mapping[str, str] = self.payload.data
        return data


class _Revocation(RevocationEndpoint):  # type: ignore[misc]
    def authenticate_token(self, request: _Request, client: _AuthlibClient) -> str:
        return request.form["token"]

    def revoke_token(self, token: str, request: _Request) -> None:
        self.server.oauth.revoke(request.client.id, token)


class _Introspection(IntrospectionEndpoint):  # type: ignore[misc]
    def authenticate_token(self, request: _Request, client: _AuthlibClient) -> str:
        return request.form["token"]

    def create_introspection_payload(self, token: str) -> dict[str, Any]:
        found = self.server.oauth.introspect(token)
        if found is None:
            return {"active": False}
        return {
            "active": True,
            "token_type": "Bearer",
            "sub": found.subject.id,
            **found.granted,
            "client_id": found.client_id,
            "iss": self.server.issuer,
            "aud": self.server.audience,
            "iat": int(found.issued_at.timestamp()),
            "exp": int(found.expires_at.timestamp()),
            "jti": str(found.id),
        }


class _Authlib(AuthorizationServer):  # type: ignore[misc]
    """Authlib's server, for clients that are authenticated already."""

    def __init__(self, oauth: OAuth, issuer: str, audience: str) -> None:
        super().__init__()
        self.oauth, self.issuer, self.audience = oauth, issuer, audience
        self.register_grant(ClientCredentialsGrant)
        self.register_endpoint(_Revocation)
        self.register_endpoint(_Introspection)
        self.register_token_generator("default", self._issue)

    def create_oauth2_request(self, request: _Request) -> _Request:
        return request

    def authenticate_client(self, request: _Request, methods: object, endpoint: str = "token") -> _AuthlibClient:
        client: _AuthlibClient = request.client
        return client

    def handle_response(self, status: int, body: Mapping[str, Any], headers: Headers) -> OAuthAnswer:
        return status, body, headers

    def save_token(self, token: object, request: object) -> None:
        """Do nothing: access tokens are checked by their signature."""

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Do nothing: nobody listens."""

    def _issue(self, client: _AuthlibClient, scope: str | None, **_: object) -> dict[str, Any]:
        if client.client is None:
            raise InvalidClient
        return {"token_type": "Bearer", **attrs.asdict(self.oauth.issue(client.client, scope))}
