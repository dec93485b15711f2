"""The statements on a noun's table, and the conversions of its rows: made once for each kind of database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Final, Generic, Protocol, TypeVar

from sqlalchemy import Column, ColumnElement, Select, bindparam, delete, func, literal_column, select, update

from kgl_adapters.sql.engine.queries import Query
from kgl_adapters.sql.kernel.listings import Listing
from kgl_adapters.sql.kernel.lookups import Finder, LockingFinder
from kgl_adapters.sql.kernel.row_forms import compile_json_reader, compile_line_reader, compile_reader, compile_writer
from kgl_adapters.sql.kernel.tables import TABLES
from kgl_core.kernel.nouns.json_records import JsonRecord
from kgl_core.kernel.nouns.noun import Noun
from kgl_core.kernel.nouns.records import Kept
from kgl_core.kernel.nouns.repositories import Lock

R = TypeVar("R", bound=Kept)
R_contra = TypeVar("R_contra", contravariant=True)
F = TypeVar("F")
V = TypeVar("V")
LOCKS: Final[tuple[Lock, ...]] = (None, "update", "share")


class RowsBeside(Protocol[R_contra]):
    """Rows of another table that go with a record."""

    def adding(self, record: R_contra, /) -> tuple[str, tuple[Any, ...]] | None:
        """PostgreSQL's statement that adds them, of which there are few, and its values; None if there are no rows."""


class NounTable(Generic[R, F, V]):
    """A noun's table. ``write`` gives the values of the ``inserted`` columns, ``read`` takes those of ``columns``.

    ``derive`` gives the values of what is derived alone. ``beside`` are the rows that are added with a record's.
    """

    beside: RowsBeside[R] | None = None

    def __init__(self, noun: Noun[R, Any, F, V], *, is_sqlite: bool) -> None:
        self.noun, self.table = noun, TABLES[noun][is_sqlite]
        table = self.table
        self.columns: Sequence[Column[Any]] = [table.c[name] for name in noun.field_names]
        self.write: Callable[[R], tuple[Any, ...]] = compile_writer(
            (*noun.fields, *noun.derived_fields), is_sqlite=is_sqlite
        )
        self.derive: Callable[[R], tuple[Any, ...]] = compile_writer(
            noun.derived_fields, is_sqlite=is_sqlite, compares=True
        )
        self.read: Callable[[Sequence[Any]], R] = compile_reader(
            noun.record, noun.fields, table.name, is_sqlite=is_sqlite
        )
        if noun.is_deletable:
            self.read_json: Callable[[Sequence[Any]], JsonRecord] = compile_json_reader(noun, is_sqlite=is_sqlite)
            self.pass_json = self.read_json if is_sqlite else compile_json_reader(noun, is_sqlite=False, passes=True)
        self.inserted = (*noun.field_names, *noun.derived)
        self.updated = tuple(name for name in self.inserted if name not in noun.kept)
        self.select = select(*self.columns)
        self.listing = Listing(noun, table, self.columns, is_sqlite=is_sqlite)
        self.get = Query(self.select.where(table.c.id == bindparam("id")), is_sqlite=is_sqlite)
        self.by_id = (
            dict.fromkeys(LOCKS, Finder(table, self.columns, [table.c.id]))
            if is_sqlite
            else {lock: Finder(table, self.columns, [table.c.id], lock) for lock in LOCKS}
        )
        unique = [] if noun.unique is None else [table.c[name] for name in noun.unique.fields]
        self.by_value = self.finders(self.columns, unique)
        self.locking: dict[Lock, LockingFinder] = {}
        if unique and not is_sqlite:
            self.locking = {lock: LockingFinder(table, self.columns, unique, lock) for lock in LOCKS if lock}
        if unique:
            has_value = [column == bindparam(f"value_{n}", type_=column.type) for n, column in enumerate(unique)]
            state = [self.is_active] if noun.is_deletable else []
            self.get_by = Query(self.select.where(*has_value, *state), is_sqlite=is_sqlite)
        at_id = table.c.id == bindparam("at_id")
        is_earlier = [table.c.version < bindparam("version")] if noun.is_versioned else []
        replaced = update(table).where(at_id, *is_earlier).values({name: bindparam(name) for name in self.updated})
        self.replace = Query(replaced, is_sqlite=is_sqlite)
        self.delete = delete(table).where(at_id)
        self.count = select(func.count()).select_from(table)
        if noun.is_deletable:
            is_deleted = table.c.deleted_at.is_not(None)
            self.any_deleted: Select[Any] = select(literal_column("1")).where(is_deleted).limit(1)
            self.count_deleted = self.count.where(is_deleted)
        if noun.type_field is not None:
            type_ = table.c[noun.type_field]
            is_counted = [self.is_active] if noun.is_deletable else []
            self.count_by_type = select(type_, func.count()).where(*is_counted).group_by(type_).order_by(type_)

    @cached_property
    def scans(self) -> tuple[Query, Query]:
        """Up to ``:limit`` rows by id: the first, and those past ``:after``. Few processes ask for them."""
        id = self.table.c.id
        first = self.select.order_by(id).limit(bindparam("limit"))
        is_sqlite = self.table.schema is None
        return Query(first, is_sqlite=is_sqlite), Query(first.where(id > bindparam("after")), is_sqlite=is_sqlite)

    @cached_property
    def read_line(self) -> Callable[[Sequence[Any]], dict[str, Any]]:
        """The line of an export that a row is. Few processes ask for it."""
        return compile_line_reader(self.noun, is_sqlite=self.table.schema is None)

    @property
    def is_active(self) -> ColumnElement[bool]:
        """The condition of rows that are not deleted, which the indexes of unique values have, too."""
        return self.table.c.deleted_at.is_(None)

    def finders(self, columns: Sequence[ColumnElement[Any]], by: Sequence[Column[Any]]) -> list[Finder]:
        """Finders by unique values: for the active rows and then the deleted, which have an index each; none for none.

        In this order, the second finds a row that is deleted between the two.
        """
        if not by:
            return []
        states = [self.is_active, ~self.is_active] if self.noun.is_deletable else [None]
        return [Finder(self.table, columns, by, None, state) for state in states]


def noun_tables(noun: Noun[R, Any, F, V]) -> dict[bool, NounTable[R, F, V]]:
    """The noun's table in both kinds of database."""
    return {is_sqlite: NounTable(noun, is_sqlite=is_sqlite) for is_sqlite in (False, True)}
