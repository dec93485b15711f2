"""``/oauth-clients``: the service clients, for those who manage them."""

from __future__ import annotations

from typing import Any

import attrs

from kgl_core.access.oauth_clients import Client, ClientCredentials, ClientDraft, RotationDraft
from kgl_core.kernel.checked_records import check, ruled
from kgl_core.kernel.nouns.pages import LIMIT_DEFAULT
from kgl_core.kernel.permissions import Action
from kgl_http.api.envelope import send, send_page
from kgl_http.api.operations import Answer, GraphResource, operation
from kgl_http.api.query_parameters import CURSOR, LIMIT, NoQuery


@attrs.frozen(kw_only=True)
class ClientQuery:
    """A listing of service clients, in the order of their creation."""

    limit: int = ruled(LIMIT, default=LIMIT_DEFAULT)
    cursor: str | None = ruled(CURSOR, default=None)

    def __attrs_post_init__(self) -> None:
        check(self)


class Clients(GraphResource):
    """``/oauth-clients``."""

    @operation(
        summary="List service clients in the order of their creation",
        action=Action.MANAGE_CLIENTS,
        query=ClientQuery,
        answers={200: Answer(Client, "page")},
    )
    def on_get(self, req: Any, resp: Any) -> None:
        query = req.read_query(ClientQuery)
        send_page(req, resp, self._kg.acting_as(req.actor).clients.list(limit=query.limit, cursor=query.cursor))

    @operation(
        summary="Create a service client; its secret is shown this once",
        action=Action.MANAGE_CLIENTS,
        body=ClientDraft,
        answers={201: Answer(ClientCredentials, has_location=True, id_at="/data/client/id")},
    )
    def on_post(self, req: Any, resp: Any) -> None:
        req.read_query(NoQuery)
        made = self._kg.acting_as(req.actor).clients.create(**req.read_fields(ClientDraft))
        resp.status = 201
        resp.location = f"{req.root_path}/api/v1/oauth-clients/{made.client.id}"
        _send_credentials(req, resp, made)


class ClientById(GraphResource):
    """``/oauth-clients/{id}``."""

    @operation(
        summary="Get a service client, without its secret",
        action=Action.MANAGE_CLIENTS,
        answers={200: Answer(Client)},
        errors=(404,),
    )
    def on_get(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        send(req, resp, self._kg.acting_as(req.actor).clients.get(req.read_id(id)))

    @operation(
        summary="Delete a service client; its secret and tokens end, what it created stays",
        action=Action.MANAGE_CLIENTS,
        answers={204: Answer(shape="none")},
        errors=(404,),
    )
    def on_delete(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        self._kg.acting_as(req.actor).clients.delete(req.read_id(id))
        resp.status = 204


class ClientRotation(GraphResource):
    """``/oauth-clients/{id}/rotate``."""

    @operation(
        summary="Give a service client a new secret, shown this once; the old one and its tokens end",
        action=Action.MANAGE_CLIENTS,
        body=RotationDraft,
        answers={200: Answer(ClientCredentials)},
        errors=(404,),
    )
    def on_post(self, req: Any, resp: Any, id: str) -> None:
        req.read_query(NoQuery)
        clients = self._kg.acting_as(req.actor).clients
        _send_credentials(req, resp, clients.rotate(req.read_id(id), **req.read_fields(RotationDraft)))


def _send_credentials(req: Any, resp: Any, credentials: ClientCredentials) -> None:
    send(req, resp, credentials)
    resp.set_header("Cache-Control", "no-store")
