"""Searches that show some fields only: they find the same, and nothing else is read; the same on every store."""

from typing import Any

import attrs
import pytest

from kgl_core import InvalidInput, KnowledgeGraph
from kgl_core.exploration.walked_records import part_of
from kgl_core.kernel.units_of_work import Store
from tests.contract.samples import graph_on

FIELDS = (
    ("name",),
    ("type", "metadata", "aliases"),
    ("id", "created_at", "is_active", "confidence", "key", "created_by"),
)


def forest(store: Store) -> KnowledgeGraph:
    """Trees with names that are alike."""
    kg = graph_on(store)
    for number, name in enumerate(("Oak", "OAK", "Oak tree", "Ök", "木の家", "Ash")):
        kg.entities.create(
            type="tree",
            name=name,
            key=f"k{number}",
            aliases=["oak!", "🌳"] if number % 2 else [],
            confidence=number / 8 or None,
            metadata={"number": number},
        )
    return kg


@pytest.mark.parametrize("fields", FIELDS)
@pytest.mark.parametrize("asked", ["oak", "🌳", "木", "k3", "nothing"])
def test_parts_are_of_the_same_entities(store: Store, asked: str, fields: tuple[str, ...]) -> None:
    """Searches, suggestions and links."""
    kg = forest(store)
    parts, names = kg.search.showing(*fields), ("id", *fields)

    def cut(found: Any) -> Any:
        return attrs.evolve(found, entity=part_of(found.entity, sorted(set(names))))

    def sorted_part(found: Any) -> Any:
        return attrs.evolve(found, entity=dict(sorted(found.entity.items())))

    pages: dict[bool, list[Any]] = {False: [], True: []}
    for is_part, search in ((False, kg.search), (True, parts)):
        cursor = None
        while True:
            page = search(asked, limit=2, cursor=cursor)
            pages[is_part] += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
    assert [*map(sorted_part, pages[True])] == [*map(cut, pages[False])]
    assert [*map(sorted_part, parts.suggest(asked))] == [*map(cut, kg.search.suggest(asked))]
    asked_names = [asked, {"name": asked, "type": "tree"}, {"name": asked, "type": "stone"}]
    for whole, part in zip(kg.search.link(asked_names), parts.link(asked_names), strict=True):
        assert [*map(sorted_part, part.matches)] == [*map(cut, whole.matches)]
        assert (part.name, part.type, part.is_cut) == (whole.name, whole.type, whole.is_cut)


def test_unknown_fields(store: Store) -> None:
    """They are refused before anything is looked for."""
    with pytest.raises(InvalidInput, match="there is no field 'nmae'"):
        graph_on(store).search.showing("nmae")
