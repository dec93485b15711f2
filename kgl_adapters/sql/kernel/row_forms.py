"""How records are held in rows: the column and the conversions for each type that a field can have.

The functions that write and read a row are compiled once for each class, as attrs compiles its methods: a loop over the
fields would take a quarter longer for each row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, TypeVar
from uuid import UUID

import attrs
from sqlalchemy.types import TypeEngine

from kgl_adapters.sql.engine.encoding import (
    UNREADABLE,
    micros_of,
    moment_of,
    moment_text,
    same,
    unreadable,
    uuid_bytes,
    uuid_digits,
    uuid_of,
    uuid_text,
)
from kgl_adapters.sql.kernel.json_columns import (
    read_list,
    read_object,
    read_texts,
    show_array,
    show_object,
    write_metadata,
    write_texts,
)
from kgl_adapters.sql.types import BYTES, CONFIDENCE, COUNT, FLAG, ID, INSTANT, JSON, TEXT
from kgl_core.kernel.nouns.json_records import JsonRecord, json_actor
from kgl_core.kernel.nouns.noun import AnyNoun, Field
from kgl_core.kernel.permissions import Actor, Scope, in_order, scope_text

R = TypeVar("R")
_Convert = Callable[[Any], Any]


def _read_scopes(text: str) -> tuple[Scope, ...]:
    return in_order(text.split(" "))


@attrs.frozen
class Form:
    """How values of one type are held: the type of their column, and how they are written there and read back.

    Each pair of conversions is for PostgreSQL and for SQLite. ``sent`` is what PostgreSQL's driver is given instead,
    where it converts text faster. ``show`` gives a value as JSON has it, and ``line`` as a line of an export has it,
    where that is not what ``read`` gives; ``passed`` gives it from a column that holds nothing but JSON, without
    reading that. A column that holds the first text of ``empty`` has the value whose source code is the second, or as
    JSON the third: nothing is called for it.
    """

    column: TypeEngine[Any]
    write: tuple[_Convert, _Convert] = (same, same)
    read: tuple[_Convert, _Convert] = (same, same)
    sent: _Convert | None = None
    show: _Convert | None = None
    passed: _Convert | None = None
    line: tuple[_Convert, _Convert] | None = None
    empty: tuple[str, str, str] | None = None


def alike(column: TypeEngine[Any], write: _Convert, read: _Convert, **more: Any) -> Form:
    """The form of values that both kinds of database hold alike."""
    return Form(column, (write, write), (read, read), **more)


@lru_cache(maxsize=1024)
def _show_actor(text: str) -> dict[str, Any]:
    return json_actor(Actor.parse(text))


FORMS: Final[dict[Any, Form]] = {
    str: Form(TEXT),
    int: Form(COUNT),
    float: Form(CONFIDENCE),
    bytes: Form(BYTES),
    bool: Form(FLAG, read=(same, bool)),
    UUID: Form(ID, (same, uuid_bytes), (same, uuid_of), sent=uuid_digits, line=(str, uuid_text)),
    datetime: Form(INSTANT, (same, micros_of), (same, moment_of), sent=moment_text),
    Actor: alike(TEXT, str, Actor.parse, show=_show_actor),
    tuple[Scope, ...]: alike(TEXT, scope_text, _read_scopes),
    tuple[str, ...]: alike(
        JSON, write_texts, read_texts, passed=show_array, line=(read_list, read_list), empty=("[]", "()", "[]")
    ),
    Mapping[str, Any]: alike(JSON, write_metadata, read_object, passed=show_object, empty=("{}", "{}", "{}")),
}
"""By the type of a field, beside enums of texts. A noun with a field of another type adds that, beside its table."""


def form_of(field: Field) -> Form:
    """How the values of a field are held. Raises KeyError for a type that is unknown here."""
    if isinstance(field.type, type) and issubclass(field.type, StrEnum):
        return alike(TEXT, str, field.type)
    return FORMS[field.type]


def compile_writer(
    fields: Sequence[Field], *, is_sqlite: bool, compares: bool = False
) -> Callable[[Any], tuple[Any, ...]]:
    """A function from a record to the values of the columns of these fields or properties.

    With ``compares``, they are as the driver reads them back, to be compared with a row.
    """
    names: dict[str, Any] = {}
    parts = []
    for field in fields:
        value, form = f"record.{field.name}", form_of(field)
        write = form.write[is_sqlite]
        if form.sent is not None and not (is_sqlite or compares):
            write = form.sent
        if write is not same:
            names[f"write_{field.name}"] = write
            value = _unless_none(value, f"write_{field.name}({value})", field)
        parts.append(f"{value} or ''" if field.is_empty_for_none else value)
    values = "".join(f"{part}, " for part in parts)
    written: Callable[[Any], tuple[Any, ...]] = eval(f"lambda record: ({values})", names)  # noqa: S307
    return written


def compile_reader(
    cls: type[R], fields: Sequence[Field], table: str, *, is_sqlite: bool
) -> Callable[[Sequence[Any]], R]:
    """A function from a row of the columns of ``fields`` to a ``cls``.

    It raises UnreadableRow for a row that can't be decoded, which it names by its first value, the key in ``table``.
    """
    names: dict[str, Any] = {"cls": cls}
    values = {field.name: _unless_empty(field, 1, _read(field, names, is_sqlite=is_sqlite)) for field in fields}
    arguments = ", ".join(f"{name}={value}" for name, value in values.items())
    found: Callable[[Sequence[Any]], R] = _compile(fields, [], f"cls({arguments})", table, names)
    return found


def compile_json_reader(
    noun: AnyNoun, *, is_sqlite: bool, passes: bool = False
) -> Callable[[Sequence[Any]], JsonRecord]:
    """A function from a row of the columns of a noun's fields to what `json_record` makes of the record.

    With ``passes``, what is JSON already stays as it is: for PostgreSQL, whose columns of JSON hold nothing else.
    Raises as `compile_reader` says.
    """
    names: dict[str, Any] = {}
    values = {}
    for field in noun.fields:
        if field.name not in noun.hidden:
            form = form_of(field)
            shown = (passes and form.passed) or form.show
            values[field.name] = _unless_empty(field, 2, _read(field, names, shown, is_sqlite=is_sqlite))
    if noun.is_deletable:
        values["is_active"] = "deleted_at is None"
    items = ", ".join(f"{name!r}: {value}" for name, value in values.items())
    return _compile(noun.fields, [], f"{{{items}}}", noun.plural, names)


def compile_line_reader(noun: AnyNoun, *, is_sqlite: bool) -> Callable[[Sequence[Any]], dict[str, Any]]:
    """A function from a row of the columns of a noun's fields to what `json_line` makes of the record.

    It decodes all values, also those that are in no line: a damaged row must not pass for a sound one. Raises as
    `compile_reader` says.
    """
    names: dict[str, Any] = {}
    fields, values = {}, {}
    for field in noun.fields:
        written = form_of(field).line
        fields[field.name] = field
        values[field.name] = _read(field, names, written and written[is_sqlite], is_sqlite=is_sqlite)
    steps = [f"line = {{'kind': {noun.name!r}, 'id': {values.pop('id')}}}"]
    for name in noun.said:
        value, empty = values.pop(name), form_of(fields[name]).empty
        if empty is not None:
            steps.append(f"if {name} != {empty[0]!r} and (value := {value}): line[{name!r}] = value")
        elif fields[name].is_optional:
            steps.append(f"if (value := {value}) is not None: line[{name!r}] = value")
        else:
            steps.append(f"line[{name!r}] = {value}")
    steps.append("if deleted_at is not None: line['is_active'] = False")
    for name in noun.said_of_deleted:
        value = values.pop(name)
        steps.append(f"if (value := {value}) is not None and deleted_at is not None: line[{name!r}] = value")
    return _compile(noun.fields, [*steps, *values.values()], "line", noun.plural, names)


def _read(field: Field, names: dict[str, Any], convert: _Convert | None = None, *, is_sqlite: bool) -> str:
    """The source code of a field's value, from the one in its column; what that calls is added to ``names``.

    Unless ``convert`` is given, it is what a record has.
    """
    value, convert = field.name, convert or form_of(field).read[is_sqlite]
    if convert is not same:
        names[f"read_{field.name}"] = convert
        value = _unless_none(value, f"read_{field.name}({value})", field)
    return f"{value} or None" if field.is_empty_for_none else value


def _unless_empty(field: Field, form: int, value: str) -> str:
    """The source code that gives ``empty[form]``, as `Form` has it, for an empty value, and else ``value``."""
    empty = form_of(field).empty
    return value if empty is None else f"{empty[form]} if {field.name} == {empty[0]!r} else {value}"


def _compile(
    fields: Sequence[Field], steps: Sequence[str], form: str, table: str, names: dict[str, Any]
) -> Callable[[Sequence[Any]], Any]:
    """A function from a row of these fields to ``form``, after ``steps``: source code that has them as variables."""
    names |= {"UNREADABLE": UNREADABLE, "unreadable": unreadable, "table": table}
    taken = f"{', '.join(field.name for field in fields)}, = row"
    body = "".join(f"  {line}\n" for line in (taken, *steps, f"return {form}"))
    failed = " except UNREADABLE as error:\n  raise unreadable(table, row, error) from error\n"
    source = f"def read(row):\n try:\n{body}{failed}"
    exec(compile(source, f"<rows of {table}>", "exec"), names)  # noqa: S102  # names and types of our own classes
    read_row: Callable[[Sequence[Any]], Any] = names["read"]
    return read_row


def _unless_none(value: str, converted: str, field: Field) -> str:
    return f"None if {value} is None else {converted}" if field.is_optional else converted
