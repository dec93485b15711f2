"""Checks the store in memory as a whole. Nothing outside reaches its dictionaries, so it should find nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain
from typing import Any
from uuid import UUID

from kgl_adapters.memory.tables import Tables
from kgl_core.access.oauth_clients import Client
from kgl_core.access.users import User
from kgl_core.graph.changes import Change
from kgl_core.graph.entities import Entity
from kgl_core.graph.relationships import Relationship
from kgl_core.storage.checking.findings import Finding
from kgl_core.storage.checking.inspection import Logged, Row, Subject


class MemoryInspection:
    """A `kgl_core.storage.checking.inspection.Inspection`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def size(self) -> Mapping[str, int]:
        names = ("entities", "relationships", "changes", "users", "clients", "refresh_tokens", "answers", "counters")
        return {name: len(getattr(self._tables, name)) for name in names}

    def findings(self, now: datetime) -> Iterator[Finding]:
        entities, relationships = self._tables.entities, self._tables.relationships
        for relationship in relationships.values():
            ends = [entities.get(id) for id in relationship.triple[::2]]
            at = f"relationship {relationship.id}"
            if None in ends:
                yield Finding("missing_end", at)
            elif relationship.is_active and not all(end.is_active for end in ends if end is not None):
                yield Finding("active_with_deleted_end", at, relationship.id)
        unique: Counter[object] = Counter(e.key for e in entities.values() if e.is_active and e.key is not None)
        unique.update(r.triple for r in relationships.values() if r.is_active)
        yield from (Finding("not_unique", str(value)) for value, count in unique.items() if count > 1)
        for token in self._tables.refresh_tokens.values():
            if token is not None and token.user_id not in self._tables.users:
                yield Finding("orphaned_token", token.hash.hex(), token.hash)

    def entities(self) -> Iterator[Row[Entity]]:
        for id, entity in sorted(self._tables.entities.items()):
            yield Row(id, entity)

    def relationships(self) -> Iterator[Row[Relationship]]:
        for id, relationship in sorted(self._tables.relationships.items()):
            yield Row(id, relationship)

    def users(self) -> Iterator[Row[User]]:
        for id, user in self._tables.users.items():
            yield Row(id, user)

    def clients(self) -> Iterator[Row[Client]]:
        for id, client in self._tables.clients.items():
            if client is not None:
                yield Row(id, client)

    def log(self, subject: Subject) -> Iterator[Logged]:
        cls = Entity if subject == "entity" else Relationship
        placed = [(change.record.id, place, change) for place, change in self._placed() if type(change.record) is cls]
        for id, place, change in sorted(placed, key=lambda each: each[:2]):
            yield Logged(id, place, change)

    def strange(self) -> Iterator[Logged]:
        return iter(())

    def latest(self, subject: Subject, ids: Sequence[UUID]) -> Mapping[UUID, Logged]:
        return {
            change.record.id: Logged(change.record.id, place, change)
            for place, change in self._placed()
            if change.record.id in ids
        }

    def close(self) -> None:
        pass

    def lock(self, subject: Subject, ids: Sequence[UUID]) -> None:
        pass  # there is one writer at a time

    def overwrite(self, record: Entity | Relationship) -> None:
        if isinstance(record, Entity):
            self._tables.entities[record.id] = record
        else:
            self._tables.relationships[record.id] = record

    def mend(self, code: str, keys: Sequence[Any]) -> int:
        for key in keys if code == "orphaned_token" else ():
            self._tables.refresh_tokens[key] = None
        return len(keys) if code == "orphaned_token" else 0

    def _placed(self) -> Iterator[tuple[int, Change]]:
        layers = [self._tables]
        while (below := layers[-1].below) is not None:
            layers.append(below)
        return enumerate(chain.from_iterable(layer.changes for layer in reversed(layers)), 1)
