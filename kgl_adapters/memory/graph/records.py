"""What entities and relationships have in common in memory: versions, soft deletion, pages, and unique values."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Collection, Iterable, MutableMapping, Sequence
from datetime import datetime
from typing import ClassVar, Generic, TypeVar
from uuid import UUID

import attrs

from kgl_core.graph.entities import Entity
from kgl_core.graph.relationships import Relationship
from kgl_core.graph.shared_fields import RecordFilter
from kgl_core.kernel.errors import AlreadyExists, NotFound, StaleVersion
from kgl_core.kernel.pages import Position

R = TypeVar("R", bound=Entity | Relationship)
F = TypeVar("F", bound=RecordFilter)
U = TypeVar("U")


class MemoryRecords(Generic[R, F, U]):
    """A repository of entities or of relationships. ``holders`` maps unique values to the active records."""

    _kind: ClassVar[str]
    _unique_name: ClassVar[str]

    def __init__(self, rows: MutableMapping[UUID, R], holders: MutableMapping[U, UUID | None]) -> None:
        self._rows, self._holders = rows, holders

    def get(self, id: UUID) -> R | None:
        row = self._rows.get(id)
        return None if row is None else detached(row)

    def list(self, filter: F, sort: str, after: Position | None, limit: int) -> Sequence[R]:
        return page((row for row in self._rows.values() if self._admits(filter, row)), sort, after, limit)

    def count(self, filter: F) -> int:
        return sum(self._admits(filter, row) for row in self._rows.values())

    def count_by_type(self) -> dict[str, int]:
        return dict(sorted(Counter(self._type(row) for row in self._rows.values() if row.is_active).items()))

    def count_deleted(self) -> int:
        return sum(not row.is_active for row in self._rows.values())

    def scan(self, after: UUID | None, limit: int) -> Sequence[R]:
        return first_by_id((row for row in self._rows.values() if after is None or row.id > after), limit)

    def add(self, records: Sequence[R]) -> None:
        taken: dict[U, UUID | None] = {}
        rows: dict[UUID, R] = {}
        for record in records:
            if record.id in self._rows or record.id in rows:
                raise AlreadyExists(self._kind, "id")
            self._require_references(record)
            rows[record.id] = detached(record)
            self._take(record, taken)
        self._rows.update(rows)
        self._holders.update(taken)

    def replace(self, records: Sequence[R]) -> None:
        taken: dict[U, UUID | None] = {}
        for record in records:
            before = self._rows.get(record.id)
            if before is None:
                raise NotFound(self._kind, record.id)
            if before.version >= record.version:
                raise StaleVersion(self._kind, record.id, record.version - 1, before.version)
            freed = self._unique(before) if before.is_active else None
            if freed is not None:
                taken.setdefault(freed, None)
            self._take(record, taken)
        self._rows.update({record.id: detached(record) for record in records})
        self._holders.update(taken)

    def _find(self, ids: Collection[UUID], values: Collection[U]) -> Sequence[R]:
        """The records with these ids or unique values, active and deleted."""
        found = {id: self._rows[id] for id in ids if id in self._rows}
        if values:
            wanted = frozenset(values)
            active = {id for value in wanted if (id := self._holders.get(value)) is not None}
            deleted = {id for id, row in self._rows.items() if not row.is_active and self._unique(row) in wanted}
            found.update({id: self._rows[id] for id in active | deleted})
        return [detached(row) for row in found.values()]

    def _take(self, record: R, taken: dict[U, UUID | None]) -> None:
        """Note in ``taken`` that a record holds its unique value. Raises AlreadyExists if another one does."""
        value = self._unique(record) if record.is_active else None
        if value is None:
            return
        holder = taken[value] if value in taken else self._holders.get(value)
        if holder is not None and holder != record.id:
            raise AlreadyExists(self._kind, self._unique_name)
        taken[value] = record.id

    def _require_references(self, record: R) -> None:
        """Raise NotFound if a record refers to one that does not exist."""

    def _unique(self, record: R) -> U | None:
        """The value that only one active record may have."""
        raise NotImplementedError

    def _type(self, record: R) -> str:
        raise NotImplementedError

    def _admits(self, filter: F, record: R) -> bool:
        raise NotImplementedError


def detached(record: R) -> R:
    """The record with a copy of its metadata, so that nobody outside can change what is stored."""
    return attrs.evolve(record, metadata=copy.deepcopy(record.metadata)) if record.metadata else record


def admits(filter: RecordFilter, record: Entity | Relationship) -> bool:
    """Whether a record passes the part of a filter that entities and relationships share."""
    return (
        (filter.is_active is None or filter.is_active == record.is_active)
        and (filter.source is None or filter.source == record.source)
        and (filter.source_type is None or filter.source_type == record.source_type)
        and _within(record.confidence, filter.min_confidence, filter.max_confidence)
        and _between(record.created_at, filter.created_after, filter.created_before)
        and _between(record.updated_at, filter.updated_after, filter.updated_before)
    )


def first_by_id(rows: Iterable[R], limit: int) -> Sequence[R]:
    """The first ``limit`` rows in the order of their ids."""
    return [detached(row) for row in sorted(rows, key=lambda row: row.id)[:limit]]


def page(rows: Iterable[R], sort: str, after: Position | None, limit: int) -> Sequence[R]:
    """Up to ``limit`` rows in the order of ``sort`` and then id, those past ``after``."""
    field, is_descending = sort.removeprefix("-"), sort.startswith("-")

    def position(row: R) -> Position:
        return (row.sort_value(field), row.id)

    found = sorted(rows, key=position, reverse=is_descending)
    if after is not None:
        found = [row for row in found if (position(row) < after if is_descending else position(row) > after)]
    return [detached(row) for row in found[:limit]]


def _within(value: float | None, low: float | None, high: float | None) -> bool:
    if low is None and high is None:
        return True
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


def _between(value: datetime, after: datetime | None, before: datetime | None) -> bool:
    return (after is None or value > after) and (before is None or value < before)
