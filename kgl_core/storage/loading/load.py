"""Load: create or update many records in bounded transactions; loading the same file twice changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import chain, islice
from typing import Final
from uuid import UUID

import attrs

from kgl_core.graph.journal.running import running
from kgl_core.graph.journal.runs import RunDraft, RunKind
from kgl_core.kernel.checked_records import build
from kgl_core.kernel.errors import AlreadyExists, Fault, InvalidInput, NotFound, StaleVersion
from kgl_core.kernel.garbage import collector_paused
from kgl_core.kernel.ids import RunId
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context, JoinedStore, once
from kgl_core.storage.loading.batches import Applied, Batch
from kgl_core.storage.loading.existing_records import Existing, Outcome
from kgl_core.storage.loading.keys import Waiting
from kgl_core.storage.loading.reading import Items, Numbered, Refusal, read_batches, refusal_of
from kgl_core.storage.record_files import read_items

BATCH_RECORDS_MAX: Final = 5_000
REFUSALS_KEPT_MAX: Final = 100
SPLITS_MAX: Final = 64
"""How often a batch is divided to find the record that the store refuses; after that it is refused as a whole."""


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

    ``kept`` counts the records that found something and left it as it was. ``refusals`` holds the first
    REFUSALS_KEPT_MAX of ``refused``, ``refused_by_code`` counts all of them. ``run`` is the run that the changes are
    part of, if there is one.
    """

    created: int
    updated: int
    unchanged: int
    refused: int
    is_kept: bool
    refusals: Sequence[Refusal]
    kept: int = 0
    refused_by_code: Mapping[str, int] = attrs.Factory(dict)
    run: RunId | None = None


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
        self._codes: Counter[str] = Counter()
        self._refusals: list[Refusal] = []
        self._waiting = Waiting()
        self._existing = Existing.MERGE
        self._is_dry_run = False

    def run(
        self,
        records: object,
        *,
        existing: str = Existing.MERGE,
        atomic: bool = False,
        dry_run: bool = False,
        title: str | None = None,
    ) -> LoadSummary:
        """Load records: an open file of NDJSON, its text or its lines (bytes or str), or mappings; see `read_items`.

        ``existing`` says what happens when a record names something that the graph already holds: "merge", "replace",
        "keep" or "refuse", see `Existing`.

        Refused records are counted, and passed to ``on_refusal`` in order. The others are committed batch by batch, or
        with ``atomic`` all together and only if none is refused. ``on_result`` gets the result of every record, in
        order, once its batch is committed, or with ``atomic`` or ``dry_run`` applied; blank lines have no result.
        Records that wait for a key until the end come last. An exception from either ends the load.

        With ``dry_run`` nothing is kept, and no writer has to wait. Everything is checked and counted as the load
        itself would do it, atomic or not, on the graph as it was at the beginning. The load itself may differ because
        of what others write meanwhile, because of a StoreError, and in the ids that it makes where the records have
        none.

        The changes are part of the run that the caller has opened, or of one of the load's own with this ``title``: it
        ends with the load, as failed if that raises. There is none for a dry run or without a record.

        Raises InvalidInput for input that holds no records at all and for a title within a run, PermissionDenied when
        the actor may not create, RunEnded when the run is ended meanwhile, and StoreError when the store is in trouble:
        the batches before that stay, and loading again goes on from there.
        """
        require(self._context.actor, Action.CREATE)
        title = build(RunDraft, {"title": title}).title
        if title is not None and self._context.run is not None:
            raise InvalidInput([Fault("/title", "not_its_own", "the run that this is part of has a title already")])
        if existing not in list(Existing):
            raise InvalidInput([Fault("/existing", "not_a_choice", f"give one of {', '.join(Existing)}")])
        self._existing, self._is_dry_run = Existing(existing), dry_run
        is_one = atomic or dry_run
        with ExitStack() as stack:
            batches = read_batches(read_items(records), BATCH_RECORDS_MAX)
            with collector_paused():
                first = [*islice(batches, 1)]
            has_records = bool(first)
            batches = chain((first.pop() for _ in range(len(first))), batches)  # which keeps none of them in memory
            if is_one:
                store = self._context.store
                outer = stack.enter_context(store.rehearse() if dry_run else store.begin())
                self._context = attrs.evolve(self._context, store=JoinedStore(outer), retry=once)
            with ExitStack() as run:
                if has_records and not dry_run and self._context.run is None:
                    self._context = run.enter_context(running(self._context, RunKind.LOAD, title, is_one=atomic))
                while self._load_next(batches):
                    pass
                if self._waiting.records:
                    self._load(self._waiting.records, is_last=True)
            refused = self._counts[Outcome.REFUSED]
            is_kept = not (dry_run or (atomic and refused))
            if is_one and is_kept:
                outer.commit()
        return LoadSummary(
            created=self._counts[Outcome.CREATED],
            updated=self._counts[Outcome.UPDATED],
            unchanged=self._counts[Outcome.UNCHANGED],
            kept=self._counts[Outcome.KEPT],
            refused=refused,
            is_kept=is_kept,
            refusals=tuple(self._refusals),
            refused_by_code=dict(self._codes),
            run=self._context.run if is_kept else None,
        )

    def _load_next(self, batches: Iterator[Items]) -> bool:
        with collector_paused():
            batch = next(batches, None)
            if batch is not None:
                self._load(batch)
        return batch is not None

    def _load(self, items: Items, *, is_last: bool = False) -> None:
        pending, splits = [items], 0
        while pending:
            part = pending.pop()
            records = [item for item in part if not isinstance(item, Refusal)]
            malformed = [item for item in part if isinstance(item, Refusal)]
            try:
                # Somebody else may load the same records: once theirs are committed, ours are unchanged or updates.
                batch = self._context.retry(partial(self._apply, records, is_last), AlreadyExists) if records else None
            except (AlreadyExists, NotFound, StaleVersion) as error:
                # The store refused what the plan allowed, and does not say for which record: look at fewer at a time.
                if len(records) > 1 and splits < SPLITS_MAX:
                    splits += 1
                    middle = len(part) // 2
                    pending += [part[middle:], part[:middle]]
                else:
                    self._tell((), malformed + [refusal_of(number, error) for number, _ in records])
                continue
            if batch is None:
                self._tell((), malformed)
                continue
            self._waiting = batch.waiting
            self._tell(batch.applied, malformed + [refusal_of(number, error) for number, error in batch.refused])

    def _apply(self, records: Sequence[Numbered], is_last: bool) -> Batch:
        with self._context.store.begin() as uow:
            # On PostgreSQL, readers of the changes would wait for the end of a transaction that adds some.
            batch = Batch(
                self._context, uow, self._existing, self._waiting, is_last=is_last, is_logged=not self._is_dry_run
            )
            batch.apply(records)
            uow.commit()
        return batch

    def _tell(self, applied: Sequence[Applied], refusals: list[Refusal]) -> None:
        for _, outcome, _ in applied:
            self._counts[outcome] += 1
        refusals.sort(key=lambda refusal: refusal.number)
        for refusal in refusals:
            self._counts[Outcome.REFUSED] += 1
            self._codes[refusal.code] += 1
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
