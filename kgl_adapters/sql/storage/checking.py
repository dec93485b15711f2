"""A SQL store looked at as a whole: its rows one after the other, and what sets of them must have in common."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

import orjson
from sqlalchemy import ColumnElement, CursorResult, Select, Table, delete, exists, func, or_, select, update
from sqlalchemy.exc import DBAPIError

from kgl_adapters.sql import schema
from kgl_adapters.sql.access.rows import ACCESS_ROWS, CLIENT_COLUMNS, USER_COLUMNS
from kgl_adapters.sql.encoding import UNREADABLE, reason_of
from kgl_adapters.sql.engine.driver_errors import translate
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.graph.rows import ENTITY_COLUMNS, GRAPH_ROWS, RELATIONSHIP_COLUMNS
from kgl_adapters.sql.storage import checking_structure as structure
from kgl_core.access.oauth_clients import Client
from kgl_core.access.users import User
from kgl_core.graph.entities import Entity
from kgl_core.graph.relationships import Relationship
from kgl_core.kernel.idempotency import KEPT_FOR
from kgl_core.kernel.permissions import scope_text
from kgl_core.kernel.store_errors import StoreFault, StoreUnavailable, UnreadableRow
from kgl_core.storage.checking.findings import Finding
from kgl_core.storage.checking.inspection import COUNTER_ENDS_WITHIN, Logged, Row, Subject

T = TypeVar("T")
_AT_ONCE: Final = 1_000
"""How many rows are fetched at a time."""
_DAMAGED: Final = (*UNREADABLE, UnreadableRow)
_ENDS_WITHIN: Final = timedelta(days=3660)
"""No token or revocation ends later than this."""
_STRAY_BYTE: Final = re.compile("[\ud800-\udfff]")
_SUBJECTS: Final[tuple[Subject, ...]] = ("entity", "relationship")
_REFERENCES: Final = {"entity_relationships": "missing_end", "refresh_tokens": "orphaned_token"}
"""The kind of a reference to nothing, by the table that has it; others are broken_reference."""


class SqlInspection:
    """A `kgl_core.storage.checking.inspection.Inspection`."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rows = GRAPH_ROWS[session.is_sqlite]
        self._accounts = ACCESS_ROWS[session.is_sqlite]
        self._open: set[CursorResult[Any]] = set()
        self._streams = 0

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
            name: sum(count for (count,) in self._stream(select(func.count()).select_from(self._on(table))))
            for name, table in tables.items()
        }

    def findings(self, now: datetime) -> Iterator[Finding]:
        is_whole = True
        with self._damage_told():
            for finding in structure.findings(self._session):
                is_whole &= finding.code != "missing_table"
                yield finding
        if not is_whole:
            return
        yield from self._broken_references()
        yield from self._not_unique()
        yield from self._active_with_deleted_end()
        yield from self._unusable_answers()
        yield from self._unusable_counters(now)
        yield from self._endless_rows(now)
        yield from self._misplaced_changes()

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
        table = self._on(schema.changes)
        return self._logged(
            self._changes().where(table.c.subject == subject).order_by(table.c.subject_id, table.c.sequence)
        )

    def strange(self) -> Iterator[Logged]:
        return self._logged(self._changes().where(self._on(schema.changes).c.subject.not_in(_SUBJECTS)))

    def latest(self, subject: Subject, ids: Sequence[UUID]) -> Mapping[UUID, Logged]:
        table = self._on(schema.changes)
        is_one = (table.c.subject == subject) & table.c.subject_id.in_([self._rows.id(id) for id in ids])
        last = select(func.max(table.c.sequence)).where(is_one).group_by(table.c.subject_id)
        found = self._logged(self._changes().where(table.c.sequence.in_(last)))
        return {logged.id: logged for logged in found if logged.id is not None}

    def lock(self, subject: Subject, ids: Sequence[UUID]) -> None:
        table = self._on(schema.entities if subject == "entity" else schema.relationships)
        held = table.c.id.in_([self._rows.id(id) for id in ids])
        self._session.execute(select(table.c.id).where(held).order_by(table.c.id).with_for_update()).all()

    def overwrite(self, record: Entity | Relationship) -> None:
        if isinstance(record, Entity):
            table, values = self._on(schema.entities), self._rows.entity_values(record)
        else:
            table, values = self._on(schema.relationships), self._rows.relationship_values(record)
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
            return structure.mend(self._session, code, keys)
        table, name = tables[code]
        table = self._on(table)
        return int(self._session.execute(delete(table).where(table.c[name].in_(keys))).rowcount)

    def close(self) -> None:
        while self._open:
            self._open.pop().close()

    def _on(self, table: Table) -> Table:
        return schema.on(table, is_sqlite=self._session.is_sqlite)

    def _stream(self, statement: Select[Any]) -> Iterator[Sequence[Any]]:
        """The rows, fetched as they are asked for."""
        with self._damage_told(), self._any_text():
            found = self._session.execute(statement.execution_options(yield_per=_AT_ONCE))
            self._open.add(found)
            try:
                yield from found
            finally:
                if found in self._open:
                    self._open.discard(found)
                    found.close()

    @contextmanager
    def _any_text(self) -> Iterator[None]:
        """In the block, SQLite's text that is not UTF-8 is read all the same, as text that can't be written.

        Else none of the rows that are fetched with it could be read.
        """
        if not self._session.is_sqlite:
            yield
            return
        driver: Any = self._session.connection.connection.driver_connection
        self._streams += 1
        driver.text_factory = _any_text
        try:
            yield
        finally:
            self._streams -= 1
            if not self._streams:
                driver.text_factory = str

    @contextmanager
    def _damage_told(self) -> Iterator[None]:
        """Reading goes on in the block. SQLite has no server that could be away: what it can't read is damaged."""
        try:
            yield
        except (DBAPIError, StoreUnavailable) as error:
            ours = translate(error, self._session.where) if isinstance(error, DBAPIError) else error
            if self._session.is_sqlite and isinstance(ours, StoreUnavailable):
                raise StoreFault(str(ours)) from error
            raise ours from error

    def _read(self, table: Table, columns: Sequence[str], read: Callable[[Sequence[Any]], T]) -> Iterator[Row[T]]:
        """Rows by id. A column after those that ``read`` takes is what is derived of them."""
        table = self._on(table)
        has_metadata = "metadata" in columns
        place = columns.index("metadata") if has_metadata else 0
        has_derived = columns[-1] == "sort_name"
        for row in self._stream(select(*(table.c[name] for name in columns)).order_by(table.c.id)):
            values = row[:-1] if has_derived else row
            try:
                _require_text(row)
                if has_metadata:
                    _require_unique_names(row[place])
                found = Row(self._rows.read_id(row[0]), read(values), derived=row[-1] if has_derived else None)
            except _DAMAGED as error:
                found = Row(self._id(row[0]), None, reason_of(error))
            yield found

    def _changes(self) -> Select[Any]:
        table = self._on(schema.changes)
        return select(
            *(table.c[name] for name in ("subject_id", "sequence", "at", "actor", "action", "subject", "record"))
        )

    def _logged(self, statement: Select[Any]) -> Iterator[Logged]:
        rows = self._rows
        for subject_id, *row in self._stream(statement):
            try:
                logged = Logged(rows.read_id(subject_id), row[0], rows.change(row))
            except _DAMAGED as error:
                logged = Logged(self._id(subject_id), row[0], None, reason_of(error))
            yield logged

    def _id(self, value: Any) -> UUID | None:
        try:
            return self._rows.read_id(value)
        except _DAMAGED:
            return None

    def _instant(self, value: Any) -> datetime | None:
        try:
            return self._rows.read_instant(value)
        except _DAMAGED:
            return None

    def _broken_references(self) -> Iterator[Finding]:
        """What refers to a row that does not exist, for each foreign key of the schema."""
        for table in (schema.sqlite_metadata if self._session.is_sqlite else schema.metadata).sorted_tables:
            [key] = table.primary_key.columns
            for reference in table.foreign_keys:
                column, parent = reference.parent, reference.column
                is_broken = column.is_not(None) & ~exists().where(parent == column).correlate(table)
                for id, value in self._stream(select(key, column).where(is_broken)):
                    code = _REFERENCES.get(table.name, "broken_reference")
                    at = f"{table.name} {_shown(id)}, {column.name} {_shown(value)}"
                    yield Finding(code, at, id)

    def _not_unique(self) -> Iterator[Finding]:
        """What two rows hold and only one may, for each unique index of the schema."""
        for table in (schema.sqlite_metadata if self._session.is_sqlite else schema.metadata).sorted_tables:
            for index in table.indexes:
                if not index.unique:
                    continue
                condition = index.dialect_options["sqlite" if self._session.is_sqlite else "postgresql"]["where"]
                columns = [table.c[column.name] for column in index.columns]
                statement = select(*columns, func.count()).group_by(*columns).having(func.count() > 1)
                for *values, count in self._stream(statement if condition is None else statement.where(condition)):
                    pairs = (f"{c.name} {_shown(value)}" for c, value in zip(columns, values, strict=True))
                    yield Finding("not_unique", f"{count} {table.name} with {', '.join(pairs)}")

    def _active_with_deleted_end(self) -> Iterator[Finding]:
        table, entities = self._on(schema.relationships), self._on(schema.entities)

        def is_deleted(end: ColumnElement[Any]) -> ColumnElement[bool]:
            return end.in_(select(entities.c.id).where(entities.c.deleted_at.is_not(None)))

        has_deleted_end = or_(is_deleted(table.c.source_entity_id), is_deleted(table.c.target_entity_id))
        for (id,) in self._stream(select(table.c.id).where(table.c.deleted_at.is_(None), has_deleted_end)):
            yield Finding("active_with_deleted_end", f"relationship {_shown(id)}", self._id(id))

    def _unusable_answers(self) -> Iterator[Finding]:
        table = self._on(schema.answers)
        columns = (table.c.id, func.length(table.c.fingerprint), table.c.created_at, table.c.expires_at)
        for id, length, created_at, expires_at in self._stream(select(*columns)):
            begin, end = self._instant(created_at), self._instant(expires_at)
            is_kept = begin is not None and end is not None and timedelta(0) < end - begin <= KEPT_FOR
            if len(id) != 32 or length != 32 or not is_kept:
                yield Finding("unusable_answer", f"answer {_shown(id)}", id)

    def _unusable_counters(self, now: datetime) -> Iterator[Finding]:
        table = self._on(schema.counters)
        latest = now + COUNTER_ENDS_WITHIN
        for key, count, expires_at in self._stream(select(table.c.key, table.c["count"], table.c.expires_at)):
            end = self._instant(expires_at)
            if len(key) != 32 or count < 1 or end is None or end > latest:
                yield Finding("unusable_counter", f"counter {_shown(key)}", key)

    def _endless_rows(self, now: datetime) -> Iterator[Finding]:
        for what, table in (("refresh token", schema.refresh_tokens), ("revocation", schema.revocations)):
            on = self._on(table)
            [key] = on.primary_key.columns
            for id, expires_at in self._stream(select(key, on.c.expires_at)):
                end = self._instant(expires_at)
                if end is None or end > now + _ENDS_WITHIN:
                    yield Finding("endless_row", f"{what} {_shown(id)}")

    def _misplaced_changes(self) -> Iterator[Finding]:
        number = self._on(schema.changes).c.sequence
        for (sequence,) in self._stream(select(number).where((number < 1) | (number > structure.SEQUENCE_MAX))):
            yield Finding("misplaced_change", f"change {sequence}")

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
        """Make the sort_name of these entities anew."""
        table = self._on(schema.entities)
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


def _shown(value: Any) -> str:
    """A value for people: ids as they are written everywhere, hashes in hexadecimal."""
    if isinstance(value, bytes):
        return str(UUID(bytes=value)) if len(value) == 16 else value.hex()
    return str(value)


def _require_unique_names(metadata: str) -> None:
    """Raise ValueError where an object in this JSON has a name twice; of these, decoding keeps only one."""
    if len(orjson.dumps(orjson.loads(metadata))) != len(metadata.encode()):  # nearly all is kept as it is written
        json.loads(metadata, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("its metadata has a name twice")
    return made


def _any_text(stored: bytes) -> str:
    return stored.decode("utf-8", "surrogateescape")


def _require_text(row: Sequence[Any]) -> None:
    """Raise ValueError where text is not UTF-8; see `_any_text`."""
    for value in row:
        if type(value) is str and not value.isascii() and _STRAY_BYTE.search(value):
            raise ValueError("it holds text that is not UTF-8")
