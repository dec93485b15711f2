"""The tables of evidence."""

from __future__ import annotations

from typing import Final

from sqlalchemy import CheckConstraint

import kgl_adapters.sql.graph.tables  # noqa: F401  # defined first, since assertions refer to them
from kgl_adapters.sql.kernel.tables import GRAPH, define_noun, index
from kgl_core.evidence.assertions import ASSERTION
from kgl_core.evidence.sources import SOURCE

SOURCES: Final = define_noun(SOURCE, "sources", GRAPH, lambda: [index("ix_sources_created_at", "created_at", "id")])
ASSERTIONS: Final = define_noun(
    ASSERTION,
    "assertions",
    GRAPH,
    lambda: [
        CheckConstraint("confidence BETWEEN 0 AND 1", name="confidence"),
        CheckConstraint("(entity_id IS NULL) <> (relationship_id IS NULL)", name="fact"),
        index("ix_assertions_entity", "entity_id", "asserted_at", "id", where="entity_id IS NOT NULL"),
        index(
            "ix_assertions_relationship", "relationship_id", "asserted_at", "id", where="relationship_id IS NOT NULL"
        ),
        index("ix_assertions_source", "source_id", "asserted_at", "id", where="source_id IS NOT NULL"),
        index("ix_assertions_label", "source_id", "label", where="label IS NOT NULL"),
        index("ix_assertions_asserted_at", "asserted_at", "id"),
    ],
)
