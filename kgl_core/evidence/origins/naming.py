"""Naming: what the use cases of sources and of extractors share, of which each is known by one text."""

from __future__ import annotations

from typing import Any, Generic, TypeVar
from uuid import UUID

from kgl_core.evidence.origins.extractors import Extractor
from kgl_core.evidence.origins.sources import Source
from kgl_core.kernel.errors import AlreadyExists
from kgl_core.kernel.ids import require_id
from kgl_core.kernel.nouns.listings import read_page
from kgl_core.kernel.nouns.noun import Noun
from kgl_core.kernel.nouns.pages import Page
from kgl_core.kernel.nouns.records import found
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import Context

R = TypeVar("R", Source, Extractor)


class Naming(Generic[R]):
    """The use cases of sources or of extractors, on behalf of one actor.

    Every method raises PermissionDenied when the actor may not call it, InvalidInput for malformed arguments, and
    StoreError when the store is in trouble. An id is a UUID or its canonical text.
    """

    _noun: Noun[R, Any, Any, Any]

    def __init__(self, context: Context) -> None:
        self._context = context

    def get(self, id: UUID | str) -> R:
        """The one with this id. Raises NotFound."""
        require(self._context.actor, Action.READ)
        wanted = require_id(id)
        with self._context.store.read() as uow:
            return found(uow.of(self._noun).get(wanted), self._noun.name, wanted)

    def _add(self, named: R, field: str, name: str) -> R:
        """Store a new one, whose ``field`` has the text that it is known by. Raises AlreadyExists."""
        try:
            with self._context.store.begin() as uow:
                uow.of(self._noun).add([named])
                uow.commit()
        except AlreadyExists as error:
            raise AlreadyExists(self._noun.name, field, name, named.id) from error
        return named

    def _list(self, filter: Any, sort: str, limit: int, cursor: str | None) -> Page[R]:
        """A page of those that pass a filter; ``limit`` is 1..200. Raises InvalidCursor, HistoryLost."""
        with self._context.store.read() as uow:
            return read_page(self._noun, uow.of(self._noun), filter, sort, limit, cursor)
