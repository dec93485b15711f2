"""Finds records by values that identify them, one or thousands at a time, and may lock them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Column, ColumnElement, Select, Table, Text, Uuid, any_, bindparam, func, select, text

from kgl_adapters.sql.engine.queries import Query
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.kernel.json_columns import write_json
from kgl_adapters.sql.types import TEXT
from kgl_core.kernel.nouns.repositories import Lock

Combinations = Sequence[tuple[UUID | str, ...]]
"""The values to look rows up by: each tuple has one for each column."""


class Finder:
    """Finds the rows whose ``by`` columns have one of many combinations of values, in the order of their ids.

    Locked rows cannot change until the transaction ends; ``share`` lets others lock them in the same way.
    """

    def __init__(
        self,
        table: Table,
        columns: Sequence[ColumnElement[Any]],
        by: Sequence[Column[Any]],
        lock: Lock = None,
        condition: ColumnElement[bool] | None = None,
    ) -> None:
        statement = locking(select(*columns), table, lock)
        if condition is not None:
            statement = statement.where(condition)
        is_sqlite = table.schema is None
        one = [column == bindparam(f"value_{i}", type_=column.type) for i, column in enumerate(by)]
        self._one = Query(statement.where(*one), is_sqlite=is_sqlite)
        if not is_sqlite:
            self._many = Query(statement.where(text(_in_arrays(by))), is_sqlite=False)

    def find(self, session: Session, values: Combinations) -> list[Sequence[Any]]:
        """The rows that have any of ``values``."""
        if not values:
            return []
        if len(values) == 1:
            parameters = {f"value_{i}": session.encoding.value(value) for i, value in enumerate(values[0])}
            return [*session.fetch(self._one, parameters)]
        if session.is_sqlite:
            return [*session.lookup(self._one.text, [tuple(map(session.encoding.value, value)) for value in values])]
        return [*session.fetch(self._many, _arrays(values))]


class LockingFinder:
    """Finds rows by their ids or by values of the ``by`` columns, active and deleted, and locks them; on PostgreSQL.

    One statement locks all of them in the order of their ids, so that two that name the same rows differently do not
    wait for each other. It resolves the values to ids first. A row that it had to wait for is returned as it is then,
    perhaps with other values.
    """

    def __init__(
        self, table: Table, columns: Sequence[ColumnElement[Any]], by: Sequence[Column[Any]], lock: Lock
    ) -> None:
        found = f"SELECT id FROM {table.fullname} WHERE {_in_arrays(by)}"  # noqa: S608  # our names
        if "deleted_at" in table.c:  # then what is unique has a partial index for each state
            found = f"{found} AND deleted_at IS NULL UNION ALL {found} AND deleted_at IS NOT NULL"
        ids = f"SELECT unnest(CAST(:ids AS uuid[])) UNION ALL {found}"
        self._statement = locking(select(*columns), table, lock).where(text(f"{table.fullname}.id = ANY(ARRAY({ids}))"))

    def find(self, session: Session, ids: Collection[UUID], values: Combinations) -> list[Sequence[Any]]:
        """The rows with these ids or values, of which there must be some."""
        return list(session.execute(self._statement, {"ids": array(list(ids)), **_arrays(values)}))


def locking(statement: Select[Any], table: Table, lock: Lock) -> Select[Any]:
    """The statement with its rows locked in the order of their ids, as everyone does who locks several."""
    if lock is None:
        return statement
    statement = statement.order_by(table.c.id)
    if lock == "share":
        return statement.with_for_update(read=True, of=table)
    return statement.with_for_update(key_share=True, of=table)


def among(column: ColumnElement[Any], name: str, *, is_sqlite: bool) -> ColumnElement[bool]:
    """Whether a text is one of those in the parameter ``name``, which `texts` makes; the SQL is always the same."""
    if is_sqlite:
        return column.in_(select(func.json_each(bindparam(name, type_=Text())).table_valued("value").c.value))
    return column == any_(bindparam(name, type_=ARRAY(TEXT)))


def texts(values: Sequence[str], *, is_sqlite: bool) -> Any:
    """The parameter that `among` takes."""
    return write_json(values) if is_sqlite else [*values]


def _in_arrays(by: Sequence[Column[Any]]) -> str:
    """PostgreSQL's condition for many values: one array for each column, so that the SQL is always the same."""
    arrays = [f"CAST(:values_{i} AS {'uuid' if isinstance(c.type, Uuid) else 'text'}[])" for i, c in enumerate(by)]
    if len(by) == 1:
        return f"{by[0].table.fullname}.{by[0].name} = ANY({arrays[0]})"
    names = ", ".join(f"{column.table.fullname}.{column.name}" for column in by)
    return f"({names}) IN (SELECT * FROM unnest({', '.join(arrays)}))"  # noqa: S608  # names of our own


def _arrays(values: Combinations) -> dict[str, str]:
    return {f"values_{i}": array(column) for i, column in enumerate(zip(*values, strict=True))}


def array(values: Sequence[UUID | str]) -> str:
    """An array in PostgreSQL's notation. The driver needs three times as long."""
    if not values or isinstance(values[0], UUID):
        return "{" + ",".join([value.hex for value in values if isinstance(value, UUID)]) + "}"
    quoted = (str(value).replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return '{"' + '","'.join(quoted) + '"}'
