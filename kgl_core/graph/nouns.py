"""The nouns of the graph: what is loaded, dumped and checked, and whose changes are logged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kgl_core.graph.entities import ENTITY
from kgl_core.graph.relationships import RELATIONSHIP
from kgl_core.kernel.nouns.noun import AnyNoun
from kgl_core.kernel.nouns.records import Record

GraphNoun = AnyNoun

GRAPH_NOUNS: Final[tuple[GraphNoun, ...]] = (ENTITY, RELATIONSHIP)
"""In the order of loads and dumps: a noun comes after those that its records refer to."""

NOUNS_BY_NAME: Final[Mapping[str, GraphNoun]] = {noun.name: noun for noun in GRAPH_NOUNS}
_BY_RECORD: Final[Mapping[type, GraphNoun]] = {noun.record: noun for noun in GRAPH_NOUNS}


def noun_of(record: Record) -> GraphNoun:
    """The noun of a record of the graph."""
    return _BY_RECORD[type(record)]
