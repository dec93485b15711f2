"""Naming sources: describing them before, or without, anything being extracted from them."""

from __future__ import annotations

from typing import Unpack
from uuid import UUID

from kgl_core.evidence.sources import (
    SOURCE,
    Source,
    SourceDraft,
    SourceFields,
    SourceFilter,
    SourceFilterFields,
    source_id,
)
from kgl_core.kernel.checked_records import build
from kgl_core.kernel.errors import AlreadyExists
from kgl_core.kernel.ids import require_id
from kgl_core.kernel.nouns.listings import read_page
from kgl_core.kernel.nouns.pages import LIMIT_DEFAULT, Page
from kgl_core.kernel.nouns.records import found
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context, transaction


class Sources:
    """The use cases of sources, on behalf of one actor.

    Every method raises PermissionDenied when the actor may not call it, InvalidInput for malformed arguments, and
    StoreError when the store is in trouble. An id is a UUID or its canonical text.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    @transaction
    def create(self, /, **fields: Unpack[SourceFields]) -> Source:
        """Describe a source. Raises InvalidInput with every fault, and AlreadyExists when the URI is known."""
        require(self._context.actor, Action.CREATE)
        draft = build(SourceDraft, fields)
        said = {name: getattr(draft, name) for name in SOURCE.said}
        actor, now = self._context.actor, self._context.now()
        source = Source(id=source_id(draft.uri), created_by=actor, created_at=now, **said)
        try:
            with self._context.store.begin() as uow:
                uow.of(SOURCE).add([source])
                uow.commit()
        except AlreadyExists as error:
            raise AlreadyExists("source", "uri", source.uri, source.id) from error
        return source

    def get(self, id: UUID | str) -> Source:
        """The source with this id. Raises NotFound."""
        require(self._context.actor, Action.READ)
        wanted = require_id(id)
        with self._context.store.read() as uow:
            return found(uow.of(SOURCE).get(wanted), "source", wanted)

    def get_by_uri(self, uri: str) -> Source:
        """The source with this URI. Raises NotFound."""
        require(self._context.actor, Action.READ)
        wanted = build(SourceDraft, {"uri": uri}).uri
        with self._context.store.read() as uow:
            return found(uow.of(SOURCE).get(source_id(wanted)), "source", wanted)

    def list(
        self,
        *,
        sort: str = "created_at",
        limit: int = LIMIT_DEFAULT,
        cursor: str | None = None,
        **filter: Unpack[SourceFilterFields],
    ) -> Page[Source]:
        """A page of sources; ``limit`` is 1..200. Raises InvalidCursor, HistoryLost."""
        require(self._context.actor, Action.READ)
        wanted = build(SourceFilter, filter)
        with self._context.store.read() as uow:
            return read_page(SOURCE, uow.of(SOURCE), wanted, sort, limit, cursor)
