"""Parts of statements that several tables share: pages, scans, and deleting what has expired."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Table, bindparam, delete, select, tuple_
from sqlalchemy.sql.dml import ReturningDelete

from kgl_adapters.sql.engine.encoding import Encoding
from kgl_core.kernel.nouns.pages import Position


def order_page(
    statement: Select[Any],
    table: Table,
    column: ColumnElement[Any],
    sort: str,
    *,
    is_after: bool,
    is_unique: bool = False,
) -> Select[Any]:
    """The statement ordered by ``column`` and id, descending if ``sort`` begins with -.

    With ``is_after``, it begins after the `position_parameters`. With ``is_unique``, the column needs no id beside it.
    """
    by = [column] if is_unique else [column, table.c.id]
    is_descending = sort.startswith("-")
    statement = statement.order_by(*(each.desc() if is_descending else each for each in by))
    if not is_after:
        return statement
    place = [bindparam(name, type_=each.type) for name, each in zip(("after", "after_id"), by, strict=False)]
    here: ColumnElement[Any] = column if is_unique else tuple_(*by)
    there: ColumnElement[Any] = place[0] if is_unique else tuple_(*place)
    return statement.where(here < there if is_descending else here > there)


def position_parameters(after: Position | None, encoding: Encoding) -> dict[str, Any]:
    """The parameters of a page that begins after this position."""
    if after is None:
        return {}
    value, id = after
    return {"after": encoding.value(value), "after_id": encoding.id(id)}


def scanned(
    statement: Select[Any], table: Table, after: UUID | None, limit: int, encoding: Encoding
) -> tuple[Select[Any], dict[str, Any]]:
    """The statement for up to ``limit`` rows by id, past ``after``, and its parameters."""
    statement = statement.order_by(table.c.id).limit(bindparam("limit"))
    if after is None:
        return statement, {"limit": limit}
    place = bindparam("after_id", type_=table.c.id.type)
    return statement.where(table.c.id > place), {"limit": limit, "after_id": encoding.id(after)}


def deleting_expired(table: Table, key: ColumnElement[Any]) -> ReturningDelete[Any]:
    """A DELETE of up to :limit rows that have expired at :now, the oldest first, that returns their ``key``.

    It skips rows that somebody else has locked, so it waits for nobody.
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
