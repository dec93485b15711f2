"""What is set by hand in a fact, as JSON Pointers."""

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgl_core.graph.facts import PINNED_ACTIVE, brought_back, changed_pointers, last_name, pinned_by_hand, pointer
from tests.contract.samples import entity, user

NAMES = st.text(st.sampled_from("a~/01. 源ก🙂\u0301"), max_size=8) | st.text(max_size=8)
VALUES = st.sampled_from([None, 0, 1, 1.0, True, False, "", "1", [], [1], {}, {"a": 1}, {"a": 1.0}])


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("a/b", "/metadata/a~1b"),
        ("a~b", "/metadata/a~0b"),
        ("~1", "/metadata/~01"),
        ("~0", "/metadata/~00"),
        ("/~", "/metadata/~1~0"),
        ("", "/metadata/"),
        ("名前", "/metadata/名前"),
        ("ชื่อ", "/metadata/ชื่อ"),
        ("🙂", "/metadata/🙂"),
        ("0", "/metadata/0"),
        (" ", "/metadata/ "),
    ],
)
def test_pointers_escape_what_they_must(name: str, escaped: str) -> None:
    """As RFC 6901 says, and nothing else."""
    assert pointer("metadata", name) == escaped
    assert last_name(escaped) == name


@given(NAMES, NAMES)
def test_different_names_have_different_pointers(one: str, other: str) -> None:
    """And each leads back to its name."""
    assert (pointer("metadata", one) == pointer("metadata", other)) is (one == other)
    assert last_name(pointer("metadata", one)) == one
    assert pointer("metadata", one).count("/") == 2


@given(st.dictionaries(NAMES, VALUES, max_size=4), st.dictionaries(NAMES, VALUES, max_size=4))
def test_metadata_is_compared_name_by_name(before: dict[str, Any], after: dict[str, Any]) -> None:
    """As JSON: 1, 1.0 and true differ, and an absent name is no null."""
    found = changed_pointers(entity(metadata=before), entity(metadata=after), ["metadata"])
    names = {*before, *after}
    differ = [name for name in names if repr(before.get(name, ...)) != repr(after.get(name, ...))]
    assert found == sorted(pointer("metadata", name) for name in differ)


def test_only_the_named_fields_are_compared() -> None:
    """A field is told as a whole."""
    before, after = entity("Ada"), entity("Bo", aliases=("B",), key="k", confidence=0.5)
    assert changed_pointers(before, after, ["name", "aliases", "type"]) == ["/aliases", "/name"]
    assert changed_pointers(before, after, []) == []


def test_a_hand_pins_only_what_has_assertions() -> None:
    """Until then, the fact itself is all that is said of it; what was pinned stays so."""
    before, after = entity("Ada"), entity("Bo")
    assert pinned_by_hand(before, after, ["name"]) == {}
    told = attrs.evolve(before, has_assertions=True, pinned=("/metadata/z", "/confidence"))
    assert pinned_by_hand(told, after, ["name"]) == {"pinned": ("/confidence", "/metadata/z", "/name")}
    assert pinned_by_hand(told, told, ["name"]) == {"pinned": ("/confidence", "/metadata/z")}
    assert pinned_by_hand(user(), user(), ["email"]) == {}


def test_a_retired_fact_that_a_moderator_restores_is_pinned() -> None:
    """A deleted one is not: it has its support still."""
    assert brought_back(entity("Ada")) == {}
    retired = entity("Ada", is_retired=True, pinned=("/name",))
    assert brought_back(retired) == {"is_retired": False, "pinned": (PINNED_ACTIVE, "/name")}
