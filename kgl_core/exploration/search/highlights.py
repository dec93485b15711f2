"""Highlights: where in a text, as it is stored, stands what a question asks for."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import pairwise

from kgl_core.exploration.search.questions import Question
from kgl_core.graph.naming.words import FOLDED_MAX, TERM_MAX, Word, fold, is_unspaced, words_in

Span = tuple[int, int]
"""The begin and the end of a part of a text, in characters (code points)."""


def highlights(question: Question, text: str) -> tuple[Span, ...]:
    """The parts of a text that a question asks for, in their order; those that touch are one."""
    folded, origins = folded_with_origins(text)
    merged: list[Span] = []
    for begin, end in sorted(span for word in words_in(folded[:FOLDED_MAX]) for span in _spans(question, word)):
        here = (origins[begin][0], origins[end - 1][1])
        if merged and here[0] <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], here[1]))
        else:
            merged.append(here)
    return tuple(merged)


def folded_with_origins(text: str) -> tuple[str, Sequence[Span]]:
    """The folded text, and for each of its characters where in ``text`` it comes from."""
    if text.isascii():
        return fold(text), [(place, place + 1) for place in range(len(text))]
    folded: list[str] = []
    origins: list[Span] = []
    begins = [*_cluster_begins(text), len(text)]
    for begin, end in pairwise(begins):
        part = fold(text[begin:end])
        folded.append(part)
        origins += [(begin, end)] * len(part)
    return "".join(folded), origins


def _spans(question: Question, word: Word) -> Iterator[Span]:
    """Where in the folded text the question asks for this word or for a part of it."""
    text, at = word
    if is_unspaced(text):
        for part in (*question.terms, *question.beginnings):
            place = text.find(part)
            while place >= 0:
                yield (at + place, at + place + len(part))
                place = text.find(part, place + 1)
    elif text[:TERM_MAX] in question.terms:
        yield (at, at + len(text))
    else:
        longest = max((len(begin) for begin in question.beginnings if text.startswith(begin)), default=0)
        if longest:
            yield (at, at + longest)


def _cluster_begins(text: str) -> Iterator[int]:
    """Where characters begin that what stands before does not change: not at marks, nor within a Korean syllable."""
    for place, character in enumerate(text):
        first = unicodedata.normalize("NFKD", character)[0]
        if place == 0 or not (unicodedata.category(first)[0] == "M" or "\u1160" <= first <= "\u11ff"):
            yield place
