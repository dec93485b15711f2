"""Tests of metadata in SQL.

PostgreSQL compares what its own functions read from JSON: numbers as numeric, exactly as they are written, and text by
code point. SQLite reads numbers inexactly, so that there the core's own functions are called from SQL.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    ColumnElement,
    LargeBinary,
    Numeric,
    Text,
    and_,
    bindparam,
    case,
    cast,
    func,
    or_,
)
from sqlalchemy import literal_column as sql

from kgl_adapters.sql.engine.encoding import UNREADABLE
from kgl_adapters.sql.engine.sqlite_functions import SQLITE_FUNCTIONS
from kgl_adapters.sql.kernel.json_columns import read_metadata, write_json
from kgl_core.exploration.metadata_tests import MetadataTest, all_pass
from kgl_core.kernel.nouns.json_values import decimal_of, sort_key
from kgl_core.kernel.strict_json import parse_json

_TESTS_REMEMBERED: Final = 64
_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}

TestShape = tuple[str, tuple[str, ...]]
"""What the SQL of a test depends on: its operator, and the kind of each of its values; that of all tests on SQLite."""


def read_tests(
    tests: Sequence[MetadataTest], own: str, *, is_sqlite: bool
) -> tuple[tuple[TestShape, ...], dict[str, Any]]:
    """The shapes of tests, and their parameters; the names of those begin with ``own``."""
    if not tests:
        return (), {}
    if is_sqlite:
        given = write_json([(test.name, test.operator, test.values) for test in tests])
        return (("all_pass", ()),), {f"{own}_tests": given}
    shapes: list[TestShape] = []
    parameters: dict[str, Any] = {}
    for n, test in enumerate(tests):
        parameters[f"{own}_{n}_name"] = test.name
        shapes.append((test.operator, tuple(map(_kind, test.values))))
        parameters |= {f"{own}_{n}_{m}": _text(value) for m, value in enumerate(test.values)}
    return tuple(shapes), parameters


def test_conditions(metadata: ColumnElement[Any], shapes: Sequence[TestShape], own: str) -> list[ColumnElement[bool]]:
    """The conditions of metadata that passes these tests."""
    if shapes == (("all_pass", ()),):
        return [func.kgl_all_pass(metadata, _parameter(f"{own}_tests"), type_=Boolean) == sql("1")]
    return [_Value(metadata, f"{own}_{n}_name").test(*shape, f"{own}_{n}") for n, shape in enumerate(shapes)]


def sort_columns(metadata: ColumnElement[Any], name: str, *, is_sqlite: bool) -> list[ColumnElement[Any]]:
    """What rows are sorted by for the value under the name in this parameter: NULL if it has no order."""
    if is_sqlite:
        return [func.kgl_sort_key(metadata, _parameter(name), type_=LargeBinary)]
    value = _Value(metadata, name)
    kind = case((value.is_a("number"), sql("1")), (value.is_a("string"), sql("2")))
    return [kind, value.as_number, case((value.is_a("string"), value.text.collate("C")))]


class _Value:
    """The value under the name in a parameter, on PostgreSQL."""

    def __init__(self, metadata: ColumnElement[Any], name: str) -> None:
        wanted = cast(_parameter(name), Text)
        self.json = metadata.op("->")(wanted)
        self.text = cast(metadata.op("->>")(wanted), Text)
        self.kind = func.json_typeof(self.json)

    def is_a(self, kind: str) -> ColumnElement[bool]:
        """Whether it is there and of this kind."""
        return self.kind == sql(f"'{kind}'")

    @property
    def as_number(self) -> ColumnElement[Any]:
        """It as a number; NULL for anything else. Only within CASE is the kind looked at before the value is read."""
        return case((self.is_a("number"), cast(self.text, Numeric)))

    def test(self, operator: str, kinds: Sequence[str], own: str) -> ColumnElement[bool]:
        """Whether it passes a test, whose values are in the parameters that begin with ``own``."""
        given = [(kind, f"{own}_{m}") for m, kind in enumerate(kinds)]
        if operator == "exists":
            return self.json.is_not(None) if kinds == ("true",) else self.json.is_(None)
        if operator in ("eq", "in"):
            return or_(*(self._is(kind, name) for kind, name in given))
        if operator == "ne":
            return and_(self.json.is_not(None), func.coalesce(self._is(*given[0]), sql("false")).is_(sql("false")))
        [(kind, name)] = given
        compare = _COMPARISONS[operator]
        if kind == "number":
            return compare(self.as_number, cast(_parameter(name), Numeric))  # type: ignore[no-any-return]
        text = compare(self.text.collate("C"), cast(_parameter(name), Text))
        return and_(self.is_a("string"), text)

    def _is(self, kind: str, name: str) -> ColumnElement[bool]:
        """Whether it is the same as the value in a parameter, which is of this kind."""
        match kind:
            case "null":
                return self.is_a("null")
            case "true" | "false":
                return and_(self.is_a("boolean"), self.text == sql(f"'{kind}'"))
            case "number":
                return self.as_number == cast(_parameter(name), Numeric)
        return and_(self.is_a("string"), self.text.collate("C") == cast(_parameter(name), Text))


def _parameter(name: str) -> ColumnElement[Any]:
    return bindparam(name, type_=Text())


def _kind(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return "string" if isinstance(value, str) else "number"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value if value is None else decimal_of(value))


@lru_cache(_TESTS_REMEMBERED)
def _tests(text: str) -> Sequence[MetadataTest]:
    return [MetadataTest(name, operator, tuple(values)) for name, operator, values in parse_json(text, "tests")]  # type: ignore[attr-defined]


def _all_pass(metadata: str, tests: str) -> bool:
    return all_pass(_read(metadata), _tests(tests))


def _sort_key(metadata: str, name: str) -> bytes | None:
    return sort_key(_read(metadata).get(name))


def _read(metadata: str) -> Mapping[str, Any]:
    """The metadata in a column; none if it is damaged: whoever reads the record is told of that."""
    try:
        return read_metadata(metadata)
    except UNREADABLE:
        return {}


SQLITE_FUNCTIONS.update(kgl_all_pass=_all_pass, kgl_sort_key=_sort_key)
