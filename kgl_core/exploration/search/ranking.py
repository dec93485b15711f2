"""Ranking: which of the entities that answer a question comes first.

First how well a name fits: the whole name, the whole of an alias or a key, the beginning of one, all words of a name or
an alias. Of whole names, the spelling that is closest comes first. Then what is known of the entity: more sources, a
higher confidence, more relationships. Last, shorter names, and ids.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Final, NamedTuple
from uuid import UUID

import attrs

from kgl_core.exploration.search.questions import Question
from kgl_core.graph.naming.names import NameField, named
from kgl_core.graph.naming.words import fold, words_of
from kgl_core.kernel.text import identity_form

DEGREE_MAX: Final = 100
"""As many relationships are counted; who has more ranks as high as who has so many."""
RANKED_MAX: Final = 100
"""Of how many entities the spelling and the degree are looked at: the best by all else."""
_FARTHEST: Final = 4
"""How far a name is at most from what was asked, in steps of spelling."""


class Fit(IntEnum):
    """How well a name fits a question, the best first."""

    NAME = 0
    OTHER_NAME = 1
    BEGINNING = 2
    WORDS = 3


SCORES: Final = {Fit.NAME: 1.0, Fit.OTHER_NAME: 0.8, Fit.BEGINNING: 0.6, Fit.WORDS: 0.4}


class Hit(NamedTuple):
    """An entity that answers a question, by the best of its names.

    ``length`` is that of the name's words, in characters; ``distance`` is how far a whole name is from the question in
    spelling, and 0 for others.
    """

    entity_id: UUID
    fit: int
    sources: int
    confidence: float | None
    length: int
    distance: int


@attrs.frozen
class Matched:
    """The name of an entity that fits a question best, as it is stored, and where it does.

    ``offsets`` are the begin and the end of each part that fits, in characters (code points) of ``text``.
    """

    field: NameField
    text: str
    offsets: tuple[tuple[int, int], ...]


def fit_of(question: Question, field: NameField, words: str) -> Fit | None:
    """How well a name with these words fits a question; None if not at all."""
    if words == question.whole:
        return Fit.NAME if field == "name" else Fit.OTHER_NAME
    if not question.is_answered_by(words):
        return None
    if words.startswith(question.whole):
        return Fit.BEGINNING
    return None if field == "key" else Fit.WORDS


BestName = tuple[Fit, int, int, NameField, str]
"""The name of an entity that fits a question best: how well, how far in spelling, how long its words are, and which."""


def best_name(question: Question, names: Iterable[tuple[NameField, str]]) -> BestName | None:
    """Which of the names of an entity fits a question best; None if none does."""
    found = None
    for field, text in names:
        words = words_of(text)
        fit = fit_of(question, field, words)
        if fit is None:
            continue
        here = (fit, spelling_distance(question.text, text) if fit <= Fit.OTHER_NAME else 0, len(words), field, text)
        if fit is Fit.NAME:  # there is one name, and it comes first
            return here
        if found is None or here[:3] < found[:3]:
            found = here
    return found


def spelling_distance(asked: str, text: str) -> int:
    """How far a name with the same words is from what was asked, from 0 for the same text to 4."""
    if asked == text:
        return 0
    forms = (_uncased, identity_form, fold)
    return next((step for step, form in enumerate(forms, 1) if form(asked) == form(text)), _FARTHEST)


def whole_distance(question: Question, fit: int, name: str, aliases: Sequence[str], key: str | None) -> int:
    """How far an entity's name is from a question in spelling, or the nearest of its other names, as ``fit`` says.

    An index that is out of date may take them for a whole name that they are not.
    """
    if fit == Fit.NAME:
        return spelling_distance(question.text, name)
    _, *others = named(name, aliases, key)
    whole = [text for _, text in others if words_of(text) == question.whole]
    return min([spelling_distance(question.text, text) for text in whole], default=_FARTHEST)


def by_itself(hit: Hit) -> tuple[int, int, float, int, int]:
    """A key to sort hits by what the entity itself says, the best first: what every store sorts by."""
    confidence = 1.0 if hit.confidence is None else -hit.confidence
    return (hit.fit, -hit.sources, confidence, hit.length, hit.entity_id.int)


def before_degree(hit: Hit) -> tuple[int, int, int, float]:
    """A key to sort hits by what comes before the degree, the best first; those with the same key are tied."""
    fit, sources, confidence, _, _ = by_itself(hit)
    return (fit, hit.distance, sources, confidence)


def after_degree(hit: Hit) -> tuple[int, int]:
    """A key to sort hits of the same degree that are tied."""
    return (hit.length, hit.entity_id.int)


def _uncased(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()
