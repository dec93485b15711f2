"""A graph that is held against its evidence at the end of each test."""

from collections.abc import Iterator

import pytest

from kgl_core import KnowledgeGraph
from tests.contract.evidence.documents import require_sound


@pytest.fixture
def kg(kg: KnowledgeGraph) -> Iterator[KnowledgeGraph]:
    """A knowledge graph as its users get it, in which every fact must show what is said of it in the end."""
    yield kg
    require_sound(kg)
