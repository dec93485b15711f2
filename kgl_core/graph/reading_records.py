"""Reading records: what the use cases of every noun share that has versions, and whose records can be restored."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar
from uuid import UUID

from kgl_core.graph.facts import gone
from kgl_core.kernel.checked_records import build, listed
from kgl_core.kernel.ids import require_id
from kgl_core.kernel.nouns.json_records import JsonRecord, json_record
from kgl_core.kernel.nouns.listings import read_json_page, read_page
from kgl_core.kernel.nouns.noun import Noun
from kgl_core.kernel.nouns.pages import Page
from kgl_core.kernel.nouns.records import Record, RecordSelection, found
from kgl_core.kernel.nouns.versions import in_order
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context, UnitOfWork

R = TypeVar("R", bound=Record)
D = TypeVar("D")
F = TypeVar("F")


class ReadRecords(Generic[R, D, F]):
    """The use cases that read a noun's records, on behalf of one actor.

    A subclass names the noun, and gives ``list`` and ``count`` the arguments of that noun. Every method raises
    PermissionDenied when the actor may not call it, InvalidInput for malformed arguments, and StoreError when the store
    is in trouble. An id is a UUID or its canonical text.
    """

    _noun: Noun[R, D, F, Any]

    def __init__(self, context: Context) -> None:
        self._context = context

    def get(self, id: UUID | str, *, include_deleted: bool = False) -> R:
        """The record with this id. Raises NotFound, and Deleted unless ``include_deleted`` is set."""
        require(self._context.actor, Action.READ)
        wanted = require_id(id)
        with self._context.store.read() as uow:
            record = found(uow.of(self._noun).get(wanted), self._noun.name, wanted)
        if record.deleted_at is not None and not include_deleted:
            raise gone(self._noun.name, record)
        return record

    def get_json(self, id: UUID | str, *, include_deleted: bool = False) -> JsonRecord:
        """What `get` gives, as JSON. Raises as that does."""
        require(self._context.actor, Action.READ)
        wanted = require_id(id)
        with self._context.store.read() as uow:
            shown = uow.of(self._noun).get_json(wanted)
        if shown is None or (shown["deleted_at"] is not None and not include_deleted):
            return json_record(self.get(wanted, include_deleted=include_deleted), self._noun.hidden)
        return shown

    def get_many(self, *, ids: Collection[UUID | str], is_active: bool | None = True) -> Sequence[R]:
        """The records with any of these ids, up to 1,000, ordered by id; what does not exist is left out.

        ``is_active`` False finds the deleted ones, None both.
        """
        require(self._context.actor, Action.READ)
        selection = build(RecordSelection, {"ids": listed(ids), "is_active": is_active})
        with self._context.store.read() as uow:
            records = uow.of(self._noun).find(selection.ids)
        return in_order(records, is_active)

    def list_json(self, filter: Mapping[str, Any], *, sort: str, limit: int, cursor: str | None) -> Page[JsonRecord]:
        """What ``list`` gives, as JSON: quicker where records only pass through. The filters are those of ``list``."""
        return self._list(filter, sort, limit, cursor, read_json_page)

    def _list(
        self, filter: Mapping[str, Any], sort: str, limit: int, cursor: str | None, read: Any = read_page
    ) -> Page[Any]:
        """A page of the records that match the filter; ``limit`` is 1..200.

        Raises InvalidCursor when ``cursor`` is from another filter or sort; HistoryLost when it is from another store,
        or from before a backup was restored.
        """
        require(self._context.actor, Action.READ)
        wanted = build(self._noun.filter, filter)
        with self._reading(wanted) as uow:
            page: Page[Any] = read(self._noun, uow.of(self._noun), wanted, sort, limit, cursor)
        return page

    def _count(self, filter: Mapping[str, Any]) -> int:
        """How many records match the filter."""
        require(self._context.actor, Action.READ)
        wanted = build(self._noun.filter, filter)
        with self._reading(wanted) as uow:
            return uow.of(self._noun).count(wanted)

    def _reading(self, filter: Any) -> AbstractContextManager[UnitOfWork]:
        """A unit of work that reads a listing with this filter."""
        return self._context.store.read()
