"""Contributions: how much of the graph one source supports, and which other sources say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import attrs

from kgl_core.evidence.assertions import Contributed, Stance
from kgl_core.evidence.origins.extractors import EXTRACTOR, extractor_id
from kgl_core.evidence.origins.sources import SOURCE, Source
from kgl_core.kernel.ids import SourceId
from kgl_core.kernel.units_of_work import UnitOfWork

COUNTED_MAX: Final = 50_000
"""How many assertions of a source are counted, and how many facts of each kind that have none."""
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
    """What is said of active facts because of one source: by assertions in force, and by facts that name it themselves.

    ``only_here`` is the number of facts that nothing else supports, no person either. ``extractors`` counts the same
    for each extractor. ``shared_with`` are the other sources that support the same facts: those first that share most,
    up to 20; with ``truncated``, there are more. Where a source says very much, ``is_complete`` is False: its first
    50,000 assertions were counted, as many facts of either kind of which only their creator has said anything, or
    100,000 assertions of others, and every number may be larger.
    """

    only_here: int
    extractors: tuple[FoundBy, ...]
    shared_with: tuple[SharingSource, ...]
    truncated: bool
    is_complete: bool


def contribution_of(uow: UnitOfWork, source: Source) -> Contribution:
    """What a source contributes to the graph."""
    said = uow.assertions.contributed(source.id, COUNTED_MAX + 1)
    found = uow.assertions.stated_alone(source.uri, COUNTED_MAX + 1)
    entities, relationships = (min(number, COUNTED_MAX) for number in found)
    by_hand = {"entities_for": entities, "relationships_for": relationships}
    counted = [each for each in said[:COUNTED_MAX] if each.is_active]
    alone = {each.fact_id for each in counted if each.stance is Stance.FOR and each.sources_for == 1}
    others, number = uow.assertions.sharing(source.id, COUNTED_MAX, BESIDE_MAX + 1, OTHERS_MAX + 1)
    named = others[:OTHERS_MAX]
    uris = {source.id: source.uri for source in uow.of(SOURCE).find([id for id, _ in named])} if named else {}
    by_extractor: dict[str | None, list[Contributed]] = {None: []} if entities or relationships else {}
    for each in counted:
        by_extractor.setdefault(each.extractor, []).append(each)
    extractors = sorted(by_extractor, key=lambda name: (name is not None, name or ""))
    ids = [extractor_id(name) for name in extractors if name is not None]
    ranks: dict[str | None, int] = {each.name: each.rank for each in uow.of(EXTRACTOR).find(ids)} if ids else {}
    return Contribution(
        **_counts(counted, by_hand),
        only_here=len(alone) + entities + relationships,
        extractors=tuple(
            FoundBy(
                extractor=name,
                rank=ranks.get(name),
                **_counts(by_extractor[name], by_hand if name is None else {}),
            )
            for name in extractors
        ),
        shared_with=tuple(SharingSource(id=SourceId(id), uri=uris[SourceId(id)], shared=n) for id, n in named),
        truncated=len(others) > OTHERS_MAX,
        is_complete=max(len(said), *found) <= COUNTED_MAX and number <= BESIDE_MAX,
    )


def _counts(said: Sequence[Contributed], besides: Mapping[str, int]) -> Mapping[str, int]:
    """The fields of `FactCounts`: each fact counts once, whoever says the same of it; ``besides`` are further ones."""
    facts: dict[tuple[bool, Stance], set[UUID]] = {}
    for each in said:
        facts.setdefault((each.is_entity, each.stance), set()).add(each.fact_id)
    return {
        name: len(facts.get((is_entity, stance), ())) + besides.get(name, 0)
        for is_entity, plural in ((True, "entities"), (False, "relationships"))
        for stance in Stance
        for name in (f"{plural}_{stance.value}",)
    }
