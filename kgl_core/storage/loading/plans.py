"""Plans: what a batch of records does to the graph, decided without the store.

A load creates and updates; it neither deletes nor restores. What is deleted in the graph stays deleted, what is active
stays active, and a record that says otherwise is refused. What is retired comes back: see `FactPlan`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar
from uuid import UUID

import attrs

from kgl_core.graph.facts import pinned_by_hand, why_gone
from kgl_core.graph.journal.changes import Change, ChangeAction
from kgl_core.kernel.checked_records import same_values
from kgl_core.kernel.nouns.noun import Noun
from kgl_core.kernel.nouns.records import Record
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context
from kgl_core.storage.loading.existing_records import Existing, Outcome, RecordRefused, already_exists, settle
from kgl_core.storage.record_lines import Line

L = TypeVar("L", bound=Line)
Stored = TypeVar("Stored", bound=Record)


class Plan(Generic[L, Stored]):
    """What the plans of all nouns share."""

    def __init__(self, noun: Noun[Stored, Any, Any, Any], context: Context, existing: Existing) -> None:
        self._noun, self._context, self._existing = noun, context, existing
        self._now = context.now()
        self._by_id: dict[UUID, Stored] = {}
        self._created: dict[UUID, None] = {}
        self._updated: set[UUID] = set()
        self.changes: list[Change] = []

    @property
    def updated(self) -> list[Stored]:
        """The stored ones that have changed, ordered by id, each at a later version."""
        return [self._by_id[id] for id in sorted(self._updated)]

    def _apply_to(self, current: Stored, record: L) -> tuple[Outcome, Stored]:
        """Apply a record to ``current``, which it names: returns what became of it, and the record as it is then.

        Raises RecordRefused, PermissionDenied or InvalidInput when the record must be refused.
        """
        if self._existing is Existing.KEEP:
            return Outcome.KEPT, current
        if self._existing is Existing.REFUSE:
            raise already_exists(self._noun.name, current)
        if not record.is_active and current.is_active:
            advice = "is active here, and a load deletes nothing; delete it"
            raise RecordRefused("active", f"{self._noun.name} {current.id} {advice}")
        changes = self._changes(record, current)
        if not changes and record.is_active == current.is_active:
            return Outcome.UNCHANGED, current
        if not current.is_active:
            raise RecordRefused("deleted", f"{self._noun.name} {current.id} {why_gone(current)}")
        require(self._context.actor, Action.CHANGE, current.created_by)
        changed = attrs.evolve(current, **changes, version=current.version + 1, updated_at=self._now)
        if pinned := pinned_by_hand(current, changed, changes):  # a load sets fields by hand, like an update
            changed = attrs.evolve(changed, **pinned)
        if current.id not in self._created:
            self._updated.add(current.id)
        self._keep(changed, ChangeAction.UPDATED)
        return Outcome.UPDATED, changed

    def _changes(self, record: L, current: Stored) -> Mapping[str, Any]:
        """The fields that the record changes, with their new values. Raises InvalidInput."""
        is_whole = self._existing is Existing.REPLACE
        names = self._noun.changeable if is_whole else [name for name in self._noun.changeable if name in record.given]
        if same_values(current, record, names):
            return {}
        if is_whole:
            self._require_whole(record)
        values = {name: getattr(record, name) for name in names}
        return settle(self._noun, values, record, current, is_whole=is_whole)

    def _require_whole(self, record: L) -> None:
        """Raise InvalidInput when the record leaves out a field that can't be empty."""

    def _keep(self, record: Stored, action: ChangeAction) -> None:
        self._by_id[record.id] = record
        self.changes.append(self._context.change(action, record))
