"""Checks a SQL store as a whole: its rows one after the other, its structure, and how rows fit together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import Select, Table, delete, func, select, update

from kgl_adapters.sql import schema
from kgl_adapters.sql.access.rows import ACCESS_ROWS, CLIENT_COLUMNS, USER_COLUMNS
from kgl_adapters.sql.encoding import reason_of
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.graph.rows import ENTITY_COLUMNS, GRAPH_ROWS, RELATIONSHIP_COLUMNS
from kgl_adapters.sql.storage import checking_consistency, checking_structure
from kgl_adapters.sql.storage.damaged_rows import DAMAGED, DamagedRows, require_text, require_unique_names
from kgl_core.access.oauth_clients import Client
from kgl_core.access.users import User
from kgl_core.graph.entities import Entity
from kgl_core.graph.relationships import Relationship
from kgl_core.kernel.permissions import scope_text
from kgl_core.storage.checking.findings import Finding
from kgl_core.storage.checking.inspection import Logged, Row, Subject

T = TypeVar("T")
_SUBJECTS: Final[tuple[Subject, ...]] = ("entity", "relationship")


class SqlInspection:
    """A `kgl_core.storage.checking.inspection.Inspection`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rows = GRAPH_ROWS[session.is_sqlite]
        self._accounts = ACCESS_ROWS[session.is_sqlite]
        self._damaged = DamagedRows(session)

    def size(self) -> Mapping[str, int]:
        tables = {
            "entities": schema.entities,
            "relationships": schema.relationships,
            "changes": schema.changes,
            "users": schema.users,
            "clients": schema.clients,
            "refresh_tokens": schema.refresh_tokens,
            "answers": schema.answers,
            "counters": schema.counters,
        }
        return {
            name: sum(count for (count,) in self._damaged.stream(select(func.count()).select_from(self._table(table))))
            for name, table in tables.items()
        }

    def findings(self, now: datetime) -> Iterator[Finding]:
        is_whole = True
        with self._damaged.translating_errors():
            for finding in checking_structure.findings(self._session):
                is_whole &= finding.code != "missing_table"
                yield finding
        if not is_whole:
            return
        yield from checking_consistency.findings(self._session, self._damaged, now)

    def entities(self) -> Iterator[Row[Entity]]:
        columns = (*ENTITY_COLUMNS, "sort_name")
        return self._read(schema.entities, columns, self._rows.entity)

    def relationships(self) -> Iterator[Row[Relationship]]:
        return self._read(schema.relationships, RELATIONSHIP_COLUMNS, self._rows.relationship)

    def users(self) -> Iterator[Row[User]]:
        return self._read(schema.users, USER_COLUMNS, self._user)

    def clients(self) -> Iterator[Row[Client]]:
        return self._read(schema.clients, CLIENT_COLUMNS, self._client)

    def log(self, subject: Subject) -> Iterator[Logged]:
        table = self._table(schema.changes)
        return self._logged(
            self._changes().where(table.c.subject == subject).order_by(table.c.subject_id, table.c.sequence)
        )

    def strange(self) -> Iterator[Logged]:
        return self._logged(self._changes().where(self._table(schema.changes).c.subject.not_in(_SUBJECTS)))

    def latest(self, subject: Subject, ids: Sequence[UUID]) -> Mapping[UUID, Logged]:
        table = self._table(schema.changes)
        is_one = (table.c.subject == subject) & table.c.subject_id.in_([self._rows.id(id) for id in ids])
        last = select(func.max(table.c.sequence)).where(is_one).group_by(table.c.subject_id)
        found = self._logged(self._changes().where(table.c.sequence.in_(last)))
        return {logged.id: logged for logged in found if logged.id is not None}

    def lock(self, subject: Subject, ids: Sequence[UUID]) -> None:
        table = self._table(schema.entities if subject == "entity" else schema.relationships)
        held = table.c.id.in_([self._rows.id(id) for id in ids])
        self._session.execute(select(table.c.id).where(held).order_by(table.c.id).with_for_update()).all()

    def overwrite(self, record: Entity | Relationship) -> None:
        if isinstance(record, Entity):
            table, values = self._table(schema.entities), self._rows.entity_values(record)
        else:
            table, values = self._table(schema.relationships), self._rows.relationship_values(record)
        held = dict(zip((column.name for column in table.c), values, strict=True))
        self._session.execute(update(table).where(table.c.id == held["id"]).values(held))

    def mend(self, code: str, keys: Sequence[Any]) -> int:
        if code == "stale_sort_name":
            return self._refresh(keys)
        tables = {
            "orphaned_token": (schema.refresh_tokens, "hash"),
            "unusable_answer": (schema.answers, "id"),
            "unusable_counter": (schema.counters, "key"),
        }
        if code not in tables:
            return checking_structure.mend(self._session, code, keys)
        table, name = tables[code]
        table = self._table(table)
        return int(self._session.execute(delete(table).where(table.c[name].in_(keys))).rowcount)

    def close(self) -> None:
        self._damaged.close()

    def _table(self, table: Table) -> Table:
        return schema.table_for(table, is_sqlite=self._session.is_sqlite)

    def _read(self, table: Table, columns: Sequence[str], read: Callable[[Sequence[Any]], T]) -> Iterator[Row[T]]:
        """Rows by id. A column ``sort_name`` is not for ``read``: it is what the store has derived from the others."""
        table = self._table(table)
        has_metadata = "metadata" in columns
        metadata_at = columns.index("metadata") if has_metadata else 0
        has_derived = columns[-1] == "sort_name"
        for row in self._damaged.stream(select(*(table.c[name] for name in columns)).order_by(table.c.id)):
            values = row[:-1] if has_derived else row
            try:
                require_text(row)
                if has_metadata:
                    require_unique_names(row[metadata_at])
                found = Row(self._rows.read_id(row[0]), read(values), derived=row[-1] if has_derived else None)
            except DAMAGED as error:
                found = Row(self._damaged.id(row[0]), None, reason_of(error))
            yield found

    def _changes(self) -> Select[Any]:
        table = self._table(schema.changes)
        return select(
            *(table.c[name] for name in ("subject_id", "sequence", "at", "actor", "action", "subject", "record"))
        )

    def _logged(self, statement: Select[Any]) -> Iterator[Logged]:
        rows = self._rows
        for subject_id, *row in self._damaged.stream(statement):
            try:
                logged = Logged(rows.read_id(subject_id), row[0], rows.change(row))
            except DAMAGED as error:
                logged = Logged(self._damaged.id(subject_id), row[0], None, reason_of(error))
            yield logged

    def _user(self, row: Sequence[Any]) -> User:
        user = self._accounts.user(row)
        if row[USER_COLUMNS.index("is_active")] not in (0, 1):
            raise ValueError("is_active is neither true nor false")
        if not user.password_hash.startswith("$"):  # as every hash in the PHC string format does
            raise ValueError("password_hash is no hash of a password")
        return user

    def _client(self, row: Sequence[Any]) -> Client:
        client = self._accounts.client(row)
        if scope_text(client.scopes) != row[CLIENT_COLUMNS.index("scopes")] or not client.scopes:
            raise ValueError("it has scopes that there are not")
        if len(client.secret_hash) != 32:
            raise ValueError("secret_hash is no hash of a secret")
        return client

    def _refresh(self, ids: Sequence[UUID]) -> int:
        """Compute the sort_name of these entities again; how many were wrong."""
        table = self._table(schema.entities)
        held = [self._rows.id(id) for id in ids]
        names = self._session.execute(
            select(*(table.c[name] for name in (*ENTITY_COLUMNS, "sort_name")))
            .where(table.c.id.in_(held))
            .order_by(table.c.id)
            .with_for_update()
        ).all()
        stale = [
            (row[0], entity.sort_name) for row in names if (entity := self._rows.entity(row[:-1])).sort_name != row[-1]
        ]
        for id, sort_name in stale:
            self._session.execute(update(table).where(table.c.id == id).values(sort_name=sort_name))
        return len(stale)
