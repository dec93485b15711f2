"""What a unit of work holds of evidence: assertions, the facts that they are about, and their sources."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any
from uuid import UUID

import attrs

from kgl_core.evidence.assertions import Assertion, Stance
from kgl_core.evidence.origins.extractors import EXTRACTOR, Extractor, extractor_id
from kgl_core.evidence.origins.sources import SOURCE, Source, source_id
from kgl_core.evidence.supporting import Origins, stated_by
from kgl_core.graph.entities import Entity
from kgl_core.kernel.ids import AssertionId, ExtractorId
from kgl_core.kernel.units_of_work import Context, UnitOfWork


def about(fact: Any) -> dict[str, Any]:
    """The fields of an assertion that say which fact it is about."""
    is_entity = isinstance(fact, Entity)
    return {"entity_id": fact.id if is_entity else None, "relationship_id": None if is_entity else fact.id}


def first_assertion(fact: Any) -> Assertion:
    """What a fact states of itself, as the assertion of whoever created it; it has the fact's id."""
    return Assertion(
        id=AssertionId(fact.id),
        source_id=None if fact.source is None else source_id(fact.source),
        stance=Stance.FOR,
        confidence=fact.confidence,
        values=stated_by(fact),
        asserted_by=fact.created_by,
        asserted_at=fact.created_at,
        **about(fact),
    )


def new_source(context: Context, uri: str, **fields: Any) -> Source:
    """A source that the actor names for the first time."""
    noted = {"title": None, "type": None, "published": None, "metadata": {}, **fields}
    return Source(id=source_id(uri), uri=uri, created_by=context.actor, created_at=context.now(), **noted)


def new_extractor(context: Context, name: str) -> Extractor:
    """An extractor that the actor names for the first time."""
    return Extractor(id=extractor_id(name), name=name, created_by=context.actor, created_at=context.now())


@attrs.frozen
class EnsuredSources:
    """Sources as they are stored now, by id; the ids of those that were missing, and of those whose type was filled.

    Nothing has been said of what was missing. Facts may have to show a type that was filled: see `settle_source`.
    """

    by_id: Mapping[UUID, Source] = attrs.Factory(dict)
    added: frozenset[UUID] = frozenset()
    typed: frozenset[UUID] = frozenset()


def ensure_sources(
    context: Context, uow: UnitOfWork, uris: Collection[str], *, locked: bool = False, **fields: Any
) -> EnsuredSources:
    """Store the sources with these URIs that are missing, with these fields.

    With ``locked``, lock the others, and fill those of the fields that they do not have.
    """
    if not uris:
        return EnsuredSources()
    repository = uow.of(SOURCE)
    wanted = {source_id(uri): uri for uri in uris}
    found = repository.find([*wanted], lock="update" if locked else None)
    by_id: dict[UUID, Source] = {source.id: source for source in found}
    missing = sorted(wanted.keys() - by_id.keys())
    new = [new_source(context, wanted[id], **fields) for id in missing]
    repository.add(new)
    by_id |= {source.id: source for source in new}
    typed: set[UUID] = set()
    for source in found if locked else ():
        news = {name: value for name, value in fields.items() if value is not None and getattr(source, name) is None}
        if news:
            by_id[source.id] = attrs.evolve(source, version=source.version + 1, **news)
            repository.replace([by_id[source.id]])
        if "type" in news:
            typed.add(source.id)
    return EnsuredSources(by_id, frozenset(missing), frozenset(typed))


def ensure_extractors(context: Context, uow: UnitOfWork, assertions: Iterable[Assertion]) -> dict[str, Extractor]:
    """The extractors that assertions name, by name; those that are missing are stored.

    None of them is ranked before the unit of work ends. So whoever ranks one afterwards finds all that was said.
    """
    wanted = _extractors_in(assertions)
    if not wanted:
        return {}
    found = {each.id: each for each in uow.of(EXTRACTOR).find([*wanted], lock="share")}
    new = [new_extractor(context, wanted[id]) for id in sorted(wanted.keys() - found.keys())]
    uow.of(EXTRACTOR).add(new)
    return {each.name: each for each in (*found.values(), *new)}


def facts_of(uow: UnitOfWork, assertions: Collection[Assertion]) -> dict[UUID, Any]:
    """The facts that assertions are about, by id, locked as `lock_facts` does."""
    entity_ids = {each.entity_id for each in assertions if each.entity_id is not None}
    relationship_ids = {each.relationship_id for each in assertions if each.relationship_id is not None}
    return lock_facts(uow, entity_ids, relationship_ids)


def lock_facts(uow: UnitOfWork, entity_ids: Collection[UUID], relationship_ids: Collection[UUID]) -> dict[UUID, Any]:
    """The facts with these ids, locked: entities before relationships, as everywhere.

    The ends of the relationships are locked as well, since they may have to follow them: locked later, two units of
    work could each wait for what the other one has.
    """
    wanted = {*entity_ids, *ends_of(uow, relationship_ids)}
    entities = uow.entities.find(wanted, lock="update") if wanted else ()
    relationships = uow.relationships.find(relationship_ids, lock="update") if relationship_ids else ()
    return {fact.id: fact for fact in (*entities, *relationships) if fact.id in entity_ids or fact.id not in wanted}


def ends_of(uow: UnitOfWork, relationship_ids: Collection[UUID]) -> set[UUID]:
    """The ids of the ends of these relationships, which never change."""
    found = uow.relationships.find(relationship_ids) if relationship_ids else ()
    return {end for relationship in found for end in relationship.ends}


def sources_of(uow: UnitOfWork, assertions: Iterable[Assertion]) -> dict[UUID, Source]:
    """The sources that assertions name and that are stored, by id."""
    ids = {each.source_id for each in assertions if each.source_id is not None}
    return {source.id: source for source in uow.of(SOURCE).find(ids)} if ids else {}


def origins_of(uow: UnitOfWork, assertions: Collection[Assertion]) -> Origins:
    """The sources and the extractors that assertions name."""
    ids = _extractors_in(assertions)
    extractors = uow.of(EXTRACTOR).find([*ids]) if ids else ()
    return Origins(sources_of(uow, assertions), {each.name: each for each in extractors})


def _extractors_in(assertions: Iterable[Assertion]) -> dict[ExtractorId, str]:
    """The names of the extractors that found what is asserted, by id."""
    return {extractor_id(name): name for name in {each.extractor for each in assertions} if name is not None}
