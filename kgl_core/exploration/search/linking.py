"""Linking: which entities have just these names already, asked for many names at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Generic, Literal
from uuid import UUID

import attrs

from kgl_core.exploration.search.names import Names
from kgl_core.exploration.walked_records import Compared, E
from kgl_core.graph.entities import NAME
from kgl_core.graph.naming.names import NameField, named
from kgl_core.graph.naming.words import words_of
from kgl_core.kernel.checked_records import Built, check, ruled
from kgl_core.kernel.field_rules import TYPE_NAME, Each, Integer, Optional
from kgl_core.kernel.text import identity_form

NAMES_MAX: Final = 1_000
MATCHES_MAX: Final = 20

Likeness = Literal["identity", "search"]
_COMPARED: Final = ("id", "name", "aliases", "key", "sources_for", "confidence")
_Values = tuple[UUID, str, Sequence[str], str | None, int, float | None]
_Likest = tuple[Likeness, NameField, str]


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
class Match(Generic[E]):
    """An entity that has a name: which of its names that is, and how alike the two are.

    ``likeness`` is identity where kgl takes both for the same name, as where case differs; search where only search
    does, as for other punctuation or width.
    """

    entity: E
    likeness: Likeness
    field: NameField
    text: str


@attrs.frozen(kw_only=True)
class Linked(Generic[E]):
    """A name, and the entities that have it: by identity first, then those with more sources and confidence.

    ``is_cut`` says that there are more than were asked for.
    """

    name: str
    type: str | None
    matches: tuple[Match[E], ...]
    is_cut: bool = False


def link(names: Names, query: LinkQuery, fields: frozenset[str] | None) -> tuple[Linked[E], ...]:
    """What is found for each name, in the order of the names: entities as E, with these fields or all."""
    compared = Compared[E](fields, _COMPARED)
    asked = [(words_of(each.name), each.type) for each in query.names]
    found: list[list[Any]] = [[] for _ in asked]
    # Twice as many as are wanted, of which the best are kept.
    for place, entity in names.with_words(asked, each=2 * query.limit + 1, fields=compared.read):
        found[place].append(entity)
    return tuple(
        [
            _linked(each, words, compared, entities, query.limit)
            for each, (words, _), entities in zip(query.names, asked, found, strict=True)
        ]
    )


def _linked(asked: NameToLink, words: str, compared: Compared[E], entities: Sequence[Any], limit: int) -> Linked[E]:
    identity = identity_form(asked.name)
    found = []
    for entity in entities:
        values: _Values = compared.values(entity)
        if (likest := _likest(asked.name, identity, words, values)) is not None:
            found.append((likest, values, entity))
    found.sort(key=_order)
    matches = [
        Match(entity=compared.shown(entity), likeness=likeness, field=field, text=text)
        for (likeness, field, text), _, entity in found[:limit]
    ]
    return Linked(name=asked.name, type=asked.type, matches=tuple(matches), is_cut=len(found) > limit)


def _likest(name: str, identity: str, words: str, values: _Values) -> _Likest | None:
    """Which of an entity's names is most like the one asked for; None if the index is out of date, and none is."""
    _, own, aliases, key, *_ = values
    if own == name:
        return "identity", "name", own
    names = [*named(own, aliases, key)]
    for field, text in names:
        if text == name or identity_form(text) == identity:
            return "identity", field, text
    return next((("search", field, text) for field, text in names if words_of(text) == words), None)


def _order(found: tuple[_Likest, _Values, object]) -> tuple[str, bool, int, float, int]:
    (likeness, field, _), (id, *_, sources, confidence), _ = found
    return (likeness, field != "name", -sources, 1.0 if confidence is None else -confidence, id.int)
