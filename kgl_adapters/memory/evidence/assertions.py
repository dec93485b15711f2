"""Assertions in a dictionary."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Never
from uuid import UUID

import attrs

from kgl_adapters.memory.kernel.repository import MemoryRepository, Shelves
from kgl_core.evidence.assertions import ASSERTION, Assertion, AssertionFilter
from kgl_core.kernel.ids import RunId
from kgl_core.kernel.permissions import Actor


class MemoryAssertions(MemoryRepository[Assertion, AssertionFilter, Never]):
    """A `kgl_core.evidence.assertions.AssertionRepository`."""

    def __init__(self, shelves: Shelves) -> None:
        super().__init__(ASSERTION, shelves)

    def of_entities(self, ids: Collection[UUID]) -> Sequence[Assertion]:
        wanted = frozenset(ids)
        return self._in_force(lambda each: each.entity_id in wanted)

    def of_relationships(self, ids: Collection[UUID]) -> Sequence[Assertion]:
        wanted = frozenset(ids)
        return self._in_force(lambda each: each.relationship_id in wanted)

    def extracted(self, source_id: UUID, extractor: str, by: Actor) -> Sequence[Assertion]:
        mine = (source_id, extractor, by)
        return self._in_force(lambda each: each.by == mine)

    def withdrawn_last(self, source_id: UUID, extractor: str, by: Actor) -> Sequence[Assertion]:
        mine = (source_id, extractor, by)
        found = [each for each in self._rows() if each.by == mine and each.withdrawn_at is not None]
        last = max((each.withdrawn_at for each in found if each.withdrawn_at is not None), default=None)
        return [self._detached(each) for each in found if each.withdrawn_at == last]

    def labelled(self, source_id: UUID, extractor: str, labels: Collection[str]) -> Sequence[Assertion]:
        wanted = {(source_id, extractor, label) for label in labels}
        found = (each for each in self._rows() if (each.source_id, each.extractor, each.label) in wanted)
        return [*map(self._detached, found)]

    def withdraw(self, ids: Collection[UUID], at: datetime, by: Actor, run: UUID | None) -> None:
        part_of = None if run is None else RunId(run)
        self._change(ids, lambda each: attrs.evolve(each, withdrawn_at=at, withdrawn_by=by, withdrawn_run=part_of))

    def reinstate(self, ids: Collection[UUID]) -> None:
        self._change(ids, lambda each: attrs.evolve(each, withdrawn_at=None, withdrawn_by=None, withdrawn_run=None))

    def _in_force(self, is_wanted: Callable[[Assertion], bool]) -> Sequence[Assertion]:
        found = (each for each in self._rows() if each.withdrawn_at is None and is_wanted(each))
        return [*map(self._detached, found)]

    def _change(self, ids: Collection[UUID], change: Callable[[Assertion], Assertion]) -> None:
        self.replace([change(found) for id in ids if (found := self.get(id)) is not None])
