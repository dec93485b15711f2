"""Tests of metadata: what a pattern asks of the values under a name. `json_values` in the kernel compares them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import attrs

from kgl_core.graph.metadata import JsonObject
from kgl_core.graph.shared_fields import FILTER_VALUES_MAX
from kgl_core.kernel.checked_records import escape, unknown_names
from kgl_core.kernel.errors import Fault
from kgl_core.kernel.field_rules import Faults
from kgl_core.kernel.nouns.json_values import has_order, value_key

Operator = Literal["eq", "ne", "in", "gt", "gte", "lt", "lte", "exists"]
OPERATORS: Final[tuple[Operator, ...]] = ("ne", "in", "gt", "gte", "lt", "lte", "exists")
"""Those that have a name; a value by itself must be the same."""
ORDERING: Final = ("gt", "gte", "lt", "lte")
TESTS_RULE: Final = JsonObject(keys_max=20)
"""What holds for tests of metadata as JSON."""


@attrs.frozen
class MetadataTest:
    """What is asked of the value under ``name``: it is the same as ``values[0]`` (eq), is another (ne), and so on.

    With ``exists``, the name is there, or with False, it is not. With any other operator, it has to be there.
    """

    name: str
    operator: Operator
    values: tuple[Any, ...]
    _keys: tuple[bytes | None, ...] = attrs.field(init=False, eq=False, repr=False)

    @_keys.default
    def _make_keys(self) -> tuple[bytes | None, ...]:
        return tuple(map(value_key, self.values))

    def passes(self, metadata: Mapping[str, Any]) -> bool:
        """Whether metadata passes."""
        is_there = self.name in metadata
        if self.operator == "exists":
            return is_there is self.values[0]
        if not is_there:
            return False
        key, wanted = value_key(metadata[self.name]), self._keys
        if self.operator in ("eq", "in"):
            return key is not None and key in wanted
        if self.operator == "ne":
            return key != wanted[0]
        bound = wanted[0]
        if key is None or bound is None or key[:1] != bound[:1]:
            return False
        match self.operator:
            case "gt":
                return key > bound
            case "gte":
                return key >= bound
            case "lt":
                return key < bound
        return key <= bound


def all_pass(metadata: Mapping[str, Any], tests: Iterable[MetadataTest]) -> bool:
    """Whether metadata passes all of these tests."""
    return all(test.passes(metadata) for test in tests)


@attrs.frozen
class MetadataTests:
    """The rule for tests of metadata: an object of names, each with the value that is wanted or with operators.

    The operators are ``ne``, ``gt``, ``gte``, ``lt``, ``lte``, ``in`` with a list, and ``exists`` with true or false;
    all of them must hold. A value is text, a number, true, false or null.
    """

    def __call__(self, value: Any, pointer: str, faults: Faults) -> Any:
        before = len(faults)
        given = TESTS_RULE(value, pointer, faults)
        if len(faults) > before:
            return value
        tests: list[MetadataTest] = []
        for name, asked in given.items():
            at = f"{pointer}/{escape(name)}"
            if type(asked) is not dict:
                tests += _test(name, "eq", asked, at, faults)
                continue
            if not asked:
                faults.append(Fault(at, "too_few", f"give a value, or at least one of {', '.join(OPERATORS)}"))
            unknown = [operator for operator in asked if operator not in OPERATORS]
            found = unknown_names(unknown, OPERATORS, "operator")
            faults += [attrs.evolve(fault, pointer=f"{at}{fault.pointer}") for fault in found]
            for operator in OPERATORS:
                if operator in asked:
                    tests += _test(name, operator, asked[operator], f"{at}/{operator}", faults)
        return tuple(tests)


def _test(name: str, operator: Operator, value: Any, pointer: str, faults: Faults) -> Sequence[MetadataTest]:
    """The test, or none and a fault."""
    values = (value,)
    fault: tuple[str, str] | None = None
    if operator == "exists":
        if type(value) is not bool:
            fault = ("not_a_flag", "give true or false, without quotes")
    elif operator == "in":
        if type(value) is not list or not 1 <= len(value) <= FILTER_VALUES_MAX:
            fault = ("not_a_list", f"give a list of 1 to {FILTER_VALUES_MAX} values")
        elif None in map(value_key, value):
            fault = _NOT_COMPARED
        else:
            values = tuple(value)
    elif operator in ORDERING:
        if not has_order(value):
            fault = ("no_order", "give a number or text; nothing else has an order")
    elif value_key(value) is None:
        fault = _NOT_COMPARED
    if fault is None:
        return [MetadataTest(name, operator, values)]
    faults.append(Fault(pointer, *fault))
    return ()


_NOT_COMPARED: Final = (
    "not_compared",
    'lists and objects are not compared; give text, a number, true, false or null, or {"in": […]} for any of several',
)
