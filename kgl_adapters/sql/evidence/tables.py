"""The tables of evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs
import orjson
from sqlalchemy import CheckConstraint

import kgl_adapters.sql.graph.tables  # noqa: F401  # defined first, since assertions refer to them
from kgl_adapters.sql.kernel.json_columns import write_json
from kgl_adapters.sql.kernel.row_forms import FORMS, alike
from kgl_adapters.sql.kernel.tables import GRAPH, define_noun, index
from kgl_adapters.sql.types import JSON
from kgl_core.evidence.assertions import ASSERTION, Location
from kgl_core.evidence.extraction.kept_extractions import EXTRACTION
from kgl_core.evidence.origins.extractors import EXTRACTOR
from kgl_core.evidence.origins.sources import SOURCE


def _write_locations(value: Sequence[Location]) -> str:
    return write_json([_given(place) for place in value]) if value else _NOWHERE


def _given(place: Location) -> dict[str, Any]:
    return {name: value for name in _PARTS if (value := getattr(place, name)) is not None}


def _read_locations(text: str) -> tuple[Location, ...]:
    return () if text == _NOWHERE else tuple(Location(**place) for place in orjson.loads(text))


_PARTS: Final = tuple(field.name for field in attrs.fields(Location))
_NOWHERE: Final = "[]"
FORMS[tuple[Location, ...]] = alike(JSON, _write_locations, _read_locations)
SOURCES: Final = define_noun(SOURCE, "sources", GRAPH, lambda: [index("ix_sources_created_at", "created_at", "id")])
EXTRACTORS: Final = define_noun(
    EXTRACTOR, "extractors", GRAPH, lambda: [index("ix_extractors_created_at", "created_at", "id")]
)
EXTRACTIONS: Final = define_noun(
    EXTRACTION, "extractions", GRAPH, lambda: [index("ix_extractions_source", "source_id", "created_at", "id")]
)
OF_EXTRACTOR: Final = "extractor > '' AND withdrawn_at IS NULL"
"""What an extractor found, in words that other statements do not use.

Else SQLite would look for what it found in one source among all that it ever found. PostgreSQL sees through the words:
`kgl_adapters.sql.evidence.assertions` keeps it from that.
"""
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
        index("ix_assertions_extractor", "extractor", "id", where=OF_EXTRACTOR),
        index("ix_assertions_label", "source_id", "label", where="label IS NOT NULL"),
        index("ix_assertions_asserted_at", "asserted_at", "id"),
        index("ix_assertions_run", "run", where="run IS NOT NULL"),
    ],
)
