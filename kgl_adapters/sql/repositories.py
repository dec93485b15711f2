"""The repositories of all nouns: each noun that has a table has one, and some can do more than others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.evidence.assertions import SqlAssertions
from kgl_adapters.sql.graph.entities import ENTITY_TABLES, SqlEntities
from kgl_adapters.sql.graph.relationships import SqlRelationships
from kgl_adapters.sql.kernel.noun_table import NounTable, noun_tables
from kgl_adapters.sql.kernel.repository import SqlRepository
from kgl_adapters.sql.kernel.tables import TABLES
from kgl_core.evidence.assertions import ASSERTION
from kgl_core.graph.entities import ENTITY
from kgl_core.graph.relationships import RELATIONSHIP
from kgl_core.kernel.nouns.noun import AnyNoun

NOUN_TABLES: Final[Mapping[AnyNoun, Mapping[bool, NounTable[Any, Any, Any]]]] = {
    noun: ENTITY_TABLES if noun is ENTITY else noun_tables(noun) for noun in TABLES
}
"""The statements on each noun's table, by whether the database is SQLite."""


def _plain(noun: AnyNoun) -> Callable[[Session], SqlRepository[Any, Any, Any]]:
    tables = NOUN_TABLES[noun]
    return lambda session: SqlRepository(session, tables[session.is_sqlite])


REPOSITORIES: Final[Mapping[AnyNoun, Callable[[Session], SqlRepository[Any, Any, Any]]]] = {
    **{noun: _plain(noun) for noun in TABLES},
    ENTITY: SqlEntities,
    RELATIONSHIP: SqlRelationships,
    ASSERTION: SqlAssertions,
}
"""What makes the repository of a noun in a session."""
