"""Editing records: what the use cases of every noun share that has versions, and whose records can be restored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from kgl_core.graph.entities import Json
from kgl_core.graph.facts import brought_back, gone, pinned_by_hand
from kgl_core.graph.journal.changes import ChangeAction
from kgl_core.graph.reading_records import ReadRecords
from kgl_core.kernel.checked_records import build, rebuild, same_values, unknown_names
from kgl_core.kernel.errors import AlreadyExists, InvalidInput
from kgl_core.kernel.ids import require_id
from kgl_core.kernel.nouns.merge_patch import merge_patch
from kgl_core.kernel.nouns.read_only_fields import read_whole, require_noted, take_noted
from kgl_core.kernel.nouns.records import Record, found
from kgl_core.kernel.nouns.taken_values import name_holder
from kgl_core.kernel.nouns.versions import Precondition, next_version, require_fixed, require_state
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import UnitOfWork, transaction

R = TypeVar("R", bound=Record)
D = TypeVar("D")
F = TypeVar("F")
T = TypeVar("T")


class Records(ReadRecords[R, D, F]):
    """The use cases of a noun's records, on behalf of one actor.

    A subclass names the noun, and gives ``create``, ``list``, ``count``, ``update`` and ``restore`` the arguments of
    that noun. Every method raises PermissionDenied when the actor may not call it, InvalidInput for malformed
    arguments, and StoreError when the store is in trouble. An id is a UUID or its canonical text. A ``precondition`` is
    called once it is certain that the actor may make the change.
    """

    # What a noun may do besides.

    def _check_new(self, uow: UnitOfWork, record: R) -> None:
        """Raise what forbids to store a new record."""

    def _take_along(self, uow: UnitOfWork, record: R, now: datetime) -> None:
        """Delete what can't stay without the record."""

    def _go_along(self, uow: UnitOfWork, record: R, now: datetime) -> None:
        """Let go what nothing needs any more, now that the record is deleted."""

    def _lock_with_ends(self, uow: UnitOfWork, id: UUID) -> R:
        """The record, locked, after all that has to be locked before it to be deleted or restored. Raises NotFound."""
        return self._lock(uow, id)

    def _restored(self, uow: UnitOfWork, record: R, now: datetime) -> R:
        """The next version of a deleted record, active again. Raises what forbids that."""
        return next_version(record, now, deleted_at=None, deleted_by=None, **brought_back(record))

    # What all have.

    @transaction
    def create_from(self, fields: Mapping[str, Json]) -> R:
        """Create a record from its fields by name, as its JSON has them. Raises as the noun's own ``create`` does."""
        require(self._context.actor, Action.CREATE)
        noun = self._noun
        draft = build(noun.draft, fields)
        now, actor = self._context.now(), self._context.actor
        said = {name: getattr(draft, name) for name in noun.said}
        record = noun.record(id=self._context.new_id(), created_by=actor, created_at=now, updated_at=now, **said)
        try:
            with self._context.store.begin(adds_only=not noun.references) as uow:
                self._check_new(uow, record)
                uow.of(noun).add([record])
                uow.changes.append([self._context.change(ChangeAction.CREATED, record)])
                uow.commit()
        except AlreadyExists as error:
            name_holder(error, self._context, noun, record)
            raise
        return record

    def replace(
        self,
        id: UUID | str,
        record: D | Mapping[str, Json],
        *,
        expected_version: int | None = None,
        precondition: Precondition | None = None,
    ) -> R:
        """Set all fields to what ``record`` says: a draft, or a mapping like the record's JSON.

        The mapping may repeat the fields that kgl sets, unchanged. Raises as `update` does.
        """
        change, noted = read_whole(self._noun, record)
        return self._change(id, change, noted, expected_version, precondition)

    def patch(
        self,
        id: UUID | str,
        patch: Mapping[str, Json],
        *,
        expected_version: int | None = None,
        precondition: Precondition | None = None,
    ) -> R:
        """Apply a JSON Merge Patch (RFC 7396), which merges metadata name by name. Raises as `update` does.

        The patch may repeat the fields that kgl sets, unchanged.
        """
        own, noted = take_noted(self._noun, patch)

        def change(stored: dict[str, Any]) -> D:
            return rebuild(self._noun.draft, merge_patch(stored, own), stored)

        return self._change(id, change, noted, expected_version, precondition)

    @transaction
    def delete(
        self, id: UUID | str, *, expected_version: int | None = None, precondition: Precondition | None = None
    ) -> R:
        """Delete a record. Raises NotFound, Deleted when it is already, and StaleVersion as `update` does.

        With an entity, all its active relationships are deleted; `restore` brings them back. It raises
        TooManyRelationships when there are more than TAKEN_ALONG_MAX. With the last relationship that needs it, an
        entity that nothing supports is retired.
        """
        self._require_may_change()
        wanted = require_id(id)
        with self._context.store.begin() as uow:
            current = self._may_change(self._lock_with_ends(uow, wanted), expected_version, precondition)
            now = self._context.now()
            self._take_along(uow, current, now)
            deleted = next_version(current, now, deleted_at=now, deleted_by=self._context.actor)
            self._store(uow, deleted, ChangeAction.DELETED)
            self._go_along(uow, deleted, now)
            uow.commit()
        return deleted

    # What a subclass gives its arguments and its words.

    def _update(self, id: UUID | str, changes: Mapping[str, Any], expected_version: int | None) -> R:
        """Change the given fields of a record and return it; if that changes nothing, there is no new version.

        Raises NotFound, Deleted, InvalidInput with every fault, AlreadyExists when the unique value is taken, and
        StaleVersion when ``expected_version`` is given and is not the present one.
        """
        noun = self._noun
        unknown = unknown_names((n for n in changes if n not in noun.changeable), noun.changeable) if noun.fixed else ()

        def change(stored: dict[str, Any]) -> D:
            if unknown:
                raise InvalidInput(unknown)
            return rebuild(noun.draft, {**stored, **changes}, stored)

        return self._change(id, change, {}, expected_version)

    @transaction
    def _restore(
        self,
        id: UUID | str,
        expected_version: int | None,
        precondition: Precondition | None,
        bring_along: Callable[[UnitOfWork, R, datetime], T | None] = lambda uow, record, now: None,
    ) -> tuple[R, T | None]:
        """Restore a record, with what ``bring_along`` restores; one that is active already is left as it is.

        Returns the record, and what ``bring_along`` did. Raises NotFound, AlreadyExists when the unique value has been
        taken meanwhile, and StaleVersion as `_update` does.
        """
        require(self._context.actor, Action.RESTORE)
        wanted = require_id(id)
        try:
            with self._context.store.begin() as uow:
                current = self._lock_with_ends(uow, wanted)
                require_state(self._noun, current, expected_version, precondition)
                if current.deleted_at is None:
                    return current, None
                now = self._context.now()
                restored = self._restored(uow, current, now)
                self._store(uow, restored, ChangeAction.RESTORED)
                brought = bring_along(uow, restored, now)
                uow.commit()
        except AlreadyExists as error:
            name_holder(error, self._context, self._noun, current)
            raise
        return restored, brought

    @transaction
    def _change(
        self,
        id: UUID | str,
        change: Callable[[dict[str, Any]], D],
        noted: Mapping[str, Any],
        expected_version: int | None,
        precondition: Precondition | None = None,
    ) -> R:
        """Store the draft that ``change`` makes of the record's present fields, unless nothing changes.

        ``noted`` are the fields that kgl sets, as the caller sent them back.
        """
        self._require_may_change()
        wanted = require_id(id)
        said = self._noun.said
        try:
            with self._context.store.begin() as uow:
                current = self._may_change(self._lock(uow, wanted), expected_version, precondition)
                require_noted(current, noted)
                draft = change({name: getattr(current, name) for name in said})
                require_fixed(self._noun, current, draft)
                if same_values(draft, current, said):
                    return current
                values = {name: getattr(draft, name) for name in said}
                pinned = pinned_by_hand(current, draft, said)
                changed = next_version(current, self._context.now(), **values, **pinned)
                self._store(uow, changed, ChangeAction.UPDATED)
                uow.commit()
        except AlreadyExists as error:
            name_holder(error, self._context, self._noun, changed)
            raise
        return changed

    def _require_may_change(self) -> None:
        """Raise PermissionDenied for an actor who may not even change their own records.

        It is asked before the record is looked up, so that such an actor does not learn whether it exists.
        """
        require(self._context.actor, Action.CHANGE, self._context.actor)

    def _may_change(self, current: R, expected_version: int | None, precondition: Precondition | None) -> R:
        """The record, which is locked. Raises what forbids the actor to change it as it is now."""
        require(self._context.actor, Action.CHANGE, current.created_by)
        if current.deleted_at is not None:
            raise gone(self._noun.name, current, to_change=True)
        require_state(self._noun, current, expected_version, precondition)
        return current

    def _lock(self, uow: UnitOfWork, id: UUID) -> R:
        return found(uow.of(self._noun).get(id, lock="update"), self._noun.name, id)

    def _store(self, uow: UnitOfWork, record: R, action: ChangeAction) -> None:
        """Write the record's new version and its change."""
        uow.of(self._noun).replace([record])
        uow.changes.append([self._context.change(action, record)])
