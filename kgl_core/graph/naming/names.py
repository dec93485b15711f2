"""What an entity is found by: its name, its aliases and its key, as the stores' indexes of names hold them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, NamedTuple

from kgl_core.graph.entities import Entity
from kgl_core.graph.naming.words import terms_of, words_of

NameField = Literal["name", "alias", "key"]
_NAMING: Final = ("type", "name", "aliases", "key")


class NameRow(NamedTuple):
    """One row of an index of names: the words of one of the names of an active entity.

    ``position`` counts the rows of the entity from 0.
    """

    position: int
    field: NameField
    type: str
    words: str

    @property
    def terms(self) -> Sequence[str]:
        """The terms that the row is found by: those of its words, unless it is a key, and its type's.

        A key is found by its beginning and as a whole alone: other words in it are not what its entity is called.
        """
        own = () if self.field == "key" else terms_of(self.words)
        return [*own, type_term(self.type)]


def type_term(type: str) -> str:
    """The term of a type. No word of a text is like it, since a mark is a word by itself."""
    return f":{type}"


def named(name: str, aliases: Sequence[str], key: str | None) -> Iterator[tuple[NameField, str]]:
    """The texts that an entity is found by, and which of its fields each is from: the name comes first."""
    yield "name", name
    for alias in aliases:
        yield "alias", alias
    if key is not None:
        yield "key", key


def names_of(entity: Entity) -> Iterator[tuple[NameField, str]]:
    """As `named`, of an entity."""
    return named(entity.name, entity.aliases, entity.key)


def name_rows(entity: Entity) -> Sequence[NameRow]:
    """What an index of names holds of an entity: nothing if it is deleted."""
    return () if entity.deleted_at is not None else rows_of(entity.type, names_of(entity))


def is_renamed(before: Entity, after: Entity) -> bool:
    """Whether two versions of an entity may differ in what an index of names holds of them."""
    if before.is_active != after.is_active:
        return True
    return after.is_active and any(getattr(before, name) != getattr(after, name) for name in _NAMING)


def rows_of(type: str, texts: Iterable[tuple[NameField, str]]) -> Sequence[NameRow]:
    """What an index of names holds of an entity with this type and these texts.

    Of those with the same words it has the first.
    """
    first: dict[str, NameField] = {}
    for field, text in texts:
        first.setdefault(words_of(text), field)
    return [NameRow(place, field, type, words) for place, (words, field) in enumerate(first.items())]
