"""Relationships in their table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import BindParameter, Integer, ScalarSelect, Select, bindparam, func, select

from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.kernel.lookups import array, locking
from kgl_adapters.sql.kernel.noun_table import NounTable
from kgl_adapters.sql.kernel.repository import SqlRepository
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
        # The rows of each end apart, as an index has them, and no more of them than asked for.
        most: BindParameter[int] = bindparam("most", type_=Integer)
        self.count_at_ends = select(
            _counted(select(table.c.id).where(self.is_active, source == entity_id).limit(most))
            + _counted(select(table.c.id).where(self.is_active, target == entity_id).limit(most))
        )
        mark, ids = ("?", "= ?") if is_sqlite else ("%s", "= ANY(CAST(%s AS uuid[]))")
        changed = ", ".join(f"{name} = {mark}" for name in MARKED)
        self.mark = f"UPDATE {table.fullname} SET version = version + 1, {changed} WHERE id {ids}"  # noqa: S608  # our names


def _counted(rows: Select[Any]) -> ScalarSelect[int]:
    return select(func.count()).select_from(rows.subquery()).scalar_subquery()


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
            is_complete = self._session.run(self._of.mark, parameters).rowcount == len(ids)
            if not is_complete:
                savepoint.rollback()
        if not is_complete:
            raise self._stale(relationships)

    def touching(self, entity_id: UUID, limit: int) -> Sequence[Relationship]:
        statement = self._of.at_either_end.where(self._of.is_active).limit(bindparam("limit"))
        parameters = {"entity_id": self._encoding.id(entity_id), "limit": limit}
        return [self._of.read(row) for row in self._session.execute(statement, parameters)]

    def count_touching(self, entity_id: UUID, most: int) -> int:
        parameters = {"entity_id": self._encoding.id(entity_id), "most": most}
        return min(most, int(self._session.execute(self._of.count_at_ends, parameters).scalar_one()))

    def restorable_with(self, entity_id: UUID, after: UUID | None, limit: int) -> Sequence[Relationship]:
        was_taken_along = self._of.table.c.deleted_with.is_not(None)
        statement = self._of.at_either_end.where(~self._of.is_active, was_taken_along).order_by(None)
        statement, parameters = scanned(statement, self._of.table, after, limit, self._encoding)
        parameters["entity_id"] = self._encoding.id(entity_id)
        return [self._of.read(row) for row in self._session.execute(statement, parameters)]
