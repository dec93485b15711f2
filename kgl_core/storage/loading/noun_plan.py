"""What a batch of lines does to records of a noun that nothing else in the batch depends on."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from typing import Any
from uuid import UUID

from kgl_core.graph.journal.changes import ChangeAction
from kgl_core.graph.nouns import GraphNoun
from kgl_core.kernel.checked_records import required
from kgl_core.kernel.errors import InvalidInput
from kgl_core.kernel.nouns.records import Record
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context
from kgl_core.storage.loading.existing_records import LEAVING, Existing, Outcome, RecordRefused
from kgl_core.storage.loading.plans import Plan
from kgl_core.storage.record_lines import NounLine


class NounPlan(Plan[NounLine, Record]):
    """What lines do, one after the other, to the records that they name by id or by unique value."""

    def __init__(self, noun: GraphNoun, context: Context, stored: Iterable[Record], existing: Existing) -> None:
        super().__init__(noun, context, existing)
        self._holders: dict[Any, UUID] = {}
        self._deleted: dict[Any, UUID] = {}
        for record in stored:
            self._by_id[record.id] = record
            self._hold(record)

    @property
    def created(self) -> list[Record]:
        """The new records, ordered by id."""
        return [self._by_id[id] for id in sorted(self._created)]

    def apply(self, line: NounLine) -> tuple[Outcome, Record]:
        """Apply a line: returns what became of it, and the record as it is then.

        Raises RecordRefused, PermissionDenied or InvalidInput when the line must be refused.
        """
        value = self._noun.unique_value(line)
        holder = None if value is None else self._holders.get(value)
        if line.id is None:
            found = self._deleted.get(value, holder) if not line.is_active else holder
            current = None if found is None else self._by_id[found]
        else:
            current = self._by_id.get(line.id)
            is_left = current is not None and self._existing in LEAVING
            if not is_left and line.is_active and holder is not None and holder != line.id:
                name = self._unique_name
                detail = (
                    f"the {name} {value} is held by {self._noun.name} {holder}; leave out the id to update that one"
                )
                raise RecordRefused(f"{name}_taken", detail)
        if current is None:
            return self._create(line, value)
        outcome, record = self._apply_to(current, line)
        if outcome is Outcome.UPDATED and current.deleted_at is None:
            self._holders.pop(self._noun.unique_value(current), None)
            self._hold(record)
        return outcome, record

    @property
    def _unique_name(self) -> str:
        return "id" if self._noun.unique is None else self._noun.unique.name

    def _hold(self, record: Record) -> None:
        value = self._noun.unique_value(record)
        if value is not None:
            (self._holders if record.deleted_at is None else self._deleted)[value] = record.id

    def _require_whole(self, record: NounLine) -> None:
        missing = [name for name in self._noun.required if getattr(record, name) is None]
        if missing:
            raise InvalidInput([*map(required, missing)])

    def _create(self, line: NounLine, value: Any) -> tuple[Outcome, Record]:
        require(self._context.actor, Action.CREATE)
        noun = self._noun
        if line.is_active and line.id is None and value in self._deleted:
            gone = self._by_id[self._deleted[value]]
            detail = f"{noun.name} {gone.id} with this {self._unique_name} was deleted by {gone.deleted_by}"
            raise RecordRefused("deleted", f"{detail}; restore it first")
        self._require_whole(line)
        said = {name: getattr(line, name) for name in noun.said}
        said |= {name: copy(empty) for name, empty in noun.empty_values.items() if said[name] is None}
        actor, now = self._context.actor, self._now
        record: Record = noun.record(
            id=line.id or self._context.new_id(),
            created_by=actor,
            created_at=now,
            updated_at=now,
            deleted_at=None if line.is_active else now,
            deleted_by=None if line.is_active else actor,
            **said,
        )
        self._created[record.id] = None
        self._hold(record)
        self._keep(record, ChangeAction.CREATED)
        return Outcome.CREATED, record
