"""Checks the store in memory as a whole. Nothing outside reaches its dictionaries, so it should find nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, TypeVar
from uuid import UUID

from kgl_adapters.memory.tables import Tables
from kgl_core.access.users import USER
from kgl_core.graph.entities import ENTITY, Entity
from kgl_core.graph.journal.changes import Change
from kgl_core.graph.naming.names import NameRow, name_rows
from kgl_core.graph.nouns import GRAPH_NOUNS, GraphNoun, noun_of
from kgl_core.graph.relationships import RELATIONSHIP
from kgl_core.kernel.nouns.noun import Noun
from kgl_core.kernel.nouns.records import Kept, Record
from kgl_core.storage.checking.findings import Finding
from kgl_core.storage.checking.inspection import Logged, Row
from kgl_core.storage.checking.unlogged_nouns import UNLOGGED_NOUNS

R = TypeVar("R", bound=Kept)


class MemoryInspection:
    """A `kgl_core.storage.checking.inspection.Inspection`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def size(self) -> Mapping[str, int]:
        graph, rest = ({n.plural: len(list(self._rows(n))) for n in some} for some in (GRAPH_NOUNS, UNLOGGED_NOUNS))
        others = {name: len(getattr(self._tables, name)) for name in ("refresh_tokens", "answers", "counters")}
        return {**graph, "changes": len(self._tables.changes), **rest, **others}

    def findings(self, now: datetime) -> Iterator[Finding]:
        entities = self._tables.of(ENTITY).rows
        for relationship in self._rows(RELATIONSHIP):
            ends = [entities.get(id) for id in relationship.ends]
            at = f"relationship {relationship.id}"
            if None in ends:
                yield Finding("missing_end", at)
            elif relationship.is_active and not all(end.is_active for end in ends if end is not None):
                yield Finding("active_with_deleted_end", at, relationship.id)
        for noun in GRAPH_NOUNS:
            held = Counter(noun.unique_value(row) for row in self._rows(noun) if row.is_active)
            yield from (Finding("not_unique", str(v)) for v, count in held.items() if count > 1 and v is not None)
        for token in self._tables.refresh_tokens.values():
            if token is not None and self._tables.of(USER).rows.get(token.user_id) is None:
                yield Finding("orphaned_token", token.hash.hex(), token.hash)

    def rows(self, noun: Noun[R, Any, Any, Any]) -> Iterator[Row[R]]:
        for row in sorted(self._rows(noun), key=attrgetter("id")):
            yield Row(row.id, row)

    def log(self, noun: GraphNoun) -> Iterator[Logged]:
        placed = [(change.record.id, n, change) for n, change in self._placed() if type(change.record) is noun.record]
        for id, place, change in sorted(placed, key=lambda each: each[:2]):
            yield Logged(id, place, change)

    def strange(self) -> Iterator[Logged]:
        return iter(())

    def latest(self, noun: GraphNoun, ids: Sequence[UUID]) -> Mapping[UUID, Logged]:
        return {
            change.record.id: Logged(change.record.id, place, change)
            for place, change in self._placed()
            if change.record.id in ids
        }

    def names(self, entities: Sequence[Entity]) -> Mapping[UUID, Sequence[NameRow]]:
        return {entity.id: name_rows(entity) for entity in entities}  # names are looked for in the entities themselves

    def close(self) -> None:
        pass

    def lock(self, noun: GraphNoun, ids: Sequence[UUID]) -> None:
        pass  # there is one writer at a time

    def refresh(self, noun: GraphNoun, ids: Sequence[UUID]) -> int:
        return 0  # nothing is kept beside records

    def overwrite(self, record: Record) -> None:
        self._tables.of(noun_of(record)).rows[record.id] = record

    def mend(self, code: str, keys: Sequence[Any]) -> int:
        for key in keys if code == "orphaned_token" else ():
            self._tables.refresh_tokens[key] = None
        return len(keys) if code == "orphaned_token" else 0

    def _rows(self, noun: Noun[R, Any, Any, Any]) -> Iterator[R]:
        return (row for row in self._tables.of(noun).rows.values() if row is not None)

    def _placed(self) -> Iterator[tuple[int, Change]]:
        return enumerate(self._tables.all_changes(), 1)
