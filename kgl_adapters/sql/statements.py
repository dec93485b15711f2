"""How statements are put together that several tables share: the parts of listings, and forgetting what expired."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, bindparam, delete, select, tuple_
from sqlalchemy.sql.dml import ReturningDelete

from kgl_adapters.sql.rows import Rows
from kgl_core.pages import Position
from kgl_core.provenance import RecordFilter


def restricted(
    statement: Select[Any], table: Table, filter: RecordFilter, rows: Rows
) -> tuple[Select[Any], dict[str, Any]]:
    """The statement with the conditions that entities and relationships share, and their parameters."""
    columns = table.c
    conditions: dict[str, ColumnElement[bool]] = {
        "min_confidence": columns.confidence >= bindparam("min_confidence"),
        "max_confidence": columns.confidence <= bindparam("max_confidence"),
        "source": columns.source == bindparam("source"),
        "source_type": columns.source_type == bindparam("source_type"),
        "created_after": columns.created_at > bindparam("created_after", type_=columns.created_at.type),
        "created_before": columns.created_at < bindparam("created_before", type_=columns.created_at.type),
        "updated_after": columns.updated_at > bindparam("updated_after", type_=columns.updated_at.type),
        "updated_before": columns.updated_at < bindparam("updated_before", type_=columns.updated_at.type),
    }
    parameters: dict[str, Any] = {}
    for name, condition in conditions.items():
        value = getattr(filter, name)
        if value is not None:
            statement = statement.where(condition)
            parameters[name] = rows.instant(value) if isinstance(value, datetime) else value
    if filter.is_active is not None:
        statement = statement.where(
            columns.deleted_at.is_(None) if filter.is_active else columns.deleted_at.is_not(None)
        )
    return statement, parameters


def one_of(
    statement: Select[Any], column: ColumnElement[Any], name: str, values: Sequence[str]
) -> tuple[Select[Any], dict[str, Any]]:
    """The statement restricted to rows whose column holds one of ``values``, or not at all when there are none."""
    if not values:
        return statement, {}
    if len(values) == 1:  # an index can give the order only where there is one value
        return statement.where(column == bindparam(name)), {name: values[0]}
    return statement.where(column.in_(bindparam(name, expanding=True))), {name: list(values)}


def paged(
    statement: Select[Any],
    table: Table,
    column: ColumnElement[Any],
    sort: str,
    after: Position | None,
    limit: int,
    rows: Rows,
) -> tuple[Select[Any], dict[str, Any]]:
    """The statement ordered by ``column`` and id, descending where ``sort`` begins with -, past ``after``."""
    is_descending = sort.startswith("-")
    order = (column.desc(), table.c.id.desc()) if is_descending else (column, table.c.id)
    statement = statement.order_by(*order).limit(bindparam("limit"))
    parameters: dict[str, Any] = {"limit": limit}
    if after is not None:
        value, id = after
        parameters |= {"after": rows.instant(value) if isinstance(value, datetime) else value, "after_id": rows.id(id)}
        place = tuple_(bindparam("after", type_=column.type), bindparam("after_id", type_=table.c.id.type))
        here = tuple_(column, table.c.id)
        statement = statement.where(here < place if is_descending else here > place)
    return statement, parameters


def scanned(
    statement: Select[Any], table: Table, after: UUID | None, limit: int, rows: Rows
) -> tuple[Select[Any], dict[str, Any]]:
    """The statement ordered by id, past ``after``."""
    statement = statement.order_by(table.c.id).limit(bindparam("limit"))
    if after is None:
        return statement, {"limit": limit}
    place = bindparam("after_id", type_=table.c.id.type)
    return statement.where(table.c.id > place), {"limit": limit, "after_id": rows.id(after)}


def deleting_expired(table: Table, key: ColumnElement[Any]) -> ReturningDelete[Any]:
    """Deletes up to :limit rows that have expired at :now, those first that did first, and returns their ``key``.

    It passes over rows that somebody else has locked, and so waits for nobody.
    """
    expires_at = table.c.expires_at
    found = (
        select(key)
        .where(expires_at <= bindparam("now", type_=expires_at.type))
        .order_by(expires_at)
        .limit(bindparam("limit"))
        .with_for_update(skip_locked=True)
        .cte("expired")
    )
    return delete(table).where(key.in_(select(found))).returning(key)
