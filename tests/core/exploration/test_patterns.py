"""What is no pattern: every fault is told, with the place that it is at and what to do."""

from typing import Any

import pytest

from kgl_core import InvalidInput
from kgl_core.exploration.patterns import read_pattern

KNOWS = {"source": "a", "type": "knows", "target": "b"}
PAIR: dict[str, Any] = {"nodes": {"a": {}, "b": {}}, "relationships": {"r": KNOWS}}
LONE = {"nodes": {"c": {}}, "relationships": {"s": {"source": "c", "target": "c"}}}
MANY = {name: {} for name in "abcdefg"}


def asking(tests: Any) -> dict[str, Any]:
    """A pattern with these tests of metadata."""
    return {"nodes": {"a": {"metadata": tests}}}


@pytest.mark.parametrize(
    ("pattern", "faults"),
    [
        ([], {"": "not_an_object"}),
        ({}, {"/nodes": "required"}),
        ({"nodes": {}}, {"/nodes": "too_few"}),
        ({"nodes": MANY}, {"/nodes": "too_many"}),
        ({"nodes": {"a": None, "1": {}, "": {}}}, dict.fromkeys(("/nodes/a", "/nodes/1", "/nodes/"), "")),
        ({"nodes": {"a": {"typ": "x", "id": "1"}}}, {"/nodes/a/typ": "unknown_field", "/nodes/a/id": "invalid_id"}),
        ({"nodes": {"a": {}}, "retrun": ["a"]}, {"/retrun": "unknown_field"}),
        ({**PAIR, "limit": 0, "count": 1}, {"/limit": "out_of_range", "/count": "not_a_flag"}),
        ({**PAIR, "limit": 1_001}, {"/limit": "out_of_range"}),
        (
            {**PAIR, "relationships": {"r": {"source": "a", "direction": "in", "valid_at": "soon"}}},
            {
                "/relationships/r/target": "required",
                "/relationships/r/direction": "not_a_choice",
                "/relationships/r/valid_at": "not_a_date",
            },
        ),
        ({**PAIR, "optional": [{"nodes": {"c": {}}}]}, {"/optional/0/relationships": "required"}),
        ({**PAIR, "not_exists": [{"relationships": {}}]}, {"/not_exists/0/relationships": "too_few"}),
        # What only the whole pattern shows.
        ({"nodes": {"a": {}, "b": {}}}, {"/nodes/b": "disconnected"}),
        ({**PAIR, "optional": [LONE]}, {"/optional/0/nodes/c": "disconnected"}),
        ({**PAIR, "not_exists": [LONE]}, {"/not_exists/0/nodes/c": "disconnected"}),
        ({**PAIR, "relationships": {"r": {**KNOWS, "target": "x"}}}, {"/relationships/r/target": "unknown_node"}),
        ({**PAIR, "relationships": {"r": {**KNOWS, "target": "r"}}}, {"/relationships/r/target": "unknown_node"}),
        (
            {
                **PAIR,
                "optional": [LONE | {"relationships": {"s": {**KNOWS, "target": "c"}}}],
                "not_exists": [{"relationships": {"t": {**KNOWS, "target": "c"}}}],
            },
            {"/not_exists/0/relationships/t/target": "unknown_node"},
        ),
        ({**PAIR, "relationships": {"r": KNOWS, "a": KNOWS}}, {"/relationships/a": "taken"}),
        (
            {**PAIR, "optional": [{"nodes": {"b": {}}, "relationships": {"r": KNOWS}}]},
            {"/optional/0/nodes/b": "taken", "/optional/0/relationships/r": "taken"},
        ),
        (
            {**PAIR, "relationships": dict.fromkeys("pqrstu", KNOWS), "not_exists": [{"relationships": {"v": KNOWS}}]},
            {"/relationships": "too_many"},
        ),
        # Rows.
        ({**PAIR, "return": []}, {"/return": "too_few"}),
        ({**PAIR, "return": ["a", "x", "a"]}, {"/return/1": "unknown_variable", "/return/2": "repeated"}),
        ({**PAIR, "not_exists": [{"relationships": {"t": KNOWS}}], "return": ["t"]}, {"/return/0": "not_shown"}),
        (
            {**PAIR, "return": ["a"], "order": [{"variable": v, "field": "name"} for v in ("b", "x")]},
            {"/order/0/variable": "not_shown", "/order/1/variable": "unknown_variable"},
        ),
        (
            {**PAIR, "order": [{"variable": "a"}, {"variable": "a", "field": "name", "metadata": "x"}]},
            {"/order/0/field": "not_together", "/order/1/field": "not_together"},
        ),
        ({**PAIR, "order": [{"variable": "r", "field": "name"}]}, {"/order/0/field": "not_a_choice"}),
        # Metadata.
        (asking([]), {"/nodes/a/metadata": "not_an_object"}),
        (asking({"x": [1], "y/z": {}}), {"/nodes/a/metadata/x": "not_compared", "/nodes/a/metadata/y~1z": "too_few"}),
        (asking({"x": {"gr": 1, "ne": {}}}), dict.fromkeys(("/nodes/a/metadata/x/gr", "/nodes/a/metadata/x/ne"), "")),
        (
            asking({"x": {"gt": True, "lt": None, "in": [], "exists": 1}}),
            {
                "/nodes/a/metadata/x/in": "not_a_list",
                "/nodes/a/metadata/x/gt": "no_order",
                "/nodes/a/metadata/x/lt": "no_order",
                "/nodes/a/metadata/x/exists": "not_a_flag",
            },
        ),
        (
            asking({"x": {"in": [1, [2]]}, "y": 2**63, "z": "\0"}),
            dict.fromkeys(
                ("/nodes/a/metadata/y", "/nodes/a/metadata/z"),
                "",
            ),
        ),
        (asking({"x": {"in": [1, [2]]}}), {"/nodes/a/metadata/x/in": "not_compared"}),
    ],
)
def test_faults_say_where_and_what(pattern: Any, faults: dict[str, str]) -> None:
    """Each with its pointer and code; where the code is left out here, any will do."""
    with pytest.raises(InvalidInput) as refused:
        read_pattern(pattern)
    found = {fault.pointer: fault.code for fault in refused.value.faults}
    assert found.keys() == faults.keys(), refused.value
    assert {pointer: code for pointer, code in faults.items() if code} == {p: found[p] for p in faults if faults[p]}


def test_a_name_that_is_nearly_right_is_suggested() -> None:
    """For fields, variables and operators."""
    wrong = {"nodes": {"author": {}, "work": {}}, "relationships": {"r": {"source": "autor", "target": "work"}}}
    for pattern, name in (
        (wrong, "author"),
        ({**PAIR, "retrun": []}, "return"),
        (asking({"x": {"exist": True}}), "exists"),
        ({"nodes": {"author": {}}, "return": ["auther"]}, "author"),
    ):
        with pytest.raises(InvalidInput, match=f"did you mean {name}\\?"):
            read_pattern(pattern)
