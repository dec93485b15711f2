"""Load: many records at once, created or updated in bounded transactions; the same file twice changes nothing."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import Final
from uuid import UUID

import attrs

from kgl_core.entities import End
from kgl_core.errors import (
    AlreadyExists,
    InvalidInput,
    KglError,
    NotFound,
    StaleVersion,
    StoreError,
    TransactionConflict,
)
from kgl_core.permissions import Action, require
from kgl_core.records import EntityRecord, Record, RelationshipRecord, read_record
from kgl_core.unit_of_work import JoinedStore, Store, UnitOfWork
from kgl_core.usecases.context import Context
from kgl_core.usecases.load_ends import Ends
from kgl_core.usecases.load_plan import EntityPlan, Outcome, RelationshipPlan

BATCH_RECORDS_MAX: Final = 5_000
BATCH_BYTES_MAX: Final = 4 * 1024 * 1024
REFUSALS_KEPT_MAX: Final = 100
_ATTEMPTS: Final = 4

Numbered = tuple[int, Record]


@attrs.frozen
class Refusal:
    """A record that was not loaded: its number (the line, from 1), a stable code, and what to do."""

    number: int
    code: str
    detail: str

    def __str__(self) -> str:
        return f"line {self.number}: {self.detail} ({self.code})"


@attrs.frozen
class LoadSummary:
    """What a load did. ``is_kept`` is False when an atomic load met a refusal, and so changed nothing at all.

    ``refusals`` holds the first REFUSALS_KEPT_MAX of ``refused``.
    """

    created: int
    updated: int
    unchanged: int
    refused: int
    is_kept: bool
    refusals: Sequence[Refusal]


class Load:
    """One load, on behalf of one actor. Use it once."""

    def __init__(self, context: Context, on_refusal: Callable[[Refusal], None] | None = None) -> None:
        self._context = context
        self._on_refusal = on_refusal
        self._counts = dict.fromkeys(Outcome, 0)
        self._refusals: list[Refusal] = []

    def run(self, records: Iterable[object], *, atomic: bool = False) -> LoadSummary:
        """Load records: mappings, or lines of NDJSON as bytes or str, such as an open file gives.

        Refused records are counted, and told to ``on_refusal`` in order; the others are kept batch by batch, or with
        ``atomic`` all together and only if none is refused. Raises PermissionDenied when the actor may not create,
        StoreError when the store is in trouble: the batches before stay, and loading again goes on from there.
        """
        require(self._context.actor, Action.CREATE)
        with ExitStack() as stack:
            store = self._context.store
            if atomic:
                outer = stack.enter_context(store.begin())
                store = JoinedStore(outer)
            batches = _batches(records)
            while self._load_next(store, batches, retry=not atomic):
                pass
            refused = self._counts[Outcome.REFUSED]
            if atomic and not refused:
                outer.commit()
        return LoadSummary(
            created=self._counts[Outcome.CREATED],
            updated=self._counts[Outcome.UPDATED],
            unchanged=self._counts[Outcome.UNCHANGED],
            refused=refused,
            is_kept=not (atomic and refused),
            refusals=tuple(self._refusals),
        )

    def _load_next(self, store: Store, batches: Iterator[Sequence[Numbered | Refusal]], *, retry: bool) -> bool:
        with _collector_paused():
            batch = next(batches, None)
            if batch is not None:
                self._load(store, batch, retry=retry)
        return batch is not None

    def _load(self, store: Store, batch: Sequence[Numbered | Refusal], *, retry: bool) -> None:
        refusals = [item for item in batch if isinstance(item, Refusal)]
        records = [item for item in batch if not isinstance(item, Refusal)]
        pending = [records] if records else []
        while pending:
            part = pending.pop()
            try:
                outcomes, refused = self._apply_with_retries(store, part, _ATTEMPTS if retry else 1)
            except (AlreadyExists, NotFound, StaleVersion) as error:
                # The store refused what the plan allowed, and does not say for which record: look at fewer at a time.
                if len(part) == 1:
                    refusals.append(Refusal(part[0][0], error.code, str(error)))
                else:
                    middle = len(part) // 2
                    pending += [part[middle:], part[:middle]]
                continue
            for outcome in outcomes:
                self._counts[outcome] += 1
            refusals += refused
        for refusal in sorted(refusals, key=lambda refusal: refusal.number):
            self._counts[Outcome.REFUSED] += 1
            if len(self._refusals) < REFUSALS_KEPT_MAX:
                self._refusals.append(refusal)
            if self._on_refusal is not None:
                self._on_refusal(refusal)

    def _apply_with_retries(
        self, store: Store, part: Sequence[Numbered], attempts: int
    ) -> tuple[Sequence[Outcome], Sequence[Refusal]]:
        for left in reversed(range(attempts)):
            try:
                with store.begin() as uow:
                    applied = self._apply(uow, part)
                    uow.commit()
                return applied
            except (TransactionConflict, AlreadyExists):
                # Somebody loads the same records: once theirs are committed, ours are unchanged or updates.
                if left == 0:
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _apply(self, uow: UnitOfWork, part: Sequence[Numbered]) -> tuple[Sequence[Outcome], Sequence[Refusal]]:
        outcomes: list[Outcome] = []
        refusals: list[Refusal] = []
        entities = [(number, record) for number, record in part if isinstance(record, EntityRecord)]
        relationships = [(number, record) for number, record in part if isinstance(record, RelationshipRecord)]
        ids = {record.id for _, record in entities if record.id is not None}
        keys = {record.key for _, record in entities if record.key is not None}
        other_ids, other_keys = _ends_named(relationships)
        # Entities and ends are locked by one call, in one order, so that loads never wait for each other in turn.
        stored = uow.entities.find(ids | other_ids, keys | other_keys, lock="update") if entities else ()
        other_ids -= ids.union(entity.id for entity in stored)
        other_keys -= keys.union(entity.key for entity in stored if entity.key is not None)
        ends = uow.entities.ends(other_ids, other_keys) if other_ids or other_keys else ()
        plan = EntityPlan(self._context, stored, ends)
        for number, record in entities:
            try:
                outcomes.append(plan.apply(number, record))
            except KglError as error:
                refusals.append(_refusal(number, error))
        uow.entities.add(plan.created)
        uow.entities.replace(plan.updated)
        uow.changes.append(plan.changes)
        if relationships:
            self._apply_relationships(uow, plan.ends, relationships, outcomes, refusals)
        return outcomes, refusals

    def _apply_relationships(
        self,
        uow: UnitOfWork,
        ends: Ends,
        records: Sequence[tuple[int, RelationshipRecord]],
        outcomes: list[Outcome],
        refusals: list[Refusal],
    ) -> None:
        joined: list[tuple[int, RelationshipRecord, End, End]] = []
        for number, record in records:
            source = ends.find(number, record.source_entity_id, record.source_entity_key)
            target = ends.find(number, record.target_entity_id, record.target_entity_key)
            if source is not None and target is not None:
                joined.append((number, record, source, target))
                continue
            missing = (
                record.source_entity_key or record.source_entity_id
                if source is None
                else record.target_entity_key or record.target_entity_id
            )
            detail = f"there is no entity {missing}; entities come before the relationships that name them"
            refusals.append(Refusal(number, "end_not_found", detail))
        ids = {record.id for _, record, _, _ in joined if record.id is not None}
        triples = {(source.id, record.relationship_type, target.id) for _, record, source, target in joined}
        plan = RelationshipPlan(self._context, uow.relationships.find(ids, triples, lock="update"))
        for number, record, source, target in joined:
            try:
                outcomes.append(plan.apply(record, source, target))
            except KglError as error:
                refusals.append(_refusal(number, error))
        uow.relationships.add(plan.created)
        uow.relationships.replace(plan.updated)
        uow.changes.append(plan.changes)


def _ends_named(records: Iterable[tuple[int, RelationshipRecord]]) -> tuple[set[UUID], set[str]]:
    """The ids and the keys by which relationship records name their ends."""
    ids: set[UUID] = set()
    keys: set[str] = set()
    for _, record in records:
        ids.update(id for id in (record.source_entity_id, record.target_entity_id) if id is not None)
        keys.update(key for key in (record.source_entity_key, record.target_entity_key) if key is not None)
    return ids, keys


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Pause the cyclic garbage collector for one batch: it would walk all of the batch's objects again and again.

    They make no cycles, and the walks are a fifth of a load's time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _refusal(number: int, error: KglError) -> Refusal:
    if isinstance(error, StoreError):
        raise error
    if isinstance(error, InvalidInput):
        return Refusal(number, error.faults[0].code, str(error))
    return Refusal(number, error.code, str(error))


def _batches(records: Iterable[object]) -> Iterator[Sequence[Numbered | Refusal]]:
    """Records with their numbers, in runs of bounded count and size; malformed ones as refusals, blank lines not."""
    batch: list[Numbered | Refusal] = []
    size = 0
    for number, item in enumerate(records, 1):
        try:
            record = read_record(item)
        except InvalidInput as error:
            batch.append(_refusal(number, error))
        else:
            if record is None:
                continue
            batch.append((number, record))
        size += _weight(item)
        if len(batch) >= BATCH_RECORDS_MAX or size >= BATCH_BYTES_MAX:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _weight(item: object) -> int:
    """About how many bytes an item takes: the length of a line, or of a mapping's longest parts."""
    if isinstance(item, bytes | str):
        return len(item)
    values = islice(item.values(), 64) if isinstance(item, dict) else ()
    return sum(len(value) * 64 for value in values if isinstance(value, str | list | tuple | dict))
