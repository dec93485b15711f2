"""Finds records by values that identify them, one or thousands at a time, and may lock them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ARRAY, Column, ColumnElement, Select, Table, Text, Uuid, any_, bindparam, func, select, text

from kgl_adapters.sql.engine.queries import Query
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.kernel.json_columns import write_json
from kgl_adapters.sql.types import BYTES, TEXT
from kgl_core.kernel.nouns.repositories import Lock

_ID_BYTES: Final = 16
Combinations = Sequence[tuple[UUID | str, ...]]
"""The values to look rows up by: each tuple has one for each column."""


class Finder:
    """Finds the rows whose ``by`` columns have one of many combinations of values.

    PostgreSQL locks rows in the order of their ids; they cannot change until the transaction ends. ``share`` lets
    others lock them in the same way. SQLite has nothing to lock: there is one writer at a time.
    """

    def __init__(
        self,
        table: Table,
        columns: Sequence[ColumnElement[Any]],
        by: Sequence[Column[Any]],
        lock: Lock = None,
        condition: ColumnElement[bool] | None = None,
    ) -> None:
        is_sqlite = table.schema is None
        statement = select(*columns) if is_sqlite else locking(select(*columns), table, lock)
        if condition is not None:
            statement = statement.where(condition)
        one = [column == bindparam(f"value_{i}", type_=column.type) for i, column in enumerate(by)]
        many = _in_list(by) if is_sqlite else [text(_in_arrays(by))]
        self._one = Query(statement.where(*one), is_sqlite=is_sqlite)
        self._many = Query(statement.where(*many), is_sqlite=is_sqlite)

    def find(self, session: Session, values: Combinations) -> list[Sequence[Any]]:
        """The rows that have any of ``values``."""
        if not values:
            return []
        if len(values) == 1:
            parameters = {f"value_{i}": session.encoding.value(value) for i, value in enumerate(values[0])}
            return [*session.fetch(self._one, parameters)]
        return [*session.fetch(self._many, _list(values) if session.is_sqlite else _arrays(values))]


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
        statement = locking(select(*columns), table, lock).where(text(f"{table.fullname}.id = ANY(ARRAY({ids}))"))
        self._query = Query(statement, is_sqlite=False)

    def find(self, session: Session, ids: Collection[UUID], values: Combinations) -> list[Sequence[Any]]:
        """The rows with these ids or values, of which there must be some."""
        return [*session.fetch(self._query, {"ids": array([*ids]), **_arrays(values)})]


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


def id_at(name: str, place: ColumnElement[int]) -> ColumnElement[Any]:
    """The id at a place, from 0, in a parameter of SQLite's that `joined` made."""
    return func.substr(bindparam(name, type_=BYTES), place * _ID_BYTES + 1, _ID_BYTES)


def joined(ids: Iterable[UUID]) -> bytes:
    """Ids as one value for SQLite, 16 bytes each."""
    return b"".join([id.bytes for id in ids])


def _in_arrays(by: Sequence[Column[Any]]) -> str:
    """PostgreSQL's condition for many values: one array for each column, so that the SQL is always the same."""
    arrays = [f"CAST(:values_{i} AS {'uuid' if isinstance(c.type, Uuid) else 'text'}[])" for i, c in enumerate(by)]
    if len(by) == 1:
        return f"{by[0].table.fullname}.{by[0].name} = ANY({arrays[0]})"
    names = ", ".join(f"{column.table.fullname}.{column.name}" for column in by)
    return f"({names}) IN (SELECT * FROM unnest({', '.join(arrays)}))"  # noqa: S608  # names of our own


def _in_list(by: Sequence[Column[Any]]) -> list[ColumnElement[bool]]:
    """SQLite's conditions for many values, so that one statement finds all: it takes less than half of the time.

    The texts of each are an element of a JSON array. The ids of each column are joined.
    """
    each = func.json_each(bindparam("texts", type_=Text())).table_valued("key", "value", name="each")
    texts = [place for place, column in enumerate(by) if not isinstance(column.type, Uuid)]

    def value(place: int) -> ColumnElement[Any]:
        if place not in texts:
            return id_at(f"ids_{place}", each.c.key)
        return each.c.value if len(texts) == 1 else func.json_extract(each.c.value, f"$[{texts.index(place)}]")

    return [column == value(place) for place, column in enumerate(by)]


def _list(values: Combinations) -> dict[str, str | bytes]:
    """The parameters of `_in_list`."""
    parameters: dict[str, str | bytes] = {}
    texts: list[Sequence[UUID | str]] = []
    for place, column in enumerate(zip(*values, strict=True)):
        if isinstance(column[0], UUID):
            parameters[f"ids_{place}"] = joined(column)
        else:
            texts.append(column)
    if len(texts) == 1:
        parameters["texts"] = write_json(texts[0])
    else:
        parameters["texts"] = write_json([*zip(*texts, strict=True)] if texts else [0] * len(values))
    return parameters


def _arrays(values: Combinations) -> dict[str, str]:
    return {f"values_{i}": array(column) for i, column in enumerate(zip(*values, strict=True))}


def array(values: Sequence[UUID | str]) -> str:
    """An array in PostgreSQL's notation. The driver needs three times as long."""
    if not values or isinstance(values[0], UUID):
        return "{" + ",".join([value.hex for value in values if isinstance(value, UUID)]) + "}"
    quoted = (str(value).replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return '{"' + '","'.join(quoted) + '"}'
