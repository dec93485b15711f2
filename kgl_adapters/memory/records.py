"""What the dictionaries have in common: of entities and relationships, and of what expires."""

from __future__ import annotations

import copy
from collections.abc import Iterable, MutableMapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Protocol, TypeVar

import attrs

from kgl_core.graph.entities import Entity
from kgl_core.graph.provenance import RecordFilter
from kgl_core.graph.relationships import Relationship
from kgl_core.kernel.pages import Position

R = TypeVar("R", bound=Entity | Relationship)


class Expiring(Protocol):
    """A row that is forgotten when it has expired."""

    @property
    def expires_at(self) -> datetime: ...


K = TypeVar("K")
E = TypeVar("E", bound=Expiring)


def detached(record: R) -> R:
    """The record with metadata of its own, so that nobody outside can alter what is kept."""
    return attrs.evolve(record, metadata=copy.deepcopy(record.metadata)) if record.metadata else record


def admits(filter: RecordFilter, record: Entity | Relationship) -> bool:
    """Whether the part of a filter that entities and relationships share admits a record."""
    return (
        (filter.is_active is None or filter.is_active == record.is_active)
        and (filter.source is None or filter.source == record.source)
        and (filter.source_type is None or filter.source_type == record.source_type)
        and _within(record.confidence, filter.min_confidence, filter.max_confidence)
        and _between(record.created_at, filter.created_after, filter.created_before)
        and _between(record.updated_at, filter.updated_after, filter.updated_before)
    )


def page(rows: Iterable[R], sort: str, after: Position | None, limit: int) -> Sequence[R]:
    """Up to ``limit`` rows in the order of ``sort`` and then id, those past ``after``."""
    field, is_descending = sort.removeprefix("-"), sort.startswith("-")

    def position(row: R) -> Position:
        return (row.sort_value(field), row.id)

    ordered = sorted(rows, key=position, reverse=is_descending)
    if after is not None:
        ordered = [row for row in ordered if (position(row) < after if is_descending else position(row) > after)]
    return [detached(row) for row in ordered[:limit]]


def forget_expired(rows: MutableMapping[K, E | None], now: datetime, limit: int) -> int:
    """Put None in the place of up to ``limit`` rows that have expired at ``now``; returns how many."""
    expired = (key for key, row in rows.items() if row is not None and row.expires_at <= now)
    keys = list(islice(expired, limit))
    rows.update(dict.fromkeys(keys))
    return len(keys)


def _within(value: float | None, low: float | None, high: float | None) -> bool:
    if low is None and high is None:
        return True
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


def _between(value: datetime, after: datetime | None, before: datetime | None) -> bool:
    return (after is None or value > after) and (before is None or value < before)
