"""JSON Merge Patch: the examples of RFC 7396, and what holds for all patches."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgl_core.kernel.nouns.merge_patch import merge_patch

# RFC 7396, appendix A: original, patch, result.
EXAMPLES = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]

NAMES = st.sampled_from("abc")
SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=12
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=3)


@pytest.mark.parametrize(("original", "patch", "result"), EXAMPLES)
def test_the_examples_of_the_rfc_hold(original: Any, patch: Any, result: Any) -> None:
    """Every row of the RFC's table of examples comes out as it says."""
    assert merge_patch(original, patch) == result


def test_the_document_of_the_rfc_is_patched_as_it_says() -> None:
    """The larger example of section 3: a name is removed within an object, and a list is replaced as a whole."""
    document = {
        "title": "Goodbye!",
        "author": {"givenName": "John", "familyName": "Doe"},
        "tags": ["example", "sample"],
        "content": "This will be unchanged",
    }
    patch = {"title": "Hello!", "phoneNumber": "+01-123-456-7890", "author": {"familyName": None}, "tags": ["example"]}
    assert merge_patch(document, patch) == {
        "title": "Hello!",
        "author": {"givenName": "John"},
        "tags": ["example"],
        "content": "This will be unchanged",
        "phoneNumber": "+01-123-456-7890",
    }


@given(VALUES, VALUES)
def test_a_patch_alters_neither_its_target_nor_itself(target: Any, patch: Any) -> None:
    """Both are as they were, so that a record that is refused afterwards is unharmed."""
    before = copy.deepcopy((target, patch))
    merge_patch(target, patch)
    assert (target, patch) == before


@given(VALUES, VALUES)
def test_a_patch_that_is_applied_twice_does_no_more_than_once(target: Any, patch: Any) -> None:
    """A client that repeats a patch, because it saw no answer, gets the same record."""
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once


@given(OBJECTS)
def test_an_empty_patch_changes_nothing(target: dict[str, Any]) -> None:
    """What a patch does not name stays, null too."""
    assert merge_patch(target, {}) == target


@given(OBJECTS, OBJECTS)
def test_each_name_of_a_patch_decides_its_own_value_alone(target: dict[str, Any], patch: dict[str, Any]) -> None:
    """Null removes a name, anything else sets it, and a name that the patch lacks stays as it was."""
    merged = merge_patch(target, patch)
    assert set(merged) == (set(target) | set(patch)) - {name for name, value in patch.items() if value is None}
    for name in merged:
        if name not in patch:
            assert merged[name] == target[name]
        elif not isinstance(patch[name], dict):
            assert merged[name] == patch[name]
