"""Linking: which entities have just these names already, asked for many names at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import attrs

from kgl_core.exploration.search.names import Names
from kgl_core.graph.entities import NAME, Entity
from kgl_core.graph.naming.names import NameField, names_of
from kgl_core.graph.naming.words import words_of
from kgl_core.kernel.checked_records import Built, check, ruled
from kgl_core.kernel.field_rules import TYPE_NAME, Each, Integer, Optional
from kgl_core.kernel.ids import EntityId
from kgl_core.kernel.text import identity_form
from kgl_core.kernel.units_of_work import UnitOfWork

NAMES_MAX: Final = 1_000
MATCHES_MAX: Final = 20

Likeness = Literal["identity", "search"]


@attrs.frozen(kw_only=True)
class NameToLink:
    """A name, and the type that an entity must have, if that is known."""

    name: str = ruled(NAME)
    type: str | None = ruled(Optional(TYPE_NAME), default=None)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class LinkQuery:
    """Up to 1,000 names to find entities for; ``limit`` is how many for each, 1 to 20."""

    names: tuple[NameToLink, ...] = ruled(Each(Built(NameToLink), NAMES_MAX))
    limit: int = ruled(Integer(1, MATCHES_MAX), default=5)

    def __attrs_post_init__(self) -> None:
        check(self)


@attrs.frozen(kw_only=True)
class Match:
    """An entity that has a name: which of its names that is, and how alike the two are.

    ``likeness`` is identity where kgl takes both for the same name, as where case differs; search where only search
    does, as for other punctuation or width.
    """

    entity: Entity
    likeness: Likeness
    field: NameField
    text: str


@attrs.frozen(kw_only=True)
class Linked:
    """A name, and the entities that have it: by identity first, then those with more sources and confidence.

    ``is_cut`` says that there are more than were asked for.
    """

    name: str
    type: str | None
    matches: tuple[Match, ...]
    is_cut: bool = False


def link(uow: UnitOfWork, query: LinkQuery) -> tuple[Linked, ...]:
    """What is found for each name, in the order of the names."""
    asked = [(words_of(each.name), each.type) for each in query.names]
    # Twice as many as are wanted, of which the best are kept.
    found = _found(uow.names, asked, 2 * query.limit + 1)
    entities = {each.id: each for each in uow.entities.find({id for ids in found for id in ids})}
    return tuple(
        _linked(each, words, [entities[id] for id in ids], query.limit)
        for each, (words, _), ids in zip(query.names, asked, found, strict=True)
    )


def _found(names: Names, asked: Sequence[tuple[str, str | None]], each: int) -> list[list[EntityId]]:
    found: list[list[EntityId]] = [[] for _ in asked]
    for place, id in names.with_words(asked, each=each):
        found[place].append(EntityId(id))
    return found


def _linked(asked: NameToLink, words: str, entities: Sequence[Entity], limit: int) -> Linked:
    identity = identity_form(asked.name)
    matches = sorted([_match(asked.name, identity, words, entity) for entity in entities], key=_order)
    return Linked(name=asked.name, type=asked.type, matches=tuple(matches[:limit]), is_cut=len(matches) > limit)


def _match(name: str, identity: str, words: str, entity: Entity) -> Match:
    """The name of an entity that is most like the one asked for, of those with its words."""
    for field, text in names_of(entity):
        if text == name or identity_form(text) == identity:
            return Match(entity=entity, likeness="identity", field=field, text=text)
    field, text = next((field, text) for field, text in names_of(entity) if words_of(text) == words)
    return Match(entity=entity, likeness="search", field=field, text=text)


def _order(match: Match) -> tuple[str, bool, int, float, int]:
    entity = match.entity
    confidence = 1.0 if entity.confidence is None else -entity.confidence
    return (match.likeness, match.field != "name", -entity.sources_for, confidence, entity.id.int)
