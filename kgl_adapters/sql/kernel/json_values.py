"""Values of JSON objects in columns: how SQL finds and compares them, and the expression that an index of them has.

A value is compared as the JSON that kgl writes of it, which is always the same, so that one expression serves text,
numbers, true, false and null. It is cut, so that it fits into any index.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Text, bindparam, literal_column

from kgl_adapters.sql.engine.encoding import UNREADABLE
from kgl_adapters.sql.engine.queries import Query
from kgl_adapters.sql.engine.sqlite_functions import SQLITE_FUNCTIONS
from kgl_adapters.sql.kernel.json_columns import read_metadata, write_json
from kgl_core.kernel.nouns.json_values import Wanted, all_alike

CUT: Final = 200
"""As many characters of a value's JSON are in an index."""
_ESCAPED: Final = re.compile(r'["\\\x00-\x1f]')
_MARK: Final = re.compile(r"'kgl name ([0-9a-f]*)'")

WantedShape = tuple[tuple[str, int, bool], ...]
"""What the SQL of conditions depends on: each name, how many spellings are wanted, and whether any may be cut."""


def is_indexable(name: str) -> bool:
    """Whether SQLite can find a name by itself: it looks at JSON as it is written, where these have escapes."""
    return bool(name) and not _ESCAPED.search(name)


def read_wanted(own: str, wanted: Sequence[Wanted]) -> tuple[WantedShape, dict[str, str]]:
    """The shape of conditions, and their parameters; the names of those begin with ``own``."""
    shape: list[tuple[str, int, bool]] = []
    parameters: dict[str, str] = {}
    for place, each in enumerate(wanted):
        spellings = sorted({write_json(same) for value in each.values for same in all_alike(value)})
        is_long = any(len(spelling) >= CUT for spelling in spellings)
        shape.append((each.name, len(spellings), is_long))
        parameters |= {f"{own}_{place}_{n}": spelling[:CUT] for n, spelling in enumerate(spellings)}
        if is_long:
            parameters |= {f"{own}_{place}_{n}_whole": spelling for n, spelling in enumerate(spellings)}
    return tuple(shape), parameters


def holds(column: str, own: str, shape: WantedShape, *, is_sqlite: bool) -> list[ColumnElement[bool]]:
    """The conditions that an object holds all that is wanted, with the parameters of `read_wanted`."""
    conditions = []
    for place, (name, count, is_long) in enumerate(shape):
        parameters = [f"{own}_{place}_{n}" for n in range(count)]
        conditions.append(_is_any(_cut(column, name, is_sqlite=is_sqlite), parameters))
        if is_long:
            whole = _value(column, name, is_sqlite=is_sqlite)
            conditions.append(_is_any(whole, [f"{each}_whole" for each in parameters]))
    return conditions


def has_names(column: str, names: Iterable[str], *, is_sqlite: bool) -> list[ColumnElement[bool]]:
    """The conditions that an object has all of these names."""
    return [literal_column(_cut(column, name, is_sqlite=is_sqlite), Text).is_not(None) for name in names]


def put_names(query: Query, *, is_sqlite: bool) -> Query:
    """The query with its names of metadata: what they hold would be taken for parameters while it is compiled."""
    literal = _sqlite_literal if is_sqlite else lambda name: _postgres_literal(name).replace("%", "%%")
    query.text = _MARK.sub(lambda mark: literal(bytes.fromhex(mark[1]).decode()), query.text)
    return query


def index_expression(column: str, name: str, *, is_sqlite: bool) -> str:
    """The SQL of what an index of the values under a name is by: exactly what `holds` and `has_names` compare."""
    literal = _sqlite_literal if is_sqlite else _postgres_literal
    return _MARK.sub(lambda mark: literal(name), _cut(column, name, is_sqlite=is_sqlite))


def _is_any(value: str, parameters: Sequence[str]) -> ColumnElement[bool]:
    """Whether a value is one of those in the parameters; an index can give the order only where there is one."""
    found: ColumnElement[Any] = literal_column(value, Text)
    wanted = [bindparam(name, type_=Text()) for name in parameters]
    return found == wanted[0] if len(wanted) == 1 else found.in_(wanted)


def _cut(column: str, name: str, *, is_sqlite: bool) -> str:
    value = _value(column, name, is_sqlite=is_sqlite)
    return f"substr({value}, 1, {CUT})" if is_sqlite else f"left({value}, {CUT})"


def _value(column: str, name: str, *, is_sqlite: bool) -> str:
    """The SQL of the JSON of the value under a name; NULL if the name is not there. It has a mark in place of it."""
    mark = f"'kgl name {name.encode().hex()}'"
    if not is_sqlite:
        return f'(CAST({column} -> CAST({mark} AS text) AS text) COLLATE "C")'
    if is_indexable(name):
        return f"CASE WHEN json_valid({column}) THEN {column} -> {mark} END"
    return f"{_FUNCTION}({column}, {mark})"


def _postgres_literal(name: str) -> str:
    """A text with escapes, which means the same whatever the server's settings are."""
    return "E'" + name.replace("\\", "\\\\").replace("'", "''") + "'"


def _sqlite_literal(name: str) -> str:
    text = f'$."{name}"' if is_indexable(name) else name
    return "'" + text.replace("'", "''") + "'"


def _json_value(object: str, name: str) -> str | None:
    """What SQL on SQLite calls for a name that it can't find by itself."""
    try:
        found: Mapping[str, Any] = read_metadata(object)
    except UNREADABLE:  # whoever reads the record is told of that
        return None
    return write_json(found[name]) if name in found else None


_FUNCTION: Final = "kgl_json_value"
SQLITE_FUNCTIONS[_FUNCTION] = _json_value
