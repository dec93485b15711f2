"""Managing service clients: create, list and delete them, and give them new secrets."""

from __future__ import annotations

from typing import Unpack
from uuid import UUID

import attrs

from kgl_core.access.oauth_clients import (
    CLIENT,
    Client,
    ClientCredentials,
    ClientDraft,
    ClientFields,
    ClientFilter,
    RotationDraft,
    RotationFields,
)
from kgl_core.access.tokens import hash_opaque, new_opaque
from kgl_core.kernel.checked_records import build
from kgl_core.kernel.errors import Fault, InvalidInput
from kgl_core.kernel.ids import ClientId, Random, require_id
from kgl_core.kernel.nouns.listings import read_page
from kgl_core.kernel.nouns.pages import LIMIT_DEFAULT, Page
from kgl_core.kernel.nouns.records import found
from kgl_core.kernel.permissions import Action, in_order, require
from kgl_core.kernel.units_of_work import Context, transaction


class Clients:
    """The use cases of service clients, on behalf of one actor, who must be allowed to manage clients.

    Every method raises PermissionDenied, InvalidInput for malformed arguments, and StoreError when the store is in
    trouble. An id is a UUID or its canonical text.
    """

    def __init__(self, context: Context, random: Random) -> None:
        self._context, self._random = context, random

    @transaction
    def create(self, /, **fields: Unpack[ClientFields]) -> ClientCredentials:
        """Create a client; returns it with its secret. Raises InvalidInput with every fault."""
        require(self._context.actor, Action.MANAGE_CLIENTS)
        draft = build(ClientDraft, fields)
        now = self._context.now()
        secret = new_opaque(self._random)
        client = Client(
            id=ClientId(self._context.new_id()),
            name=draft.name,
            secret_hash=hash_opaque(secret),
            scopes=in_order(draft.scopes),
            created_by=self._context.actor,
            created_at=now,
            updated_at=now,
            expires_at=draft.expires_at,
        )
        _require_in_force(client, self._context)
        with self._context.store.begin() as uow:
            uow.clients.add([client])
            uow.commit()
        return ClientCredentials(client, secret)

    def get(self, id: UUID | str) -> Client:
        """The client with this id. Raises NotFound."""
        require(self._context.actor, Action.MANAGE_CLIENTS)
        wanted = require_id(id)
        with self._context.store.read() as uow:
            return found(uow.clients.get(wanted), "client", wanted)

    def list(self, *, limit: int = LIMIT_DEFAULT, cursor: str | None = None) -> Page[Client]:
        """A page of clients in the order of their creation; ``limit`` is 1..200. Raises InvalidCursor, HistoryLost."""
        require(self._context.actor, Action.MANAGE_CLIENTS)
        with self._context.store.read() as uow:
            return read_page(CLIENT, uow.clients, ClientFilter(), "created_at", limit, cursor)

    @transaction
    def rotate(self, id: UUID | str, /, **fields: Unpack[RotationFields]) -> ClientCredentials:
        """Give the client a new secret, which ends the old one and all tokens that were issued for it.

        The new secret expires when the old one would have, unless ``expires_at`` is given. Raises NotFound.
        """
        require(self._context.actor, Action.MANAGE_CLIENTS)
        wanted = require_id(id)
        draft = build(RotationDraft, fields)
        secret = new_opaque(self._random)
        with self._context.store.begin() as uow:
            current = found(uow.clients.get(wanted, lock="update"), "client", wanted)
            client = attrs.evolve(
                current,
                secret_hash=hash_opaque(secret),
                expires_at=draft.expires_at if "expires_at" in fields else current.expires_at,
                auth_version=current.auth_version + 1,
                updated_at=self._context.now(),
            )
            _require_in_force(client, self._context)
            uow.clients.replace([client])
            uow.commit()
        return ClientCredentials(client, secret)

    @transaction
    def delete(self, id: UUID | str) -> None:
        """Delete the client, which ends its secret and its tokens; what it created stays. Raises NotFound."""
        require(self._context.actor, Action.MANAGE_CLIENTS)
        wanted = require_id(id)
        with self._context.store.begin() as uow:
            uow.clients.delete(wanted)
            uow.commit()


def _require_in_force(client: Client, context: Context) -> None:
    if not client.is_in_force(context.now()):
        raise InvalidInput([Fault("/expires_at", "past", "give a moment to come, or null for no end")])
