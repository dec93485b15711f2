"""Relationships in their table."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import BindParameter, Integer, ScalarSelect, Select, bindparam, func, select

from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.graph.lookups import LockingFinder, array, locking
from kgl_adapters.sql.graph.records import RecordTable, SqlRecords, lock_order
from kgl_adapters.sql.graph.rows import GRAPH_ROWS, RELATIONSHIP_COLUMNS
from kgl_adapters.sql.listings import Condition
from kgl_adapters.sql.schema import relationships
from kgl_adapters.sql.statements import scanned
from kgl_core.graph.relationships import Relationship, RelationshipFilter, RelationshipSort, Triple, triple_order
from kgl_core.kernel.pages import Position


class RelationshipTable(RecordTable):
    """The table of relationships and the statements on it."""

    def __init__(self, *, is_sqlite: bool) -> None:
        ends = ("source_entity_id", "relationship_type", "target_entity_id")
        fixed = ("id", *ends, "created_by", "created_at")
        filtered = {**{name: [name] for name in ends}, "entity_id": ["source_entity_id", "target_entity_id"]}
        super().__init__(relationships, RELATIONSHIP_COLUMNS, "relationship_type", fixed, filtered, is_sqlite=is_sqlite)
        table = self.table
        triple = [table.c[name] for name in ends]
        self.by_triple = self.finders_of_states(self.columns, triple)
        self.locking = LockingFinder(table, self.columns, triple, "update")
        is_at_either_end = Condition([table.c.source_entity_id, table.c.target_entity_id]).of("entity_id", 1)
        self.at_either_end = locking(self.select, table, "update").where(is_at_either_end)
        # The rows of each end apart, as an index has them, and no more of them than asked for.
        source, target = table.c.source_entity_id, table.c.target_entity_id
        entity_id = bindparam("entity_id", type_=source.type)
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


class SqlRelationships(SqlRecords[Relationship]):
    """A `kgl_core.graph.relationships.RelationshipRepository`."""

    _kind = "relationship"
    _of: RelationshipTable

    def __init__(self, session: Session) -> None:
        rows = GRAPH_ROWS[session.is_sqlite]
        super().__init__(session, _TABLES[session.is_sqlite], rows.relationship, rows.relationship_values)

    def find(
        self, ids: Collection[UUID], triples: Collection[Triple] = (), *, lock: Literal["update"] | None = None
    ) -> Sequence[Relationship]:
        of, values = self._of, sorted(triples, key=triple_order)
        if lock is None or not triples or self._session.is_sqlite:
            rows = of.by_id[lock].find(self._session, lock_order(ids)) + self._find_in_both_states(of.by_triple, values)
        else:
            rows = of.locking.find(self._session, ids, values)
        return tuple({relationship.id: relationship for relationship in map(self._read, rows)}.values())

    def mark(self, relationships: Sequence[Relationship]) -> None:
        if not relationships:
            return
        values = dict(zip(self._of.inserted, self._values(relationships[0]), strict=True))
        marks = tuple(values[name] for name in MARKED)
        ids = [relationship.id for relationship in relationships]
        parameters = [(*marks, self._rows.id(id)) for id in ids] if self._session.is_sqlite else (*marks, array(ids))
        with self._session.savepoint() as savepoint:
            is_complete = self._session.run(self._of.mark, parameters).rowcount == len(ids)
            if not is_complete:
                savepoint.rollback()
        if not is_complete:
            raise self._stale(relationships)

    def touching(self, entity_id: UUID, limit: int) -> Sequence[Relationship]:
        statement = self._of.at_either_end.where(self._of.is_active).limit(bindparam("limit"))
        parameters = {"entity_id": self._rows.id(entity_id), "limit": limit}
        return [self._read(row) for row in self._session.execute(statement, parameters)]

    def count_touching(self, entity_id: UUID, most: int) -> int:
        parameters = {"entity_id": self._rows.id(entity_id), "most": most}
        return min(most, int(self._session.execute(self._of.count_at_ends, parameters).scalar_one()))

    def restorable_with(self, entity_id: UUID, after: UUID | None, limit: int) -> Sequence[Relationship]:
        was_taken_along = self._of.table.c.deleted_with.is_not(None)
        statement = self._of.at_either_end.where(~self._of.is_active, was_taken_along).order_by(None)
        statement, parameters = scanned(statement, self._of.table, after, limit, self._rows)
        parameters["entity_id"] = self._rows.id(entity_id)
        return [self._read(row) for row in self._session.execute(statement, parameters)]

    def list(
        self, filter: RelationshipFilter, sort: RelationshipSort, after: Position | None, limit: int
    ) -> Sequence[Relationship]:
        return self._page(filter, sort, after, limit)
