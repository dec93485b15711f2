"""Extractions beside each other: no error reaches a caller, nothing is made twice, and nothing said is lost."""

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest

from kgl_adapters import connect
from kgl_core import AlreadyWithdrawn, Entity, KnowledgeGraph, NotFound, NotWithdrawn
from kgl_core.graph.entities import ENTITY
from tests.conftest import close_clean
from tests.contract.evidence.documents import (
    Fields,
    active,
    document,
    facts,
    joins,
    keyed,
    person,
    require_sound,
    said_of,
)

THREADS = 8
ROUNDS = 6


@pytest.fixture
def kg(store_url: str) -> Iterator[KnowledgeGraph]:
    """A graph that several threads use."""
    with connect(store_url, migrate=None if store_url.startswith("sqlite") else False) as graph:
        yield graph
        require_sound(graph)
        close_clean(graph._context.store)


def at_once(works: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each of these returns that run beside each other. Raises what one of them raises."""
    with ThreadPoolExecutor(len(works)) as pool:
        running = [pool.submit(work) for work in works]
        wait(running)
    return [each.result() for each in running]


def test_documents_that_name_the_same_keys_share_the_entities(kg: KnowledgeGraph) -> None:
    """One of each, and an assertion of each document; again for what was retired."""
    given = document(keyed("ada"), keyed("acme"), joins("ada", "works_at", "acme"))
    sources = [f"d{number}" for number in range(THREADS)]
    for _ in range(2):
        results = at_once([lambda s=source: kg.extract(s, "x", given) for source in sources])  # type: ignore[misc]
        assert len({tuple(result.labels.values()) for result in results}) == 1
        assert active(kg).keys() == {"ada", "acme", "works_at"}
        for fact in active(kg).values():
            assert fact.sources_for == len(said_of(kg, fact)) == THREADS
        assert len([*facts(kg)]) == 3
        at_once([lambda s=source: kg.withdraw(s, "x") for source in sources])  # type: ignore[misc]
        assert active(kg) == {}


def test_two_extractions_of_one_document_give_the_result_of_one_order(kg: KnowledgeGraph) -> None:
    """Never a mix: the later one replaces the earlier one whole."""
    one = document(person("T1", "Ada"), person("T2", "Bo"), joins("T1", "knows", "T2", confidence=0.5))
    two = document(person("T1", "Ada"), person("T3", "Cy"), joins("T1", "likes", "T3"), joins("T1", "knows", "T3"))
    for _ in range(ROUNDS):
        at_once([lambda: kg.extract("d", "x", one), lambda: kg.extract("d", "x", two)])
        names = sorted(getattr(fact, "name", None) or fact.relationship_type for fact in facts(kg) if fact.is_active)
        assert names in (["Ada", "Bo", "knows"], ["Ada", "Cy", "knows", "likes"])
    assert len([fact for fact in facts(kg) if getattr(fact, "name", None)]) == 3


def test_one_document_by_many_threads_at_once_is_one(kg: KnowledgeGraph) -> None:
    """The first one creates, the others find nothing to change."""
    given = document(person("T1", "Ada"), person("T2", "Bo"), joins("T1", "knows", "T2"))
    results = at_once([lambda: kg.extract("d", "x", given)] * THREADS)
    assert sorted(result.created for result in results) == [0] * (THREADS - 1) + [3]
    assert kg.stats().changes == 3


def test_ranks_beside_what_they_rank(kg: KnowledgeGraph) -> None:
    """Whatever is said meanwhile shows what wins in the end, also of an extractor that nobody knew before."""
    for number in range(ROUNDS):
        names = [f"x{number}", f"y{number}"]
        ids = {name: kg.extractors.create(name=name).id for name in names[: number % 3]}
        says = [
            lambda n=name, d=source: kg.extract(f"d{d}", n, document(keyed("ada", n, confidence=d / 10)))  # type: ignore[misc]
            for name in names
            for source in range(3)
        ]
        ranks = [
            lambda i=id, r=rank: kg.extractors.rank(i, r)  # type: ignore[misc]
            for id, rank in zip(ids.values(), (number + 1, number + 2), strict=False)
        ]
        at_once([*says[:3], *ranks, *says[3:]])
        if ids:
            assert kg.entities.get_by_key("ada").name == [*ids][-1]
    assert len(kg.extractors.list().items) == 2 * ROUNDS


class Client:
    """Extracts and withdraws documents that overlap with those of others."""

    def __init__(self, kg: KnowledgeGraph, number: int) -> None:
        self._kg, self._random, self._number = kg, random.Random(number), number

    def run(self) -> None:
        for _ in range(ROUNDS * 2):
            source = f"d{self._random.randrange(4)}"
            extractor = f"x{self._number % 2}"
            try:
                self._random.choice([self._extract, self._extract, self._kg.withdraw, self._kg.reinstate])(
                    source, extractor
                )
            except (NotFound, AlreadyWithdrawn, NotWithdrawn):
                continue

    def _extract(self, source: str, extractor: str) -> None:
        self._kg.extract(source, extractor, self._document())

    def _document(self) -> Fields:
        names = self._random.sample("abcdef", 4)
        items = [keyed(name, confidence=self._random.choice([0.3, 0.5, None])) for name in names]
        pairs = [self._random.sample(names, 2) for _ in range(4)]
        if self._random.random() < 0.5:  # joins what other documents name
            ways = [{"source_entity_key": one, "target_entity_key": other} for one, other in pairs]
            return document(*({"relationship_type": "knows", **way} for way in ways))
        return document(*items, *(joins(one, "knows", other, confidence=0.5) for one, other in pairs))


def test_clients_that_extract_and_withdraw_beside_each_other_leave_a_sound_graph(kg: KnowledgeGraph) -> None:
    """What is in force then is what each fact shows; withdrawing all of it leaves nothing."""
    at_once([Client(kg, number).run for number in range(THREADS)])
    require_sound(kg)
    keys = [fact.key for fact in facts(kg) if isinstance(fact, Entity)]
    assert len({*keys}) == len(keys)
    for source in range(4):
        for extractor in range(2):
            try:
                kg.withdraw(f"d{source}", f"x{extractor}")
            except (NotFound, AlreadyWithdrawn):
                continue
    assert active(kg) == {}


def test_hands_and_extractors_beside_each_other(kg: KnowledgeGraph) -> None:
    """People who assert, pin and change what extractors find at the same time."""
    given = document(keyed("ada", confidence=0.5), keyed("bo"), joins("ada", "knows", "bo"))
    id = kg.extract("d", "x", given).labels["ada"]
    kg.extract("always", "x", document(keyed("ada", confidence=0.1)))

    def extract() -> None:
        for number in range(ROUNDS):
            kg.extract("d", "x", document(keyed("ada", confidence=number % 10 / 10)))
            kg.extract("d", "x", given)

    def assert_it(source: str) -> None:
        for number in range(ROUNDS):
            kg.assertions.withdraw(kg.assertions.add(ENTITY, id, source=source, confidence=number % 10 / 10).id)

    def change() -> None:
        for number in range(ROUNDS):
            kg.entities.update(id, metadata={"n": number})
            kg.assertions.pin(ENTITY, id, [])

    at_once([extract, lambda: assert_it("e"), lambda: assert_it("f"), change])
    assert kg.entities.get(id).confidence == 0.55
