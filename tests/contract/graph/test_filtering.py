"""What lists ask of names and of metadata: every store finds what looking at each record finds."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgl_core import InvalidCursor, InvalidInput, KnowledgeGraph
from kgl_core.graph.entities import ENTITY
from kgl_core.kernel.nouns import spellings
from kgl_core.kernel.text import search_form

NAMES = ("Ada", "ada", "ADÁ", "Ådam", "Zoë", "zoe", "Straße", "STRASSE", "50% Cedar", "50 Cedar", "a_b", "axb", "a\\b")
NAMES += ("ไทย", "ไท", "京都府", "🔵 Elm", "ﬁr", "A", "\U0010ffffa", "x" * 250 + "1", "x" * 250 + "2")

IN_METADATA = ("country", "a.b", 'a"b', "it's", "50%", "%(x)s", "%s", "ชื่อ", "🔵", "n" * 120, "a\\b", "", "$.a", "[0]")
IN_METADATA += ("0", " ", "a\nb", "?", ":a", "$", "\x7f", "\u2028", "__[POSTCOMPILE_a]", "'kgl name 61'", "metadata")

VALUES: Sequence[Any] = (
    *("FR", "fr", "", "1", "1.0", "true", "null", 'a"b', "%", "\\", "a\nb", "é", "e\u0301", "🔵", "x" * 250, "x" * 251),
    *(1, 1.0, 0, 0.0, -0.0, -1, 2**53, 2**53 + 1, float(2**53), 2**63 - 1, -(2**63), float(2**63), 1e16, 10**16, 1e300),
    *(1e-7, 0.1, 1.5, True, False, None),
)


def found(kg: KnowledgeGraph, **filter: Any) -> list[str]:
    """The names of the entities that a list has, in all orders and from page to page; their count agrees."""
    names = {
        sort: [each.name for each in all_pages(kg, sort=sort, **filter)] for sort in ("created_at", "-name", "name")
    }
    assert names["name"] == names["-name"][::-1]
    assert sorted(names["name"]) == sorted(names["created_at"])
    assert kg.entities.count(**filter) == len(names["created_at"])
    return names["created_at"]


def all_pages(kg: KnowledgeGraph, **asked: Any) -> list[Any]:
    """All entities of a list, three at a time."""
    page = kg.entities.list(limit=3, **asked)
    items = [*page.items]
    while page.next_cursor:
        page = kg.entities.list(limit=3, cursor=page.next_cursor, **asked)
        items += page.items
    return items


@pytest.fixture
def named(kg: KnowledgeGraph) -> KnowledgeGraph:
    """An entity of each name."""
    for name in NAMES:
        kg.entities.create(type="t", name=name, aliases=["Countess"])
    return kg


def test_name_finds_the_same_name_in_any_spelling(named: KnowledgeGraph) -> None:
    """Apart from case and the accents of Latin letters, as everywhere; never by an alias."""
    assert found(named, name="ada") == ["Ada", "ada", "ADÁ"]
    assert found(named, name="Strasse") == ["Straße", "STRASSE"]
    assert found(named, name=["zoe", "ZOË", "ﬁr"]) == ["Zoë", "zoe", "ﬁr"]
    assert found(named, name="🔵 elm") == ["🔵 Elm"]
    for unusual in ("ไท", "50% Cedar", "a_b", "a\\b", "x" * 250 + "1"):
        assert found(named, name=unusual) == [unusual]
    assert found(named, name=["50%_Cedar", "Countess"]) == []


def test_name_prefix_finds_names_that_begin_so(named: KnowledgeGraph) -> None:
    """As lists sort them. Nothing in it has another meaning."""
    for prefix in ("a", "AD", "50", "50%", "a_", "a\\", "%", "_", "ไท", "京", "🔵", "fi", "\U0010ffffa"):
        expected = [name for name in NAMES if search_form(name).startswith(search_form(prefix))]
        assert found(named, name_prefix=prefix) == expected, prefix
    assert found(named, name_prefix="AD", name=["ada", "50% CEDAR"], type="t") == ["Ada", "ada", "ADÁ"]


def test_a_subgraph_takes_the_same_filters(named: KnowledgeGraph) -> None:
    """Since it takes a filter of entities."""
    found = named.graph.subgraph(filter=ENTITY.filter(name="zoe", name_prefix="Z", metadata={}))  # type: ignore[arg-type]
    assert [entity.name for entity in found.entities] == ["Zoë", "zoe"]


def test_a_list_by_name_says_when_too_many_are_alike(named: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of looking at all of them."""
    monkeypatch.setattr(spellings, "SPELLINGS_MAX", 2)
    assert found(named, name="zoe") == ["Zoë", "zoe"]
    with pytest.raises(InvalidInput) as caught:
        named.entities.list(name="ada")
    assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [("/name", "too_many_found")]


def test_lists_by_name_tell_the_deleted_apart(named: KnowledgeGraph) -> None:
    """Like all lists, they hold the active unless asked otherwise."""
    [first, *_] = named.entities.list(name="ada").items
    named.entities.delete(first.id)
    assert found(named, name="ada") == ["ada", "ADÁ"]
    assert found(named, name="ada", is_active=False) == ["Ada"]
    assert found(named, name_prefix="zo", is_active=None, name="ada") == []
    assert found(named, name="ada", is_active=None) == ["Ada", "ada", "ADÁ"]


def same(one: Any, other: Any) -> bool:
    """Whether two values of JSON are the same: as the documents say it, in other words than the code."""
    if isinstance(one, bool) or isinstance(other, bool) or one is None or other is None:
        return one is other
    if isinstance(one, str) or isinstance(other, str):
        return type(one) is type(other) and one == other
    if not isinstance(one, int | float) or not isinstance(other, int | float):
        return False
    return Decimal(str(one)) == Decimal(str(other))


def passes(metadata: Mapping[str, Any], wanted: Mapping[str, Any], names: Sequence[str]) -> bool:
    """Whether metadata has what is asked."""
    asked = {name: value if isinstance(value, list) else [value] for name, value in wanted.items()}
    return all(name in metadata for name in names) and all(
        name in metadata and any(same(metadata[name], value) for value in values) for name, values in asked.items()
    )


ALL_METADATA: Sequence[dict[str, Any]] = [
    *({"country": value} for value in VALUES),
    *({"country": [value]} for value in (1, "FR")),
    {"country": {"country": "FR"}},
    *({name: "x", "country": "FR"} for name in IN_METADATA),
    dict.fromkeys(IN_METADATA, 1.0),
    {},
]


@pytest.fixture
def described(kg: KnowledgeGraph) -> KnowledgeGraph:
    """An entity and a relationship with each metadata; their names and keys are their numbers."""
    entities = [
        {"kind": "entity", "key": f"{n}", "type": "t", "name": f"{n}", "metadata": metadata}
        for n, metadata in enumerate(ALL_METADATA)
    ]
    ends = {"kind": "relationship", "source_entity_key": "0", "relationship_type": "r", "target_entity_key": "1"}
    relationships = [{**ends, "key": each["key"], "metadata": each["metadata"]} for each in entities]
    assert kg.load([*entities, *relationships]).refused == 0
    return kg


def listed(kg: KnowledgeGraph, **filter: Any) -> list[str]:
    """The names of the entities that a list has, in the order of their creation."""
    return [each.name for each in kg.entities.list(limit=200, **filter).items]


values = st.sampled_from(VALUES)
conditions = st.dictionaries(
    st.sampled_from(IN_METADATA), values | st.lists(values, min_size=1, max_size=4), min_size=0, max_size=2
)


@given(wanted=conditions, names=st.lists(st.sampled_from(IN_METADATA), max_size=2))
def test_metadata_is_compared_alike_everywhere(
    described: KnowledgeGraph, wanted: dict[str, Any], names: list[str]
) -> None:
    """By kind and meaning, under any name, of entities and of relationships."""
    expected = [f"{n}" for n, metadata in enumerate(ALL_METADATA) if passes(metadata, wanted, names)]
    filter: Any = {"metadata": wanted, "has_metadata": names}
    relationships = described.relationships.list(limit=200, **filter).items
    assert listed(described, **filter) == expected
    assert [each.key for each in relationships] == expected
    assert described.entities.count(**filter) == described.relationships.count(**filter) == len(expected)


def test_each_value_finds_the_same_values(described: KnowledgeGraph) -> None:
    """1 and 1.0 are the same; 1 and "1", true and "true", null and missing are not."""
    for value in VALUES:
        expected = [f"{n}" for n, metadata in enumerate(ALL_METADATA) if passes(metadata, {"country": value}, ())]
        assert listed(described, metadata={"country": value}) == expected, value


def test_each_name_is_found_by_itself(described: KnowledgeGraph) -> None:
    """Whatever SQL, JSON or a path would make of it; null is something."""
    for name in IN_METADATA:
        expected = [f"{n}" for n, metadata in enumerate(ALL_METADATA) if passes(metadata, {name: ["x", 1]}, ())]
        assert listed(described, metadata={name: ["x", 1]}) == expected, name
        having = [f"{n}" for n, metadata in enumerate(ALL_METADATA) if name in metadata]
        assert listed(described, has_metadata=name) == having, name
    assert found(described, metadata={"country": "FR", "a.b": ["x", None]}, has_metadata="a.b") != []


def test_a_cursor_belongs_to_its_conditions(described: KnowledgeGraph) -> None:
    """True is not 1 there either, and another spelling of the same condition is the same."""
    page = described.entities.list(metadata={"country": [1, "FR"]}, limit=1)
    assert described.entities.list(metadata={"country": ["FR", 1.0, 1]}, limit=1, cursor=page.next_cursor).items
    with pytest.raises(InvalidCursor):
        described.entities.list(metadata={"country": [True, "FR"]}, limit=1, cursor=page.next_cursor)


@pytest.mark.parametrize(
    ("filter", "pointer", "code"),
    [
        ({"metadata": {"a/b": [1, []]}}, "/metadata/a~1b", "not_compared"),
        ({"metadata": {"a": {"gt": 1}}}, "/metadata/a", "not_compared"),
        ({"metadata": {"a": []}}, "/metadata/a", "not_a_list"),
        ({"metadata": "a"}, "/metadata", "not_an_object"),
        ({"metadata": {f"{n}": 1 for n in range(21)}}, "/metadata", "too_many"),
        ({"metadata": {"a\x00": 1}}, "/metadata/a\x00", "invalid_text"),
        ({"has_metadata": ["a", 1]}, "/has_metadata/1", "not_text"),
        ({"name_prefix": "\u00b4"}, "/name_prefix", "blank"),
        ({"name_prefix": "\ufdfa" * 20}, "/name_prefix", "too_long"),
        ({"name": ""}, "/name/0", "blank"),
    ],
)
def test_what_cannot_be_asked_is_refused(kg: KnowledgeGraph, filter: Any, pointer: str, code: str) -> None:
    """With the place."""
    with pytest.raises(InvalidInput) as caught:
        kg.entities.list(**filter)
    assert (pointer, code) in [(fault.pointer, fault.code) for fault in caught.value.faults]


def test_a_filter_can_be_given_as_it_was_read() -> None:
    """A filter makes of its own values what it has already."""
    given = ENTITY.filter(metadata={"a": [1, "b"]}, has_metadata="c", name_prefix="İ Ǆ")  # type: ignore[arg-type]
    again = ENTITY.filter(metadata=given.metadata, has_metadata=given.has_metadata, name_prefix=given.name_prefix)
    assert again == given
