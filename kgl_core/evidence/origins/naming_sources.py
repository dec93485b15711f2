"""Naming sources: describing them before, or without, anything being extracted from them, and ranking them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Unpack
from uuid import UUID

import attrs

from kgl_core.evidence.extraction.extractions import WithdrawalResult
from kgl_core.evidence.extraction.withdrawing_sources import withdraw_source
from kgl_core.evidence.origins.contributions import Contribution, contribution_of
from kgl_core.evidence.origins.naming import Naming
from kgl_core.evidence.origins.ranking import set_rank
from kgl_core.evidence.origins.sources import (
    SOURCE,
    Source,
    SourceDraft,
    SourceFields,
    SourceFilter,
    SourceFilterFields,
    source_id,
)
from kgl_core.evidence.settling import settle_source
from kgl_core.graph.entities import Json
from kgl_core.kernel.checked_records import build, rebuild, same_values
from kgl_core.kernel.errors import Fault, InvalidInput, NotFound
from kgl_core.kernel.ids import require_id
from kgl_core.kernel.nouns.merge_patch import merge_patch
from kgl_core.kernel.nouns.pages import LIMIT_DEFAULT, Page
from kgl_core.kernel.nouns.read_only_fields import require_noted, take_noted
from kgl_core.kernel.nouns.records import found
from kgl_core.kernel.nouns.versions import Precondition, require_state
from kgl_core.kernel.permissions import Action, require
from kgl_core.kernel.units_of_work import transaction

_URI_STAYS: Final = "it identifies the source and can't change; leave it out, or describe another source"

_DESCRIBE_FIRST: Final = (
    "check the spelling; one that only imports name is there once you describe it: kgl source add, or POST …/sources"
)


class Sources(Naming[Source]):
    """The use cases of sources, on behalf of one actor. `Naming` says what every method raises."""

    _noun = SOURCE

    @transaction
    def create(self, /, **fields: Unpack[SourceFields]) -> Source:
        """Describe a source. Raises InvalidInput with every fault, and AlreadyExists when the URI is known."""
        require(self._context.actor, Action.CREATE)
        draft = build(SourceDraft, fields)
        said = {name: getattr(draft, name) for name in SOURCE.said}
        actor, now = self._context.actor, self._context.now()
        source = Source(id=source_id(draft.uri), created_by=actor, created_at=now, **said)
        return self._add(source, "uri", source.uri)

    def get_by_uri(self, uri: str) -> Source:
        """The source with this URI. Raises NotFound."""
        require(self._context.actor, Action.READ)
        wanted = build(SourceDraft, {"uri": uri}).uri
        with self._context.store.read() as uow:
            source = uow.of(SOURCE).get(source_id(wanted))
        if source is None:
            raise NotFound("source", wanted, _DESCRIBE_FIRST)
        return source

    def contribution(self, id: UUID | str) -> Contribution:
        """What a source contributes to the graph, and which other sources say the same. Raises NotFound."""
        require(self._context.actor, Action.READ)
        wanted = require_id(id)
        with self._context.store.snapshot() as uow:
            return contribution_of(uow, found(uow.of(SOURCE).get(wanted), "source", wanted))

    def update(self, id: UUID | str, *, expected_version: int | None = None, **changes: Unpack[SourceFields]) -> Source:
        """Change the given fields of a source and return it; an update that changes nothing makes no new version.

        Facts show another ``type`` as `settle_source` says. Raises NotFound, InvalidInput with every fault, and
        StaleVersion when ``expected_version`` is given and is not the present one. Whoever named the source first may
        change it, and moderators.
        """
        given: Mapping[str, Any] = changes
        changed = self._change(id, lambda stored: {**stored, **given}, {}, expected_version, None)
        if "type" in given:
            settle_source(self._context, changed.id)
        return changed

    def patch(
        self,
        id: UUID | str,
        patch: Mapping[str, Json],
        *,
        expected_version: int | None = None,
        precondition: Precondition | None = None,
    ) -> Source:
        """Apply a JSON Merge Patch (RFC 7396), which merges metadata name by name. Raises as `update` does.

        The patch may repeat the fields that kgl sets, unchanged. ``precondition`` is called with the source once it is
        certain that the actor may change it.
        """
        own, noted = take_noted(SOURCE, patch)
        changed = self._change(id, lambda stored: merge_patch(stored, own), noted, expected_version, precondition)
        if "type" in own:
            settle_source(self._context, changed.id)
        return changed

    def rank(self, id: UUID | str, rank: int) -> Source:
        """Set how far a source is trusted before others, and let all facts that it supports show what wins then.

        The facts follow as `settle_source` says. Raises NotFound.
        """
        ranked = set_rank(self._context, SOURCE, id, rank)
        settle_source(self._context, ranked.id)
        return ranked

    def withdraw(self, uri: str, *, dry_run: bool = False) -> WithdrawalResult:
        """Withdraw all that anybody says because of a source. See `withdraw_source`."""
        return withdraw_source(self._context, uri, dry_run=dry_run)

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
        return self._list(build(SourceFilter, filter), sort, limit, cursor)

    @transaction
    def _change(
        self,
        id: UUID | str,
        change: Callable[[dict[str, Any]], Mapping[str, Any]],
        noted: Mapping[str, Any],
        expected_version: int | None,
        precondition: Precondition | None,
    ) -> Source:
        """Store the fields that ``change`` makes of a source's present ones, unless nothing changes."""
        require(self._context.actor, Action.CHANGE, self._context.actor)
        wanted = require_id(id)
        with self._context.store.begin() as uow:
            before = found(uow.of(SOURCE).get(wanted, lock="update"), "source", wanted)
            require(self._context.actor, Action.CHANGE, before.created_by)
            require_state(SOURCE, before, expected_version, precondition)
            require_noted(before, noted)
            stored = {name: getattr(before, name) for name in SOURCE.said}
            draft = rebuild(SourceDraft, change(stored), stored)
            if draft.uri != before.uri:
                raise InvalidInput([Fault("/uri", "immutable", _URI_STAYS)])
            said = {name: getattr(draft, name) for name in SOURCE.said}
            if same_values(draft, before, SOURCE.said):
                return before
            after = attrs.evolve(before, version=before.version + 1, **said)
            uow.of(SOURCE).replace([after])
            uow.commit()
        return after
