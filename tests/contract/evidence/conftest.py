"""A graph that is held against its evidence at the end of each test."""

from collections.abc import Iterator

import pytest

from kgl_adapters.sql.storage.checking import SqlInspection
from kgl_core import KnowledgeGraph
from tests.contract.evidence.documents import require_sound


@pytest.fixture
def kg(kg: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch) -> Iterator[KnowledgeGraph]:
    """A knowledge graph as its users get it, in which every fact must show what is said of it in the end."""
    yield kg
    # A database holds its keys and indexes together itself; to look at them would take half of the time.
    monkeypatch.setattr(SqlInspection, "findings", lambda *_: iter(()))
    require_sound(kg)
