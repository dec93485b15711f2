"""The words nearest to those that no name has: one edit away, as Damerau (1964) counts edits.

An edit leaves out, adds or changes a letter, or swaps two that stand beside each other. All words that one edit makes
of the unknown one are tried out in the index, so that no list of words has to be kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from kgl_core.exploration.search.names import Names
from kgl_core.exploration.search.questions import Question
from kgl_core.graph.naming.words import fold, is_sign, is_unspaced

NEAREST_MAX: Final = 5
_UNKNOWN_MAX: Final = 3
"""Of how many unknown words of a question the nearest are looked for."""
_LENGTHS: Final = range(3, 21)
_BLOCK: Final = 0x80
_LETTERS_MAX: Final = 200
"""How many letters may be tried at each place of a word: those of any alphabet, but not those of many scripts."""


def nearest_words(names: Names, question: Question) -> tuple[str, ...]:
    """Up to NEAREST_MAX words that names have, one edit away from the words of a question that none has.

    Words in scripts without spaces or with very many letters have none, nor have very short and very long ones. Those
    with the same first letter come first.
    """
    asked = [word for word in (*question.terms, *question.beginnings) if _can_be_edited(word)]
    known = names.existing(asked)
    unknown = [word for word in asked if word not in known][:_UNKNOWN_MAX]
    near: list[str] = []
    for word in unknown:
        near += sorted(names.existing([*edits(word)]), key=lambda each: (each[0] != word[0], len(each), each))
    return tuple(dict.fromkeys(near))[:NEAREST_MAX]


def edits(word: str) -> set[str]:
    """All words that are one edit away, with letters of the same script as the word's own."""
    return set(_edits(word, _alphabet(word))) - {word}


def _edits(word: str, alphabet: Iterable[str]) -> Iterator[str]:
    for place in range(len(word) + 1):
        head, tail = word[:place], word[place:]
        yield from (head + letter + tail for letter in alphabet)
        if tail:
            yield head + tail[1:]
            yield from (head + letter + tail[1:] for letter in alphabet)
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]


def _can_be_edited(word: str) -> bool:
    is_word = not (word[0].isdecimal() or is_unspaced(word) or is_sign(word))
    return is_word and len(word) in _LENGTHS and len(_alphabet(word)) <= _LETTERS_MAX


def _alphabet(word: str) -> Sequence[str]:
    """The letters that stand in Unicode's blocks where those of the word do."""
    return sorted({letter for begin in {ord(c) // _BLOCK * _BLOCK for c in word} for letter in _letters(begin)})


@lru_cache(maxsize=64)
def _letters(begin: int) -> Sequence[str]:
    block = map(chr, range(begin, begin + _BLOCK))
    return [letter for letter in block if letter.isalpha() and fold(letter) == letter]
