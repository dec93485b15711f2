"""``/auth``: accounts and tokens of the person who calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kgl_core.access.logging_in import Auth, Login, PasswordChange, RefreshRequest
from kgl_core.access.registering import Registration
from kgl_core.access.tokens import IssuedTokens
from kgl_core.access.users import User
from kgl_core.kernel.checked_records import build
from kgl_http.api.envelope import dump_json, send
from kgl_http.api.operations import Answer, Resource, operation
from kgl_http.api.query_parameters import NoQuery
from kgl_http.server.metrics import Metrics
from kgl_http.settings import Network


class AuthResource(Resource):
    """The base of these resources: the use cases, the proxies that are trusted, and the metrics."""

    def __init__(self, auth: Auth, trusted_proxies: Sequence[Network], metrics: Metrics) -> None:
        self._auth, self._trusted, self._metrics = auth, trusted_proxies, metrics


class Register(AuthResource):
    """``/auth/register``."""

    @operation(
        summary="Make an account",
        is_public=True,
        body=Registration,
        answers={200: Answer(User)},
        errors=(403, 409, 429),
    )
    def on_post(self, req: Any, resp: Any) -> None:
        req.read_query(NoQuery)
        send(req, resp, self._auth.register(req.client_address(self._trusted), **req.read_object()))


class Token(AuthResource):
    """``/auth/token``."""

    @operation(
        summary="Log in: an access token and a refresh token for an email and its password",
        is_public=True,
        body=Login,
        answers={200: Answer(IssuedTokens, "bare")},
        errors=(401, 429),
    )
    def on_post(self, req: Any, resp: Any) -> None:
        req.read_query(NoQuery)
        login = build(Login, req.read_object())
        address = req.client_address(self._trusted)
        with self._metrics.login():
            issued = self._auth.log_in(email=login.email, password=login.password, address=address)
        _send_tokens(resp, issued)


class Refresh(AuthResource):
    """``/auth/refresh``."""

    @operation(
        summary="Trade a refresh token, once, for new tokens",
        is_public=True,
        body=RefreshRequest,
        answers={200: Answer(IssuedTokens, "bare")},
        errors=(401,),
    )
    def on_post(self, req: Any, resp: Any) -> None:
        req.read_query(NoQuery)
        request = build(RefreshRequest, req.read_object())
        with self._metrics.token_request("refresh_token"):
            issued = self._auth.refresh(request.refresh_token)
        _send_tokens(resp, issued)


class Logout(AuthResource):
    """``/auth/logout``."""

    @operation(
        summary="Log out: end a refresh token and all that descend from the same login",
        is_public=True,
        body=RefreshRequest,
        answers={204: Answer(shape="none")},
    )
    def on_post(self, req: Any, resp: Any) -> None:
        req.read_query(NoQuery)
        self._auth.log_out(build(RefreshRequest, req.read_object()).refresh_token)
        resp.status = 204


class Me(AuthResource):
    """``/auth/me``."""

    @operation(summary="Get the account that the token belongs to", answers={200: Answer(User)})
    def on_get(self, req: Any, resp: Any) -> None:
        req.read_query(NoQuery)
        send(req, resp, self._auth.account(req.actor.id))


class Password(AuthResource):
    """``/auth/password``."""

    @operation(
        summary="Change the password; all tokens that were issued before end",
        body=PasswordChange,
        answers={200: Answer(User)},
        errors=(429,),
    )
    def on_post(self, req: Any, resp: Any) -> None:
        req.read_query(NoQuery)
        change = build(PasswordChange, req.read_object())
        changed = self._auth.change_password(
            req.actor,
            current_password=change.current_password,
            new_password=change.new_password,
            address=req.client_address(self._trusted),
        )
        send(req, resp, changed)


def _send_tokens(resp: Any, issued: IssuedTokens) -> None:
    # RFC 6749, section 5.1: the tokens stand at the top, and nothing keeps them.
    resp.data = dump_json(
        {
            "access_token": issued.access_token,
            "token_type": "Bearer",
            "expires_in": issued.expires_in,
            "refresh_token": issued.refresh_token,
        }
    )
    resp.set_header("Cache-Control", "no-store")
    resp.set_header("Pragma", "no-cache")
