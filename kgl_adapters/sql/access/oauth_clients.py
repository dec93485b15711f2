"""Service clients in their table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, delete, select, update

from kgl_adapters.sql.access.rows import ACCESS_ROWS, CLIENT_COLUMNS
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.schema import clients, table_for
from kgl_adapters.sql.statements import paged
from kgl_core.access.oauth_clients import Client
from kgl_core.kernel.errors import NotFound
from kgl_core.kernel.pages import Position

_UPDATED: Final = tuple(name for name in CLIENT_COLUMNS if name not in ("id", "created_by", "created_at"))


class ClientTable:
    """The table of service clients and the statements on it."""

    def __init__(self, *, is_sqlite: bool) -> None:
        self.table = table = table_for(clients, is_sqlite=is_sqlite)
        is_it = table.c.id == bindparam("at_id")
        self.list = select(*(table.c[name] for name in CLIENT_COLUMNS))
        self.get = self.list.where(is_it)
        self.get_locked = self.get.with_for_update()
        self.replace = update(table).where(is_it).values({name: bindparam(name) for name in _UPDATED})
        self.delete = delete(table).where(is_it)


_TABLES: Final = {is_sqlite: ClientTable(is_sqlite=is_sqlite) for is_sqlite in (False, True)}


class SqlClients:
    """A `kgl_core.access.oauth_clients.ClientRepository`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rows = ACCESS_ROWS[session.is_sqlite]
        self._of = _TABLES[session.is_sqlite]

    def get(self, id: UUID, *, lock: bool = False) -> Client | None:
        row = self._session.execute(
            self._of.get_locked if lock else self._of.get, {"at_id": self._rows.id(id)}
        ).one_or_none()
        return None if row is None else self._rows.client(row)

    def list(self, after: Position | None, limit: int) -> Sequence[Client]:
        table = self._of.table
        statement, parameters = paged(self._of.list, table, table.c.created_at, "created_at", after, limit, self._rows)
        return [self._rows.client(row) for row in self._session.execute(statement, parameters)]

    def add(self, client: Client) -> None:
        self._session.insert(self._of.table, CLIENT_COLUMNS, [self._rows.client_values(client)])

    def replace(self, client: Client) -> None:
        values = dict(zip(CLIENT_COLUMNS, self._rows.client_values(client), strict=True))
        parameters = {"at_id": values["id"], **{name: values[name] for name in _UPDATED}}
        if not self._session.execute(self._of.replace, parameters).rowcount:
            raise NotFound("client", client.id)

    def delete(self, id: UUID) -> None:
        if not self._session.execute(self._of.delete, {"at_id": self._rows.id(id)}).rowcount:
            raise NotFound("client", id)
