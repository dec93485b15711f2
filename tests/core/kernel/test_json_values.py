"""When values of JSON are the same."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kgl_core.kernel.nouns.json_values import Wanted, all_alike, value_key

whole = st.integers(-(2**63), 2**63 - 1)
near = st.sampled_from([2**53, 2**62, -(2**63), 0, 10**16]).flatmap(lambda n: st.integers(n, n + 3))
numbers = whole | near | st.floats(allow_nan=False, allow_infinity=False) | whole.map(float) | near.map(float)
values = numbers | st.booleans() | st.none() | st.text(max_size=3)


def written(values: Any) -> set[str]:
    """Values as JSON, which tells 1 from 1.0 and true."""
    return {json.dumps(value) for value in values}


@given(one=values, other=values | numbers)
def test_what_is_alike_has_one_key(one: Any, other: Any) -> None:
    """And what has one key is alike: the two ways to compare agree."""
    assert written([one]) <= written(all_alike(one))
    assert {value_key(each) for each in all_alike(one)} == {value_key(one)}
    assert (value_key(one) == value_key(other)) == (written([one]) <= written(all_alike(other)))


def test_what_asks_for_the_same_is_equal() -> None:
    """So that it has one cursor: whatever the order, repeats, and kinds of numbers."""
    assert Wanted.of("a", [1, "b", 1.0]) == Wanted.of("a", ["b", 1.0])
    assert len({Wanted.of("a", [value]) for value in (1, True, "1", None, 1.0)}) == 4
