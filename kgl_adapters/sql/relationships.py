"""Relationships in their table."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import Select, bindparam, or_, text

from kgl_adapters.sql.records import VALUES, RecordTable, SqlRecords
from kgl_adapters.sql.rows import RELATIONSHIP_COLUMNS
from kgl_adapters.sql.schema import relationships
from kgl_adapters.sql.statements import one_of, scanned
from kgl_core.pages import Position
from kgl_core.relationships import Relationship, RelationshipFilter, RelationshipSort, Triple

_TABLE: Final = RecordTable(
    relationships,
    RELATIONSHIP_COLUMNS,
    "relationship_type",
    fixed=("id", "source_entity_id", "relationship_type", "target_entity_id", "created_by", "created_at"),
)
_AT_EITHER_END: Final = or_(
    relationships.c.source_entity_id == bindparam("entity_id"),
    relationships.c.target_entity_id == bindparam("entity_id"),
)
_TAKEN_ALONG: Final = relationships.c.deleted_with.is_not(None)

# Names of our own, so nothing to inject. One statement for each of the partial indexes on the triple.
_NAMES: Final = ", ".join(f"r.{name}" for name in RELATIONSHIP_COLUMNS)
_STATES: Final = ("NULL", "NOT NULL")
_SQLITE_BY_TRIPLE: Final = tuple(
    f"SELECT {_NAMES} FROM entity_relationships r"  # noqa: S608
    f" WHERE r.source_entity_id = ? AND r.relationship_type = ? AND r.target_entity_id = ? AND r.deleted_at IS {state}"
    for state in _STATES
)
_POSTGRES_BY_TRIPLE: Final = tuple(
    f"SELECT {_NAMES}, age(r.xmin) BETWEEN -1000000 AND -1"  # noqa: S608
    " FROM unnest(CAST(:sources AS uuid[]), CAST(:types AS text[]), CAST(:targets AS uuid[])) AS w (s, t, o)"
    " JOIN backend_entities.entity_relationships r"
    " ON r.source_entity_id = w.s AND r.relationship_type = w.t AND r.target_entity_id = w.o"
    f" AND r.deleted_at IS {state} ORDER BY r.id"
    for state in _STATES
)


class SqlRelationships(SqlRecords[Relationship]):
    """A `kgl_core.relationships.RelationshipRepository`."""

    _kind = "relationship"
    _of = _TABLE

    def _read(self, row: Sequence[Any]) -> Relationship:
        return self._rows.relationship(row)

    def _values(self, record: Relationship) -> tuple[Any, ...]:
        return self._rows.relationship_values(record)

    def find(
        self, ids: Collection[UUID], triples: Collection[Triple] = (), *, lock: Literal["update"] | None = None
    ) -> Sequence[Relationship]:
        statement = self._locked(lock).where(relationships.c.id.in_(VALUES))
        rows = self._fetch_each(statement, sorted(ids), lock, self._rows.id)
        if triples:
            rows += self._find_triples(sorted(triples), lock)
        return tuple({relationship.id: relationship for relationship in map(self._read, rows)}.values())

    def _find_triples(self, triples: Sequence[Triple], lock: Literal["update"] | None) -> list[Sequence[Any]]:
        found: list[Sequence[Any]] = []
        if self._session.is_sqlite:
            values = [(self._rows.id(source), type, self._rows.id(target)) for source, type, target in triples]
            for statement in _SQLITE_BY_TRIPLE:
                found += self._session.lookup(statement, values)
            return found
        sources, types, targets = (list(column) for column in zip(*triples, strict=True))
        parameters = {"sources": sources, "types": types, "targets": targets}
        for statement in _POSTGRES_BY_TRIPLE:
            locking = text(f"{statement} FOR NO KEY UPDATE OF r" if lock else statement)
            rows = self._session.execute(locking, parameters)
            found += self._unflagged(rows, lock) if lock else [row[:-1] for row in rows]
        return found

    def touching(self, entity_id: UUID, limit: int) -> Sequence[Relationship]:
        statement = self._locked("update").where(_AT_EITHER_END, _TABLE.is_active).limit(bindparam("limit"))
        parameters = {"entity_id": self._rows.id(entity_id), "limit": limit}
        return [self._read(row) for row in self._fetch(statement, parameters, "update")]

    def restorable_with(self, entity_id: UUID, after: UUID | None, limit: int) -> Sequence[Relationship]:
        statement = self._locked("update").where(_AT_EITHER_END, ~_TABLE.is_active, _TAKEN_ALONG).order_by(None)
        statement, parameters = scanned(statement, relationships, after, limit, self._rows)
        parameters["entity_id"] = self._rows.id(entity_id)
        return [self._read(row) for row in self._fetch(statement, parameters, "update")]

    def list(
        self, filter: RelationshipFilter, sort: RelationshipSort, after: Position | None, limit: int
    ) -> Sequence[Relationship]:
        return self._page(filter, relationships.c[sort.removeprefix("-")], sort, after, limit)

    def _filtered(self, statement: Select[Any], filter: RelationshipFilter) -> tuple[Select[Any], dict[str, Any]]:
        statement, parameters = self._restricted(statement, filter)
        column = relationships.c.relationship_type
        statement, more = one_of(statement, column, "relationship_type", filter.relationship_type)
        parameters |= more
        for name in ("source_entity_id", "target_entity_id"):
            if (value := getattr(filter, name)) is not None:
                statement = statement.where(relationships.c[name] == bindparam(name))
                parameters[name] = self._rows.id(value)
        if filter.entity_id is not None:
            statement = statement.where(_AT_EITHER_END)
            parameters["entity_id"] = self._rows.id(filter.entity_id)
        return statement, parameters
