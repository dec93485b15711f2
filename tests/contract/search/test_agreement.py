"""Random names and questions: every store finds what a naive look at each name finds, in the order of the ranking."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kgl_adapters import connect
from kgl_core import KnowledgeGraph
from kgl_core.exploration.search.questions import read_question
from kgl_core.graph.entities import ENTITY, Entity
from kgl_core.graph.naming.words import words_of
from kgl_core.kernel.text import is_visible, name_form
from tests.conftest import STORES
from tests.contract.samples import entity

PARTS = (
    "oak",
    "Ash",
    "ash",
    "-",
    " ",
    " ",
    "'",
    '"',
    "C",
    "+",
    "#",
    "7",
    "42",
    "é",
    "大",
    "灯",
    "工",
    "กุ",
    "ガ",
    "🔵",
    "*",
    "\\",
)
texts = st.lists(st.sampled_from(PARTS), min_size=1, max_size=7).map("".join).map(name_form).filter(is_visible)


@pytest.fixture
def stores(empty_url: Callable[[str], str]) -> Iterator[list[KnowledgeGraph]]:
    """A graph on each store."""
    with ExitStack() as stack:
        yield [stack.enter_context(connect(empty_url(store), migrate=None)) for store in STORES]


@st.composite
def entities(draw: st.DrawFn) -> list[Entity]:
    """Entities whose names have much in common."""
    return [
        entity(
            name=draw(texts),
            aliases=tuple(draw(st.lists(texts, max_size=2))),
            type=draw(st.sampled_from(("a", "b"))),
            confidence=draw(st.sampled_from((None, 0.0, 0.5, 1.0))),
        )
        for _ in range(draw(st.integers(1, 12)))
    ]


@settings(max_examples=40)
@given(made=entities(), asked=st.lists(texts, min_size=1, max_size=6), type=st.sampled_from(("a", ())))
def test_all_stores_find_the_same(
    stores: list[KnowledgeGraph], made: list[Entity], asked: list[str], type: str | tuple[()]
) -> None:
    """Searches, suggestions and links."""
    for kg in stores:
        with kg._context.store.begin() as uow:
            uow.of(ENTITY).add(made)
            uow.commit()
    try:
        compare(stores, made, asked, type)
    finally:  # of very many names, each store looks at some
        for kg in stores:
            for each in made:
                kg.entities.delete(each.id)


def compare(stores: list[KnowledgeGraph], made: list[Entity], asked: list[str], type: str | tuple[()]) -> None:
    """Ask all stores, and look at each name."""
    for q in asked:
        question = read_question(q)
        expected = {
            each.id
            for each in made
            if (not type or each.type == type)
            and any(question.is_answered_by(words_of(text)) for text in (each.name, *each.aliases))
        }
        first, *others = [kg.search(q, type=type, limit=200, created_after=None) for kg in stores]
        assert {each.entity.id for each in first.items} == expected
        assert all(other == first for other in others)
        suggested, *rest = [kg.search.suggest(q, limit=20, type=type) for kg in stores]
        assert all(other == suggested for other in rest)
        linked, *rest_linked = [kg.search.link([q], limit=20) for kg in stores]
        assert all(other == linked for other in rest_linked)
