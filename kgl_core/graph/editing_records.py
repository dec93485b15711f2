"""What entities and relationships share in editing: get one, replace it, patch it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, Literal, Protocol, TypeVar
from uuid import UUID

import attrs

from kgl_core.graph.changes import Change, ChangeAction
from kgl_core.graph.entities import Entity, EntityDraft, Json
from kgl_core.graph.merge_patch import merge_patch
from kgl_core.graph.read_only_fields import Record, read_whole, require_kept, take_kept
from kgl_core.graph.relationships import Relationship, RelationshipDraft
from kgl_core.kernel.checked_records import rebuild, same_values
from kgl_core.kernel.errors import Deleted, Fault, InvalidInput, NotFound, StaleVersion
from kgl_core.kernel.ids import require_id
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.taken_values import Holder, naming_holder
from kgl_core.kernel.units_of_work import Context, UnitOfWork, transaction

R = TypeVar("R", Entity, Relationship)
D = TypeVar("D", EntityDraft, RelationshipDraft)

Precondition = Callable[[Record], object]
"""Looks at a record before it is changed, while nobody else can change it; what it raises ends the call."""


class RecordRepository(Protocol[R]):
    """What `Records` needs of a repository. `EntityRepository` and `RelationshipRepository` say the rest."""

    def get(self, id: UUID, /) -> R | None: ...
    def find(self, ids: Collection[UUID], /, *, lock: Literal["update"] | None = None) -> Sequence[R]: ...
    def replace(self, records: Sequence[R], /) -> None: ...


class Records(ABC, Generic[R, D]):
    """The use cases that entities and relationships share, on behalf of one actor."""

    _kind: str
    _draft: type[D]
    _fields: tuple[str, ...]
    """The names of the draft's fields."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @abstractmethod
    def _repository(self, uow: UnitOfWork) -> RecordRepository[R]: ...

    @abstractmethod
    def _holder(self, uow: UnitOfWork, record: R) -> Holder:
        """The active record that holds what must be unique in ``record``."""

    def _check_change(self, current: R, draft: D) -> None:
        """Raise InvalidInput when ``draft`` changes what can't change."""

    def get(self, id: UUID | str, *, include_deleted: bool = False) -> R:
        """The record with this id. Raises NotFound, and Deleted unless ``include_deleted`` is set."""
        require(self._context.actor, Action.READ)
        wanted = require_id(id)
        with self._context.store.read() as uow:
            record = self._repository(uow).get(wanted)
        if record is None:
            raise NotFound(self._kind, wanted)
        if not record.is_active and not include_deleted:
            raise Deleted(self._kind, wanted)
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
        change, kept = read_whole(self._draft, record)
        return self._update(id, change, kept, expected_version, precondition)

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
        own, kept = take_kept(self._draft, patch)

        def change(stored: dict[str, Any]) -> D:
            return rebuild(self._draft, merge_patch(stored, own), stored)

        return self._update(id, change, kept, expected_version, precondition)

    @transaction
    def _update(
        self,
        id: UUID | str,
        change: Callable[[dict[str, Any]], D],
        kept: Mapping[str, Any],
        expected_version: int | None,
        precondition: Precondition | None = None,
    ) -> R:
        """Store the draft that ``change`` makes of the record's present fields, unless nothing changes.

        ``kept`` are the fields that kgl sets, as the caller sent them back.
        """
        self._require_may_change()
        wanted = require_id(id)
        naming = naming_holder(self._context, lambda uow: self._holder(uow, changed))
        with naming, self._context.store.begin() as uow:
            current = self._lock_for_change(uow, wanted, expected_version, precondition)
            require_kept(current, kept)
            draft = change({name: getattr(current, name) for name in self._fields})
            self._check_change(current, draft)
            if same_values(draft, current, self._fields):
                return current
            values = {name: getattr(draft, name) for name in self._fields}
            changed: R = next_version(current, self._context.now(), **values)
            self._store(uow, changed, ChangeAction.UPDATED)
            uow.commit()
        return changed

    def _require_may_change(self) -> None:
        """Raise PermissionDenied for an actor who may not even change their own records.

        It is asked before the record is looked up, so that such an actor does not learn whether it exists.
        """
        require(self._context.actor, Action.CHANGE, self._context.actor)

    def _lock_for_change(
        self, uow: UnitOfWork, id: UUID, expected_version: int | None, precondition: Precondition | None
    ) -> R:
        current = self._lock(uow, id)
        require(self._context.actor, Action.CHANGE, current.created_by)
        if not current.is_active:
            raise Deleted(self._kind, id, to_change=True)
        self._check_state(current, expected_version, precondition)
        return current

    def _lock(self, uow: UnitOfWork, id: UUID) -> R:
        found = self._repository(uow).find([id], lock="update")
        if not found:
            raise NotFound(self._kind, id)
        return found[0]

    def _check_state(self, record: R, expected: int | None, precondition: Precondition | None) -> None:
        """Raise StaleVersion unless ``expected`` is None or the record's version, and whatever the precondition raises.

        Raises InvalidInput when ``expected`` can't be a version.
        """
        if expected is not None:
            if type(expected) is not int or expected < 1:
                raise InvalidInput(
                    [Fault("/expected_version", "out_of_range", "give the version that you read, 1 or more")]
                )
            if record.version != expected:
                raise StaleVersion(self._kind, record.id, expected, record.version)
        if precondition is not None:
            precondition(record)

    def _store(self, uow: UnitOfWork, record: R, action: ChangeAction) -> None:
        """Write the record's new version and its change."""
        self._repository(uow).replace([record])
        uow.changes.append([Change(record.updated_at, self._context.actor, action, record)])


def next_version(record: R, now: datetime, **values: Any) -> R:
    """The record's next version, changed now, with these values."""
    return attrs.evolve(record, version=record.version + 1, updated_at=now, **values)
