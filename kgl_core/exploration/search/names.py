"""The port that finds entities by their names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, Protocol

import attrs

from kgl_core.exploration.search.questions import Question
from kgl_core.exploration.search.ranking import Hit
from kgl_core.graph.entities import Entity, EntityFilter

CANDIDATES_MAX: Final = 500
"""How many names a search takes before it ranks them."""

FacetField = Literal["type", "source"]


@attrs.frozen
class Hits:
    """The best entities that answer a question, how many there are, and whether only some of them were looked at."""

    best: Sequence[Hit]
    total: int
    is_cut: bool


class Names(Protocol):
    """Port: finds active entities by the words of their names, which every store indexes alike."""

    def find(
        self, question: Question, filter: EntityFilter, *, candidates: int, limit: int, beginning: bool = False
    ) -> Hits:
        """The ``limit`` best entities that answer a question and pass a filter, in the order of `by_itself`.

        At most ``candidates`` names are taken, of which the filter is asked: first those that begin as the question
        does, then others with all of its terms. With ``beginning``, only the former.
        """

    def facets(
        self, question: Question, filter: EntityFilter, fields: Collection[FacetField], *, candidates: int, limit: int
    ) -> Mapping[FacetField, Sequence[tuple[str | None, int]]]:
        """How many of the entities that `find` counts have each value of these fields.

        The ``limit`` most frequent values come first, no value last among equals.
        """

    def with_words(
        self, asked: Sequence[tuple[str, str | None]], *, each: int, fields: Sequence[str] | None
    ) -> Iterable[tuple[int, Entity | Mapping[str, Any]]]:
        """Up to ``each`` entities for each pair of words and type (or None) that have a name with just these words.

        Each comes after the place of the pair, whole or, if there are ``fields``, only these of it.
        """

    def existing(self, terms: Collection[str]) -> Collection[str]:
        """Those of the terms that any name has. Of very many, it may miss some that are in few names."""
