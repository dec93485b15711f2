"""Check: look at a store as a whole, report what is wrong with it, and mend what can be derived."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeVar

from kgl_core.access.oauth_clients import CLIENT
from kgl_core.access.users import User
from kgl_core.evidence.assertions import ASSERTION
from kgl_core.evidence.extraction.kept_extractions import EXTRACTION
from kgl_core.graph.entities import Entity
from kgl_core.graph.facts import Fact
from kgl_core.graph.nouns import GRAPH_NOUNS, GraphNoun
from kgl_core.graph.relationships import Relationship
from kgl_core.kernel.checked_records import same_values
from kgl_core.kernel.errors import Fault, InvalidInput
from kgl_core.kernel.nouns.noun import AnyNoun
from kgl_core.kernel.nouns.records import Record
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.store_errors import StoreFault
from kgl_core.kernel.units_of_work import Context, UnitOfWork
from kgl_core.storage.checking.evidence import COMPARED_AT_ONCE, unlike_evidence
from kgl_core.storage.checking.findings import EXAMPLES_MAX, CheckReport, Finding, Problem
from kgl_core.storage.checking.inspection import Inspection, Row
from kgl_core.storage.checking.journal import compare, has_wrong_deleted_with
from kgl_core.storage.checking.kinds import KINDS, STALE
from kgl_core.storage.checking.names import unlike_names
from kgl_core.storage.checking.repairing import mend
from kgl_core.storage.checking.unlogged_nouns import UNLOGGED_NOUNS

T = TypeVar("T")
Progress = Callable[[str, int, int], object]
"""Called with what is looked at, how many rows of it have been, and about how many there are."""

KEPT_MAX: Final = 250_000
"""How many findings of a kind are kept to be mended at a time; a repair looks again until nothing is left to mend."""
_ROUNDS_MAX: Final = 100
_TOLD_EVERY: Final = 5_000


class Check:
    """One check of a store, on behalf of one actor."""

    def __init__(self, context: Context, on_progress: Progress | None = None) -> None:
        self._context = context
        self._on_progress = on_progress or (lambda what, done, total: None)

    def run(self, *, repair: bool = False) -> CheckReport:
        """Look at everything as it is at one moment, while others may write. Without ``repair`` nothing is written.

        With ``repair``, what can be derived is mended in transactions of bounded size, and the report is about what is
        left. Mending a record adds a new version or a new change of it, by this actor. Raises PermissionDenied unless
        the actor may operate the service, and StoreError when the store is in trouble.
        """
        require(self._context.actor, Action.OPERATE)
        look = self._look()
        mended: Counter[str] = Counter()
        for _ in range(_ROUNDS_MAX if repair else 0):
            done = mend(self._context, look.keys)
            mended += done
            if not done.total():
                break
            look = self._look()
        return look.report(mended)

    def _look(self) -> Look:
        with self._context.store.snapshot() as uow:
            inspection = uow.inspection
            look = Look(uow, inspection, self._on_progress)
            try:
                look.look(self._context.now())
            finally:
                inspection.close()
        return look


class Look:
    """What one look at a store finds. ``keys`` has what can be mended, by the code of its kind."""

    def __init__(self, uow: UnitOfWork, inspection: Inspection, on_progress: Progress) -> None:
        self._uow, self._inspection, self._on_progress = uow, inspection, on_progress
        self._size: Mapping[str, int] = {}
        nouns = [noun.plural for noun in GRAPH_NOUNS]
        self._looked_at = dict.fromkeys((*nouns, "changes", *(noun.plural for noun in UNLOGGED_NOUNS)), 0)
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = {code: [] for code in KINDS}
        self.keys: dict[str, list[Any]] = {code: [] for code, kind in KINDS.items() if kind.is_mendable}

    def look(self, now: datetime) -> None:
        """Look at everything."""
        see = self._inspection
        parts: dict[str, Callable[[], Iterator[Finding]]] = {
            "database": lambda: see.findings(now),
            "tables": self._measure,
            **{noun.plural: partial(self._records, noun) for noun in GRAPH_NOUNS},
            "changes": lambda: (Finding("unreadable_change", f"change {each.place}") for each in see.strange()),
            **{noun.plural: partial(self._rows, noun) for noun in UNLOGGED_NOUNS},
        }
        for name, find in parts.items():
            try:
                for finding in find():
                    self._note(finding)
            except StoreFault as error:
                # The transaction can't be used any more.
                self._note(Finding("unreadable_table", f"{name}: {error.reason}; what comes after was not looked at"))
                return
            if self._counts["missing_table"]:
                return

    def report(self, mended: Counter[str]) -> CheckReport:
        """What was found."""
        problems = [
            Problem(KINDS[code], self._counts[code], tuple(self._examples[code]))
            for code in KINDS
            if self._counts[code]
        ]
        return CheckReport(
            looked_at={**self._size, **self._looked_at},
            faults=tuple(problem for problem in problems if not problem.kind.is_note),
            notes=tuple(problem for problem in problems if problem.kind.is_note),
            mended=dict(mended),
        )

    def _measure(self) -> Iterator[Finding]:
        self._size = self._inspection.size()
        return iter(())

    def _note(self, finding: Finding) -> None:
        self._counts[finding.code] += 1
        examples = self._examples[finding.code]
        if len(examples) < EXAMPLES_MAX:
            examples.append(finding.at)
        keys = self.keys.get(finding.code)
        if keys is not None and len(keys) < KEPT_MAX and finding.key is not None:
            keys.append(finding.key)

    def _counted(self, table: str, rows: Iterator[T]) -> Iterator[T]:
        total = self._size[table]
        for row in rows:
            self._looked_at[table] += 1
            if self._looked_at[table] % _TOLD_EVERY == 0:
                self._on_progress(table, self._looked_at[table], total)
            yield row

    def _records(self, noun: GraphNoun) -> Iterator[Finding]:
        log = self._counted("changes", self._inspection.log(noun))
        rows = self._counted(noun.plural, self._inspection.rows(noun))
        asserted: list[Fact] = []
        to_be_found: list[Entity] = []
        for row, findings in compare(noun.name, rows, log):
            if row is not None and row.record is not None and not any(f.code == "broken_record" for f in findings):
                yield from self._of_row(noun, row)
                if isinstance(row.record, Fact) and row.record.has_assertions:
                    asserted.append(row.record)
                if isinstance(row.record, Entity):
                    to_be_found.append(row.record)
            yield from findings
            if len(asserted) >= COMPARED_AT_ONCE:
                yield from unlike_evidence(self._uow, asserted)
                asserted.clear()
            if len(to_be_found) >= COMPARED_AT_ONCE:
                yield from unlike_names(self._inspection, to_be_found)
                to_be_found.clear()
        if asserted:
            yield from unlike_evidence(self._uow, asserted)
        yield from unlike_names(self._inspection, to_be_found)

    def _rows(self, noun: AnyNoun) -> Iterator[Finding]:
        for row in self._counted(noun.plural, self._inspection.rows(noun)):
            yield from self._of_row(noun, row)

    def _of_row(self, noun: AnyNoun, row: Row[Any]) -> Iterator[Finding]:
        """What is wrong with a row on its own."""
        record, at = row.record, f"{noun.name} {row.id}"
        if record is None:
            yield Finding("unreadable_record", f"{at}: {row.fault}")
            return
        for code in dict.fromkeys(STALE[name] for name in row.stale):
            yield Finding(code, at, (noun.name, row.id))
        if isinstance(record, Record) and (record.deleted_at is None) != (record.deleted_by is None):
            yield Finding("half_deleted", at, (noun.name, row.id))
        if isinstance(record, Relationship) and has_wrong_deleted_with(record):
            yield Finding("wrong_deleted_with", at, row.id)
        if faults := refused_today(noun, record):
            yield Finding("refused_today", f"{at}, {faults[0].pointer}: {faults[0].detail}")


def refused_today(noun: AnyNoun, record: Any) -> list[Fault]:
    """The faults that today's rules find in a record; ``kept_otherwise`` where they would store it differently."""
    if noun in (CLIENT, ASSERTION, EXTRACTION):  # what their drafts say is not how it is kept
        return []
    names = noun.said
    values = {name: getattr(record, name) for name in names}
    if isinstance(record, User):
        values["role"] = record.role.value
    try:
        draft = noun.draft(**values)
    except InvalidInput as error:
        return list(error.faults)
    if same_values(draft, record, names):
        return []
    return [
        Fault(f"/{name}", "kept_otherwise", "it would be kept in another form")
        for name in names
        if not same_values(draft, record, [name])
    ]
