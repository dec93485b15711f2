"""Relationships in their table."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, literal_column, or_, select

from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.graph.tables import ENTITIES
from kgl_adapters.sql.kernel.lookups import Finder, array, locking
from kgl_adapters.sql.kernel.noun_table import NounTable
from kgl_adapters.sql.kernel.repository import SqlRepository, lock_order
from kgl_adapters.sql.kernel.statements import scanned
from kgl_core.graph.relationships import RELATIONSHIP, Relationship, RelationshipFilter, Triple


class RelationshipTable(NounTable[Relationship, RelationshipFilter, Triple]):
    """The table of relationships and the statements on it."""

    def __init__(self, *, is_sqlite: bool) -> None:
        super().__init__(RELATIONSHIP, is_sqlite=is_sqlite)
        table = self.table
        source, target = table.c.source_entity_id, table.c.target_entity_id
        entity_id = bindparam("entity_id", type_=source.type)
        self.at_either_end = locking(self.select, table, "update").where((source == entity_id) | (target == entity_id))
        entities = ENTITIES[is_sqlite]
        # One row of each end, as an index has them; for EXISTS, PostgreSQL might read all relationships.
        one: ColumnElement[int] = literal_column("1")
        none: ColumnElement[int] = literal_column("0")
        at_ends = (
            select(table.c.id).where(self.is_active, end == entities.c.id).limit(one).offset(none)
            for end in (source, target)
        )
        is_joined = or_(*(found.correlate(entities).scalar_subquery().is_not(None) for found in at_ends))
        self.joined = Finder(entities, [entities.c.id], [entities.c.id], None, is_joined)
        mark, ids = ("?", "= ?") if is_sqlite else ("%s", "= ANY(CAST(%s AS uuid[]))")
        changed = ", ".join(f"{name} = {mark}" for name in MARKED)
        self.mark = f"UPDATE {table.fullname} SET version = version + 1, {changed} WHERE id {ids}"  # noqa: S608  # our names


MARKED: Final = ("updated_at", "deleted_at", "deleted_by", "deleted_with")
_TABLES: Final = {is_sqlite: RelationshipTable(is_sqlite=is_sqlite) for is_sqlite in (False, True)}


class SqlRelationships(SqlRepository[Relationship, RelationshipFilter, Triple]):
    """A `kgl_core.graph.relationships.RelationshipRepository`."""

    _of: RelationshipTable

    def __init__(self, session: Session) -> None:
        super().__init__(session, _TABLES[session.is_sqlite])

    def mark(self, relationships: Sequence[Relationship]) -> None:
        if not relationships:
            return
        values = dict(zip(self._of.inserted, self._of.write(relationships[0]), strict=True))
        marks = tuple(values[name] for name in MARKED)
        ids = [relationship.id for relationship in relationships]
        parameters = (
            [(*marks, self._encoding.id(id)) for id in ids] if self._session.is_sqlite else (*marks, array(ids))
        )
        with self._session.savepoint() as savepoint:
            is_complete = self._session.write(self._of.mark, parameters) == len(ids)
            if not is_complete:
                savepoint.rollback()
        if not is_complete:
            raise self._stale(relationships)

    def touching(self, entity_id: UUID, limit: int) -> Sequence[Relationship]:
        statement = self._of.at_either_end.where(self._of.is_active).limit(bindparam("limit"))
        parameters = {"entity_id": self._encoding.id(entity_id), "limit": limit}
        return [self._of.read(row) for row in self._session.execute(statement, parameters)]

    def joined(self, entity_ids: Collection[UUID]) -> set[UUID]:
        return {self._encoding.read_id(id) for (id,) in self._of.joined.find(self._session, lock_order(entity_ids))}

    def restorable_with(self, entity_id: UUID, after: UUID | None, limit: int) -> Sequence[Relationship]:
        was_taken_along = self._of.table.c.deleted_with.is_not(None)
        statement = self._of.at_either_end.where(~self._of.is_active, was_taken_along).order_by(None)
        statement, parameters = scanned(statement, self._of.table, after, limit, self._encoding)
        parameters["entity_id"] = self._encoding.id(entity_id)
        return [self._of.read(row) for row in self._session.execute(statement, parameters)]
