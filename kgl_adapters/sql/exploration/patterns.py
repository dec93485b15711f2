"""Patterns over the tables of the graph: one statement finds the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kgl_adapters.sql.engine.queries import Query
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.exploration.pattern_shapes import Shape, ShapeReader
from kgl_adapters.sql.exploration.pattern_statements import STATEMENTS
from kgl_core.exploration.patterns import Pattern, Row


class SqlPatterns:
    """A `kgl_core.exploration.patterns.Patterns`."""

    def __init__(self, session: Session) -> None:
        session.limit_time()
        self._session = session
        self._statements = STATEMENTS[session.is_sqlite]

    def rows(self, pattern: Pattern, limit: int) -> Sequence[Row]:
        shape, parameters = self._read(pattern, limit)
        shown, read_id = len(shape.returned), self._session.encoding.read_id
        found = self._fetch(self._statements.rows(shape), parameters)
        return [tuple(None if id is None else read_id(id) for id in row[:shown]) for row in found]

    def count(self, pattern: Pattern, most: int) -> int:
        shape, parameters = self._read(pattern, most)
        [(count,)] = self._fetch(self._statements.count(shape), parameters)
        return int(count)

    def _fetch(self, query: Query, parameters: Mapping[str, Any]) -> Sequence[tuple[Any, ...]]:
        # In which order PostgreSQL best looks for the parts of a pattern depends on the values in its conditions.
        # Without this, it would keep one plan for all values.
        self._session.set_locally("plan_cache_mode", "force_custom_plan")
        return self._session.fetch(query, parameters)

    def _read(self, pattern: Pattern, limit: int) -> tuple[Shape, dict[str, Any]]:
        """What the SQL depends on, and the parameters of its conditions."""
        reader = ShapeReader(pattern, self._session.encoding)
        return reader.read(), {**reader.parameters, "limit": limit}
