"""OAuth 2.0 with clients that nobody here wrote: Authlib's and requests-oauthlib, over a socket."""

import threading
import warnings
from collections.abc import Iterator
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import attrs
import pytest
from authlib.integrations.requests_client import OAuth2Session as AuthlibSession
from authlib.integrations.requests_client import OAuthError
from authlib.oauth2.rfc6749.errors import OAuth2Error as Refused
from authlib.oauth2.rfc7662 import IntrospectTokenValidator
from oauthlib.oauth2 import BackendApplicationClient, InvalidClientError, InvalidScopeError
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from tests.http.conftest import Api


class Silent(WSGIRequestHandler):
    """A request handler that writes no log of its own."""

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@attrs.frozen
class Served:
    """The application behind a socket."""

    api: Api
    url: str

    def path(self, path: str) -> str:
        """The URL of a path of the API."""
        return f"{self.url}/api/v1{path}"


@pytest.fixture
def served(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """The application over each store, on the loopback, where both libraries want to be told that TLS is not needed."""
    for name in ("AUTHLIB_INSECURE_TRANSPORT", "OAUTHLIB_INSECURE_TRANSPORT"):
        monkeypatch.setenv(name, "1")
    with make_server("127.0.0.1", 0, api.client.app, handler_class=Silent) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Served(api, f"http://127.0.0.1:{server.server_port}")
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlib_s_client(served: Served, method: str) -> None:
    """Gets a token, calls with it, narrows it, asks about it, revokes it, and understands a refusal."""
    made = served.api.credentials("service")
    id = str(made.client.id)
    with AuthlibSession(id, made.secret, token_endpoint_auth_method=method, scope="graph:read graph:write") as session:
        token = session.fetch_token(served.path("/oauth/token"), grant_type="client_credentials")
        assert (token["token_type"], token["scope"]) == ("Bearer", "graph:read graph:write")
        made_by = session.post(served.path("/entities"), json={"type": "person", "name": "Ada"}).json()["data"]
        assert made_by["created_by"] == {"kind": "service", "id": id}
        told = session.introspect_token(served.path("/oauth/introspect"), token=token["access_token"]).json()
        assert (told["active"], told["sub"], told["scope"]) == (True, id, token["scope"])
        assert session.revoke_token(served.path("/oauth/revoke"), token=token["access_token"]).status_code == 200
        told = session.introspect_token(served.path("/oauth/introspect"), token=token["access_token"]).json()
        assert told == {"active": False}
        session.scope = "graph:read"
        assert session.fetch_token(served.path("/oauth/token"))["scope"] == "graph:read"
        assert session.post(served.path("/entities"), json={"type": "person", "name": "Ada"}).status_code == 403
        session.scope = "admin"
        with pytest.raises(OAuthError, match="invalid_scope"):
            session.fetch_token(served.path("/oauth/token"))
    with (
        AuthlibSession(id, "wrong", token_endpoint_auth_method=method) as session,
        pytest.raises(OAuthError, match="invalid_client"),
    ):
        session.fetch_token(served.path("/oauth/token"))


@pytest.mark.parametrize("in_form", [True, False])
def test_requests_oauthlib(served: Served, in_form: bool) -> None:
    """Gets a token by header or by form, calls with it, and understands a refusal."""
    made = served.api.credentials("reader")
    id = str(made.client.id)

    def fetch(secret: str, scope: str | None = None) -> tuple[OAuth2Session, Any]:
        session = OAuth2Session(client=BackendApplicationClient(id, scope=scope))
        given = {"include_client_id": True, "client_secret": secret} if in_form else {"auth": HTTPBasicAuth(id, secret)}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            return session, session.fetch_token(served.path("/oauth/token"), **given)

    session, token = fetch(made.secret, "graph:read")
    assert token["scope"] == ["graph:read"]
    with session:
        assert session.get(served.path("/entities")).json()["data"] == []
        assert session.post(served.path("/entities"), json={"type": "person", "name": "Ada"}).status_code == 403
    with pytest.raises(InvalidScopeError):
        fetch(made.secret, "graph:write")
    with pytest.raises(InvalidClientError):
        fetch("wrong")


def test_authlib_s_resource_protector(served: Served) -> None:
    """Another module checks its callers' tokens by asking kgl, with nothing but Authlib."""
    made = served.api.credentials("reader")
    with AuthlibSession(str(made.client.id), made.secret) as session:

        class Validator(IntrospectTokenValidator):  # type: ignore[misc]
            def introspect_token(self, token_string: str) -> Any:
                return session.introspect_token(served.path("/oauth/introspect"), token=token_string).json()

        token = served.api.token("writer")
        validator = Validator()
        found = validator.authenticate_token(token)
        validator.validate_token(found, ["graph:write"], None)
        with pytest.raises(Refused):
            validator.validate_token(found, ["graph:read"], None)
        served.api.kg.clients.delete(served.api.credentials("writer").client.id)
        with pytest.raises(Refused):
            validator.validate_token(validator.authenticate_token(token), None, None)
