"""The real application over each store, called as a client calls it."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import pytest
from dependency_injector import providers
from falcon import testing

from kgl_adapters.sql.units_of_work import SqlStore
from kgl_core import Actor, ClientCredentials, KnowledgeGraph, Role, User
from kgl_http.api.operations import FORM
from kgl_http.container import Capacity, Container
from kgl_http.settings import read_settings
from tests.contract.fakes import CheapHasher

PASSWORD = "correct horse battery"
NOBODY = "nobody"
SERVICES = {"reader": ("graph:read",), "writer": ("graph:write",), "service": ("graph:read", "graph:write")}
"""Callers that are service clients, with their scopes."""
AS_FORM = {"Content-Type": FORM}


class Api:
    """A client of the application. ``by`` names who calls: nobody, an account or a service, made once."""

    def __init__(self, container: Container) -> None:
        self.container = container
        self.client = testing.TestClient(container.app())
        self.kg: KnowledgeGraph = container.graph()
        self._tokens: dict[str, str] = {}
        self._credentials: dict[str, ClientCredentials] = {}

    def __call__(self, method: str, path: str, *, by: str = "admin", **request: Any) -> testing.Result:
        headers = {**self.headers(by), **request.pop("headers", {})}
        answer = self.client.simulate_request(method, path, headers=headers, **request)
        if path.endswith("/auth/password") and answer.status_code == 200:
            self._tokens.pop(by, None)  # which this has ended, sooner or later
        return answer

    def headers(self, by: str) -> dict[str, str]:
        """What proves who calls."""
        return {} if by == NOBODY else {"Authorization": f"Bearer {self.token(by)}"}

    def token(self, by: str) -> str:
        """An access token of the account or service of that name."""
        if by not in self._tokens and by in SERVICES:
            made = self.credentials(by)
            form = {"grant_type": "client_credentials", "client_id": str(made.client.id), "client_secret": made.secret}
            answer = self("POST", "/api/v1/oauth/token", by=NOBODY, body=urlencode(form), headers=AS_FORM)
            assert answer.status_code == 200, answer.text
            self._tokens[by] = answer.json["access_token"]
        elif by not in self._tokens:
            user = self.account(by)
            answer = self("POST", "/api/v1/auth/token", by=NOBODY, json={"email": user.email, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
            self._tokens[by] = answer.json["access_token"]
        return self._tokens[by]

    def credentials(self, name: str) -> ClientCredentials:
        """The service client of that name, and its secret."""
        if name not in self._credentials:
            self._credentials[name] = self.kg.clients.create(name=name, scopes=SERVICES[name])
        return self._credentials[name]

    def actor(self, name: str) -> Actor:
        """The account or service of that name, as who acts."""
        return self.credentials(name).client.actor if name in SERVICES else self.account(name).actor

    def account(self, name: str) -> User:
        """The account of that name; a moderator and an admin have that role, everybody else is a user."""
        email = f"{name}@example.org"
        for user in self.kg.users.list(email=email).items:
            return user
        role = name if name in (Role.MODERATOR, Role.ADMIN) else Role.USER
        return self.kg.users.create(email=email, password=PASSWORD, role=role)

    def entity(self, *, by: str = "admin", **fields: Any) -> dict[str, Any]:
        """A new entity, as the API shows it."""
        answer = self("POST", "/api/v1/entities", by=by, json={"type": "person", "name": "Ada", **fields})
        assert answer.status_code == 201, answer.text
        return answer.json["data"]

    def relationship(self, source: str, target: str, /, *, by: str = "admin", **fields: Any) -> dict[str, Any]:
        """A new relationship between two entities' ids, as the API shows it."""
        body = {"source_entity_id": source, "relationship_type": "knows", "target_entity_id": target, **fields}
        answer = self("POST", "/api/v1/relationships", by=by, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json["data"]


MakeApi = Callable[..., Api]


def problem(answer: testing.Result, status: int, code: str) -> dict[str, Any]:
    """The problem in an answer, which must be of this status and code and whole (RFC 9457)."""
    assert answer.status_code == status, (answer.status, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json
    assert (found["status"], found["code"]) == (status, code), found
    assert found["type"].endswith(f"/api/v1/problems/{code}")
    assert found["title"]
    assert found["detail"]
    assert found["data"] is None
    assert found["meta"]["request_id"] == answer.headers["x-request-id"]
    return found


@contextmanager
def making_apis(store_url: str) -> Iterator[MakeApi]:
    """Makes the application over a store, with other settings: variables by their names in lower case."""
    made: list[Container] = []

    def make(**variables: str) -> Api:
        environment = {
            "KGL_ENV": "development",
            "DATABASE_URL": store_url,
            "JWT_SECRET": secrets.token_urlsafe(48),
            "REGISTRATIONS_PER_HOUR": "1000000",
            **{name.upper(): value for name, value in variables.items()},
        }
        container = Container(settings=read_settings(environment, for_service=True), capacity=Capacity())
        container.hasher.override(providers.Object(CheapHasher()))
        container.init_resources()
        made.append(container)
        return Api(container)

    yield make
    for container in made:
        left = in_use(container)
        container.shutdown_resources()
        assert left == 0, f"{left} connections were not given back to the pool"


def in_use(container: Container) -> int:
    """How many connections to the database the application has in use."""
    database = container.store()
    return database.connections.in_use() if isinstance(database, SqlStore) else 0


@pytest.fixture
def make_api(store_url: str) -> Iterator[MakeApi]:
    """Makes the application over the store that the test runs on. What no store matters for may override this."""
    with making_apis(store_url) as make:
        yield make


@pytest.fixture
def api(make_api: MakeApi) -> Api:
    """The application as a developer starts it."""
    return make_api()
