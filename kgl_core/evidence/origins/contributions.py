"""Contributions: how much of the graph one source supports, and which other sources say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import attrs

from kgl_core.evidence.assertions import Contributed, Stance
from kgl_core.evidence.origins.extractors import EXTRACTOR, extractor_id
from kgl_core.evidence.origins.sources import SOURCE
from kgl_core.kernel.ids import SourceId
from kgl_core.kernel.units_of_work import UnitOfWork

COUNTED_MAX: Final = 50_000
"""How many assertions of a source are counted."""
BESIDE_MAX: Final = 100_000
"""How many assertions of other sources are counted."""
OTHERS_MAX: Final = 20
"""How many other sources are named."""


@attrs.frozen(kw_only=True)
class FactCounts:
    """How many active facts are supported, and how many are spoken against."""

    entities_for: int = 0
    relationships_for: int = 0
    entities_against: int = 0
    relationships_against: int = 0


@attrs.frozen(kw_only=True)
class FoundBy(FactCounts):
    """What one extractor found in a source, and its rank; None stands for people who named the source themselves."""

    extractor: str | None
    rank: int | None


@attrs.frozen(kw_only=True)
class SharingSource:
    """Another source, and how many facts it supports together with the one that was asked for."""

    id: SourceId
    uri: str
    shared: int


@attrs.frozen(kw_only=True)
class Contribution(FactCounts):
    """What assertions in force say of active facts because of one source.

    ``only_here`` is the number of facts that nothing else supports, no person either. ``extractors`` counts the same
    for each extractor. ``shared_with`` are the other sources that support the same facts: those first that share most,
    up to 20; with ``truncated``, there are more. Where a source says very much, ``is_complete`` is False: its first
    50,000 assertions were counted, or 100,000 of others, and every number may be larger.

    Facts of which nobody but their creator has said anything have no assertions, and are not counted: a listing of
    facts by ``source`` has them, too.
    """

    only_here: int
    extractors: tuple[FoundBy, ...]
    shared_with: tuple[SharingSource, ...]
    truncated: bool
    is_complete: bool


def contribution_of(uow: UnitOfWork, source_id: UUID) -> Contribution:
    """What a source contributes to the graph."""
    said = uow.assertions.contributed(source_id, COUNTED_MAX + 1)
    counted = [each for each in said[:COUNTED_MAX] if each.is_active]
    alone = {each.fact_id for each in counted if each.stance is Stance.FOR and each.sources_for == 1}
    others, number = uow.assertions.sharing(source_id, COUNTED_MAX, BESIDE_MAX + 1, OTHERS_MAX + 1)
    named = others[:OTHERS_MAX]
    uris = {source.id: source.uri for source in uow.of(SOURCE).find([id for id, _ in named])} if named else {}
    by_extractor: dict[str | None, list[Contributed]] = {}
    for each in counted:
        by_extractor.setdefault(each.extractor, []).append(each)
    extractors = sorted(by_extractor, key=lambda name: (name is not None, name or ""))
    ids = [extractor_id(name) for name in extractors if name is not None]
    ranks: dict[str | None, int] = {each.name: each.rank for each in uow.of(EXTRACTOR).find(ids)} if ids else {}
    return Contribution(
        **_counts(counted),
        only_here=len(alone),
        extractors=tuple(
            FoundBy(extractor=name, rank=ranks.get(name), **_counts(by_extractor[name])) for name in extractors
        ),
        shared_with=tuple(SharingSource(id=SourceId(id), uri=uris[SourceId(id)], shared=n) for id, n in named),
        truncated=len(others) > OTHERS_MAX,
        is_complete=len(said) <= COUNTED_MAX and number <= BESIDE_MAX,
    )


def _counts(said: Sequence[Contributed]) -> Mapping[str, int]:
    """The fields of `FactCounts`: each fact counts once, whoever says the same of it."""
    facts: dict[tuple[bool, Stance], set[UUID]] = {}
    for each in said:
        facts.setdefault((each.is_entity, each.stance), set()).add(each.fact_id)
    return {
        f"{plural}_{stance.value}": len(facts.get((is_entity, stance), ()))
        for is_entity, plural in ((True, "entities"), (False, "relationships"))
        for stance in Stance
    }
