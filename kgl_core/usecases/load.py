"""Load: many records at once, created or updated in bounded transactions; the same file twice changes nothing."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from typing import Final
from uuid import UUID

import attrs

from kgl_core.errors import AlreadyExists, InvalidInput, KglError, NotFound, StaleVersion
from kgl_core.permissions import Action, require
from kgl_core.records import read_record
from kgl_core.unit_of_work import JoinedStore, Retry, Store, once
from kgl_core.usecases.context import Context
from kgl_core.usecases.load_batch import Applied, Batch, Numbered, Refused
from kgl_core.usecases.load_plan import Outcome

BATCH_RECORDS_MAX: Final = 5_000
BATCH_BYTES_MAX: Final = 4 * 1024 * 1024
REFUSALS_KEPT_MAX: Final = 100


@attrs.frozen
class Refusal:
    """A record that was not loaded: its number (the line, from 1), a stable code, and what to do."""

    number: int
    code: str
    detail: str

    def __str__(self) -> str:
        return f"line {self.number}: {self.detail} ({self.code})"


@attrs.frozen
class LoadResult:
    """What became of one record: its number (the line, from 1) and the outcome.

    ``id`` and ``version`` are those of the entity or relationship once this record was taken in; None for a refused
    one, which has a stable ``code`` and a ``detail`` that says what to do.
    """

    number: int
    outcome: Outcome
    id: UUID | None = None
    version: int | None = None
    code: str | None = None
    detail: str | None = None


@attrs.frozen
class LoadSummary:
    """What a load did. ``is_kept`` is False when it changed nothing at all: an atomic load with a refusal, a dry run.

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

    def __init__(
        self,
        context: Context,
        on_refusal: Callable[[Refusal], None] | None = None,
        on_result: Callable[[LoadResult], None] | None = None,
    ) -> None:
        self._context = context
        self._on_refusal, self._on_result = on_refusal, on_result
        self._counts = dict.fromkeys(Outcome, 0)
        self._refusals: list[Refusal] = []
        self._is_dry_run = False

    def run(self, records: Iterable[object], *, atomic: bool = False, dry_run: bool = False) -> LoadSummary:
        """Load records: mappings, or lines of NDJSON as bytes or str, such as an open file gives.

        Refused records are counted, and told to ``on_refusal`` in order; the others are kept batch by batch, or with
        ``atomic`` all together and only if none is refused. ``on_result`` is told what became of every record, in
        order, once its batch is kept, or with ``atomic`` or ``dry_run`` applied; blank lines have no result. What the
        two raise ends the load.

        With ``dry_run`` nothing is kept. All is checked and counted as in the load that it stands for, atomic or not,
        in one transaction that is undone: until then, SQLite and memory have no other writer, and on PostgreSQL
        writers wait for the records that it names. The load itself differs from it by what others write meanwhile, by
        a StoreError, and by the ids of what it creates where the records do not say them.

        Raises PermissionDenied when the actor may not create, StoreError when the store is in trouble: the batches
        before stay, and loading again goes on from there.
        """
        require(self._context.actor, Action.CREATE)
        self._is_dry_run = dry_run
        is_one = atomic or dry_run
        with ExitStack() as stack:
            store, retry = self._context.store, self._context.retry
            if is_one:
                outer = stack.enter_context(store.begin())
                store, retry = JoinedStore(outer), once
            batches = _batches(records)
            while self._load_next(store, retry, batches):
                pass
            refused = self._counts[Outcome.REFUSED]
            is_kept = not (dry_run or (atomic and refused))
            if is_one and is_kept:
                outer.commit()
        return LoadSummary(
            created=self._counts[Outcome.CREATED],
            updated=self._counts[Outcome.UPDATED],
            unchanged=self._counts[Outcome.UNCHANGED],
            refused=refused,
            is_kept=is_kept,
            refusals=tuple(self._refusals),
        )

    def _load_next(self, store: Store, retry: Retry, batches: Iterator[Sequence[Numbered | Refusal]]) -> bool:
        with _collector_paused():
            batch = next(batches, None)
            if batch is not None:
                self._load(store, retry, batch)
        return batch is not None

    def _load(self, store: Store, retry: Retry, batch: Sequence[Numbered | Refusal]) -> None:
        pending = [batch]
        while pending:
            part = pending.pop()
            records = [item for item in part if not isinstance(item, Refusal)]
            applied: Sequence[Applied] = ()
            refused: Sequence[Refused] = ()
            try:
                if records:
                    # Somebody may load the same records: once theirs are committed, ours are unchanged or updates.
                    applied, refused = retry(partial(self._apply, store, records), AlreadyExists)
            except (AlreadyExists, NotFound, StaleVersion) as error:
                # The store refused what the plan allowed, and does not say for which record: look at fewer at a time.
                if len(records) > 1:
                    middle = len(part) // 2
                    pending += [part[middle:], part[:middle]]
                    continue
                refused = [(records[0][0], error)]
            malformed = [item for item in part if isinstance(item, Refusal)]
            self._tell(applied, malformed + [_refusal(number, error) for number, error in refused])

    def _apply(self, store: Store, records: Sequence[Numbered]) -> tuple[Sequence[Applied], Sequence[Refused]]:
        with store.begin() as uow:
            # On PostgreSQL, who reads the changes would wait for the end of a transaction that adds some.
            batch = Batch(self._context, uow, is_logged=not self._is_dry_run)
            batch.apply(records)
            uow.commit()
        return batch.applied, batch.refused

    def _tell(self, applied: Sequence[Applied], refusals: list[Refusal]) -> None:
        for _, outcome, _ in applied:
            self._counts[outcome] += 1
        refusals.sort(key=lambda refusal: refusal.number)
        for refusal in refusals:
            self._counts[Outcome.REFUSED] += 1
            if len(self._refusals) < REFUSALS_KEPT_MAX:
                self._refusals.append(refusal)
            if self._on_refusal is not None:
                self._on_refusal(refusal)
        if self._on_result is not None:
            results = [LoadResult(number, outcome, kept.id, kept.version) for number, outcome, kept in applied]
            results += [
                LoadResult(refusal.number, Outcome.REFUSED, code=refusal.code, detail=refusal.detail)
                for refusal in refusals
            ]
            for result in sorted(results, key=lambda result: result.number):
                self._on_result(result)


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
