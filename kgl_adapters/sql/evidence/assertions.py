"""Assertions in their table."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final, Never
from uuid import UUID

from sqlalchemy import bindparam, func, literal_column, select, text, update

from kgl_adapters.sql.engine.queries import Query
from kgl_adapters.sql.engine.sessions import Session
from kgl_adapters.sql.evidence import tables
from kgl_adapters.sql.evidence.contributions import contributed, sharing, stated_alone
from kgl_adapters.sql.evidence.tables import OF_EXTRACTOR
from kgl_adapters.sql.graph.tables import ENTITIES, RELATIONSHIPS
from kgl_adapters.sql.kernel.lookups import Finder, among, texts
from kgl_adapters.sql.kernel.noun_table import NounTable
from kgl_adapters.sql.kernel.repository import SqlRepository, lock_order
from kgl_adapters.sql.kernel.statements import scanned
from kgl_core.evidence.assertions import ASSERTION, Assertion, AssertionFilter, Contributed, Stance
from kgl_core.kernel.permissions import Actor

_DEFINED: Final = tables.ASSERTIONS


class AssertionTable(NounTable[Assertion, AssertionFilter, Never]):
    """The table of assertions and the statements on it."""

    def __init__(self, *, is_sqlite: bool) -> None:
        super().__init__(ASSERTION, is_sqlite=is_sqlite)
        table, columns = self.table, self.columns
        in_force = table.c.withdrawn_at.is_(None)
        self.of_entities = Finder(table, columns, [table.c.entity_id], None, in_force)
        self.of_relationships = Finder(table, columns, [table.c.relationship_id], None, in_force)
        # A source has few assertions, an extractor may have millions. A database without statistics does not know
        # whose index to take; this keeps it from that of extractors.
        extracted = [
            table.c.source_id == bindparam("source_id"),
            func.coalesce(table.c.extractor, literal_column("''")) == bindparam("extractor"),
        ]
        mine = [*extracted, table.c.asserted_by == bindparam("asserted_by")]
        labelled = self.select.where(*extracted, among(table.c.label, "labels", is_sqlite=is_sqlite))
        self.labelled = Query(labelled, is_sqlite=is_sqlite)
        by_index = text(OF_EXTRACTOR)  # in so many words, or SQLite does not take it
        self.found_by = self.select.where(table.c.extractor == bindparam("extractor"), by_index)
        self.extracted = Query(self.select.where(*mine, in_force), is_sqlite=is_sqlite)
        fact_id = func.coalesce(table.c.entity_id, table.c.relationship_id)
        entities, relationships = (defined[is_sqlite] for defined in (ENTITIES, RELATIONSHIPS))
        # Each fact is looked up by itself: for a join, PostgreSQL might read all facts.
        gone_at = (
            select(facts.c.deleted_at).where(facts.c.id == column).scalar_subquery()
            for facts, column in ((entities, table.c.entity_id), (relationships, table.c.relationship_id))
        )
        is_active = func.coalesce(*gone_at).is_(None)
        labels = select(table.c.label, fact_id, is_active).where(*mine, in_force, table.c.about.is_(None))
        self.labels = Query(labels, is_sqlite=is_sqlite)
        then = table.c.withdrawn_at == bindparam("withdrawn_at")
        of_run = table.c.withdrawn_run == bindparam("withdrawn_run")
        self.withdrawn = Query(self.select.where(*mine, then, of_run), is_sqlite=is_sqlite)
        self.contributed = Query(contributed(table, entities, relationships), is_sqlite=is_sqlite)
        self.stated_alone = [Query(stated_alone(facts), is_sqlite=is_sqlite) for facts in (entities, relationships)]
        self.sharing = Query(sharing(table, entities, relationships), is_sqlite=is_sqlite)
        at_id = table.c.id == bindparam("at_id")
        names = ("withdrawn_at", "withdrawn_by", "withdrawn_run")
        self.withdraw = update(table).where(at_id).values({name: bindparam(name) for name in names})


_TABLES: Final = {is_sqlite: AssertionTable(is_sqlite=is_sqlite) for is_sqlite in (False, True)}


class SqlAssertions(SqlRepository[Assertion, AssertionFilter, Never]):
    """A `kgl_core.evidence.assertions.AssertionRepository`."""

    _of: AssertionTable

    def __init__(self, session: Session) -> None:
        super().__init__(session, _TABLES[session.is_sqlite])

    def of_entities(self, ids: Collection[UUID]) -> Sequence[Assertion]:
        return [*map(self._of.read, self._of.of_entities.find(self._session, lock_order(ids)))]

    def of_relationships(self, ids: Collection[UUID]) -> Sequence[Assertion]:
        return [*map(self._of.read, self._of.of_relationships.find(self._session, lock_order(ids)))]

    def extracted(self, source_id: UUID, extractor: str, by: Actor) -> Sequence[Assertion]:
        return self._extracted(self._of.extracted, source_id, extractor, by)

    def found_by(self, extractor: str, after: UUID | None, limit: int) -> Sequence[Assertion]:
        statement, parameters = scanned(self._of.found_by, self._of.table, after, limit, self._encoding)
        rows = self._session.execute(statement, {**parameters, "extractor": extractor})
        return [self._of.read(row) for row in rows]

    def labels(self, source_id: UUID, extractor: str, by: Actor) -> Sequence[tuple[str | None, UUID, bool]]:
        rows = self._session.fetch(self._of.labels, self._values(source_id, extractor, by))
        return [(label, self._encoding.read_id(id), bool(is_active)) for label, id, is_active in rows]

    def withdrawn(
        self, source_id: UUID, extractor: str, by: Actor, at: datetime, run: UUID | None
    ) -> Sequence[Assertion]:
        encoding = self._encoding
        then = {"withdrawn_at": encoding.instant(at), "withdrawn_run": None if run is None else encoding.id(run)}
        values = {**self._values(source_id, extractor, by), **then}
        return [*map(self._of.read, self._session.fetch(self._of.withdrawn, values))]

    def contributed(self, source_id: UUID, most: int) -> Sequence[Contributed]:
        rows = self._session.fetch(self._of.contributed, {"source_id": self._encoding.id(source_id), "most": most})
        read = self._encoding.read_id
        return [
            Contributed(read(id), bool(is_entity), extractor, Stance(stance), bool(is_active), sources_for)
            for id, is_entity, extractor, stance, is_active, sources_for in rows
        ]

    def stated_alone(self, uri: str, most: int) -> tuple[int, int]:
        found = (self._session.fetch(query, {"uri": uri, "most": most}) for query in self._of.stated_alone)
        [[entities]], [[relationships]] = map(list, found)
        return int(entities), int(relationships)

    def sharing(
        self, source_id: UUID, most: int, most_others: int, limit: int
    ) -> tuple[Sequence[tuple[UUID, int]], int]:
        most_and_limit = {"most": most, "most_others": most_others, "limit": limit}
        parameters = {"source_id": self._encoding.id(source_id), **most_and_limit}
        rows = self._session.fetch(self._of.sharing, parameters)
        return [(self._encoding.read_id(id), number) for id, number, _ in rows], int(rows[0][2]) if rows else 0

    def labelled(self, source_id: UUID, extractor: str, labels: Collection[str]) -> Sequence[Assertion]:
        asked = {"source_id": self._encoding.id(source_id), "extractor": extractor}
        asked["labels"] = texts([*labels], is_sqlite=self._session.is_sqlite)
        return [*map(self._of.read, self._session.fetch(self._of.labelled, asked))]

    def withdraw(self, ids: Collection[UUID], at: datetime, by: Actor, run: UUID | None) -> None:
        encoding = self._encoding
        self._end(ids, encoding.instant(at), str(by), None if run is None else encoding.id(run))

    def reinstate(self, ids: Collection[UUID]) -> None:
        self._end(ids, None, None, None)

    def _extracted(self, query: Query, source_id: UUID, extractor: str, by: Actor) -> Sequence[Assertion]:
        return [*map(self._of.read, self._session.fetch(query, self._values(source_id, extractor, by)))]

    def _values(self, source_id: UUID, extractor: str, by: Actor) -> dict[str, Any]:
        return {"source_id": self._encoding.id(source_id), "extractor": extractor, "asserted_by": str(by)}

    def _end(self, ids: Collection[UUID], at: Any, by: str | None, run: Any) -> None:
        ended = {"withdrawn_at": at, "withdrawn_by": by, "withdrawn_run": run}
        parameters = [{"at_id": self._encoding.id(id), **ended} for (id,) in lock_order(ids)]
        if parameters:
            self._session.execute(self._of.withdraw, parameters)
