"""Checks how rows fit together, such as whether what they refer to exists: each check is a query of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, or_, select

from kgl_adapters.sql.access.tables import COUNTERS, REFRESH_TOKENS, REVOCATIONS
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.graph.tables import CHANGES, ENTITIES, RELATIONSHIPS
from kgl_adapters.sql.kernel.idempotency import ANSWERS
from kgl_adapters.sql.schema import SCHEMA
from kgl_adapters.sql.storage import checking_structure
from kgl_adapters.sql.storage.damaged_rows import DamagedRows
from kgl_core.kernel.idempotency import KEPT_FOR
from kgl_core.storage.checking.findings import Finding
from kgl_core.storage.checking.inspection import COUNTER_ENDS_WITHIN

_ENDS_WITHIN: Final = timedelta(days=3660)
"""No token or revocation ends later than this."""
_REFERENCES: Final = {"entity_relationships": "missing_end", "refresh_tokens": "orphaned_token"}
"""The code of a finding by the table whose row refers to nothing; other tables have broken_reference."""


def findings(session: Session, rows: DamagedRows, now: datetime) -> Iterator[Finding]:
    """What does not fit together. All tables and columns must be there."""
    yield from _broken_references(session, rows)
    yield from _not_unique(session, rows)
    yield from _active_with_deleted_end(session, rows)
    yield from _unusable_answers(session, rows)
    yield from _unusable_counters(session, rows, now)
    yield from _endless_rows(session, rows, now)
    yield from _misplaced_changes(session, rows)


def _broken_references(session: Session, rows: DamagedRows) -> Iterator[Finding]:
    """Rows that refer to a row that does not exist, by any foreign key."""
    for table in SCHEMA[session.is_sqlite].sorted_tables:
        for reference in table.foreign_keys:
            [key] = table.primary_key.columns
            column, parent = reference.parent, reference.column
            is_broken = column.is_not(None) & ~exists().where(parent == column).correlate(table)
            for id, value in rows.stream(select(key, column).where(is_broken)):
                code = _REFERENCES.get(table.name, "broken_reference")
                at = f"{table.name} {_shown(id)}, {column.name} {_shown(value)}"
                yield Finding(code, at, id)


def _not_unique(session: Session, rows: DamagedRows) -> Iterator[Finding]:
    """Values that several rows have and only one may, by any unique index."""
    for table in SCHEMA[session.is_sqlite].sorted_tables:
        for index in table.indexes:
            if not index.unique:
                continue
            condition = index.dialect_options["sqlite" if session.is_sqlite else "postgresql"]["where"]
            columns = [table.c[column.name] for column in index.columns]
            statement = select(*columns, func.count()).group_by(*columns).having(func.count() > 1)
            for *values, count in rows.stream(statement if condition is None else statement.where(condition)):
                pairs = (f"{c.name} {_shown(value)}" for c, value in zip(columns, values, strict=True))
                yield Finding("not_unique", f"{count} {table.name} with {', '.join(pairs)}")


def _active_with_deleted_end(session: Session, rows: DamagedRows) -> Iterator[Finding]:
    table, entities = RELATIONSHIPS[session.is_sqlite], ENTITIES[session.is_sqlite]

    def is_deleted(end: ColumnElement[Any]) -> ColumnElement[bool]:
        return end.in_(select(entities.c.id).where(entities.c.deleted_at.is_not(None)))

    has_deleted_end = or_(is_deleted(table.c.source_entity_id), is_deleted(table.c.target_entity_id))
    for (id,) in rows.stream(select(table.c.id).where(table.c.deleted_at.is_(None), has_deleted_end)):
        yield Finding("active_with_deleted_end", f"relationship {_shown(id)}", rows.id(id))


def _unusable_answers(session: Session, rows: DamagedRows) -> Iterator[Finding]:
    table = ANSWERS[session.is_sqlite]
    columns = (table.c.id, func.length(table.c.fingerprint), table.c.created_at, table.c.expires_at)
    for id, length, created_at, expires_at in rows.stream(select(*columns)):
        begin, end = rows.instant(created_at), rows.instant(expires_at)
        is_kept = begin is not None and end is not None and timedelta(0) < end - begin <= KEPT_FOR
        if len(id) != 32 or length != 32 or not is_kept:
            yield Finding("unusable_answer", f"answer {_shown(id)}", id)


def _unusable_counters(session: Session, rows: DamagedRows, now: datetime) -> Iterator[Finding]:
    table = COUNTERS[session.is_sqlite]
    latest = now + COUNTER_ENDS_WITHIN
    for key, count, expires_at in rows.stream(select(table.c.key, table.c["count"], table.c.expires_at)):
        end = rows.instant(expires_at)
        if len(key) != 32 or count < 0 or end is None or end > latest:
            yield Finding("unusable_counter", f"counter {_shown(key)}", key)


def _endless_rows(session: Session, rows: DamagedRows, now: datetime) -> Iterator[Finding]:
    for what, tables in (("refresh token", REFRESH_TOKENS), ("revocation", REVOCATIONS)):
        expiring = tables[session.is_sqlite]
        [key] = expiring.primary_key.columns
        for id, expires_at in rows.stream(select(key, expiring.c.expires_at)):
            end = rows.instant(expires_at)
            if end is None or end > now + _ENDS_WITHIN:
                yield Finding("endless_row", f"{what} {_shown(id)}")


def _misplaced_changes(session: Session, rows: DamagedRows) -> Iterator[Finding]:
    number = CHANGES[session.is_sqlite].c.sequence
    for (sequence,) in rows.stream(select(number).where((number < 1) | (number > checking_structure.SEQUENCE_MAX))):
        yield Finding("misplaced_change", f"change {sequence}")


def _shown(value: Any) -> str:
    """A value for people: ids as they are written everywhere, hashes in hexadecimal."""
    if isinstance(value, bytes):
        return str(UUID(bytes=value)) if len(value) == 16 else value.hex()
    return str(value)
