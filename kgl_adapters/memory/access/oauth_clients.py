"""Service clients in a dictionary."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from uuid import UUID

from kgl_core.access.oauth_clients import Client
from kgl_core.kernel.errors import AlreadyExists, NotFound
from kgl_core.kernel.pages import Position


class MemoryClients:
    """A `kgl_core.access.oauth_clients.ClientRepository`."""

    def __init__(self, rows: MutableMapping[UUID, Client | None]) -> None:
        self._rows = rows

    def get(self, id: UUID, *, lock: bool = False) -> Client | None:
        return self._rows.get(id)

    def list(self, after: Position | None, limit: int) -> Sequence[Client]:
        found = [
            client
            for client in self._rows.values()
            if client is not None and (after is None or (client.created_at, client.id) > after)
        ]
        return sorted(found, key=lambda client: (client.created_at, client.id))[:limit]

    def add(self, client: Client) -> None:
        if self.get(client.id) is not None:
            raise AlreadyExists("client", "id")
        self._rows[client.id] = client

    def replace(self, client: Client) -> None:
        if self.get(client.id) is None:
            raise NotFound("client", client.id)
        self._rows[client.id] = client

    def delete(self, id: UUID) -> None:
        if self.get(id) is None:
            raise NotFound("client", id)
        self._rows[id] = None
