"""Questions: what a search looks for, read from the text that somebody typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from kgl_core.graph.entities import NAME_LENGTH_MAX
from kgl_core.graph.naming.words import (
    FOLDED_MAX,
    TERM_MAX,
    Word,
    fold,
    is_sign,
    is_unspaced,
    pairs_of,
    terms_of,
    words_in,
)
from kgl_core.kernel.field_rules import Text
from kgl_core.kernel.text import name_form

QUESTION: Final = Text(NAME_LENGTH_MAX, normalize=name_form)
"""The rule for the text of a question: as long as a name, so that every name can be asked for."""


@attrs.frozen
class Question:
    """What a text asks for: names with every term, with a term for each beginning, and with all parts in their words.

    ``whole`` are the words of the text in their order, which a name may have as well, or begin with. ``parts`` are
    looked for in a name's words with a space before and after them.
    """

    text: str
    whole: str
    terms: tuple[str, ...]
    beginnings: tuple[str, ...]
    parts: tuple[str, ...]

    def is_answered_by(self, words: str) -> bool:
        """Whether a name with these words is what the question asks for."""
        held = terms_of(words)
        if not set(self.terms).issubset(held):
            return False
        for beginning in self.beginnings:
            if beginning not in held and not any(term.startswith(beginning) for term in held):
                return False
        return not self.parts or all(part in f" {words} " for part in self.parts)


def read_question(text: str) -> Question:
    """The question in a text, which is one as `QUESTION` has it.

    The last word may go on, unless a quotation mark closes it. What is between two quotation marks is a phrase: its
    words must stand beside each other, in their order. No other sign has a meaning.
    """
    folded = fold(text)[:FOLDED_MAX]
    words = words_in(folded) or [Word(word, 0) for word in text.split()]
    phrases = _phrases(folded, words)
    terms: dict[str, None] = {}
    beginnings: dict[str, None] = {}
    parts: dict[str, None] = {}
    for word, _ in words:
        if not is_unspaced(word):
            terms[word[:TERM_MAX]] = None
        elif len(word) == 1:
            beginnings[word] = None
        else:
            terms |= dict.fromkeys(pairs_of(word))
            if len(word) > 2:
                parts[word] = None
    last = words[-1]
    if not (is_unspaced(last.text) or is_sign(last.text) or any(last in phrase for phrase in phrases)):
        beginning = last.text[:TERM_MAX]
        beginnings[beginning] = None
        if all(word.text[:TERM_MAX] != beginning for word in words[:-1]):
            del terms[beginning]
    parts |= dict.fromkeys(_as_part([word.text for word in phrase]) for phrase in phrases)
    return Question(text, " ".join([word.text for word in words]), tuple(terms), tuple(beginnings), tuple(parts))


def _phrases(folded: str, words: Sequence[Word]) -> Sequence[Sequence[Word]]:
    """The words between each two quotation marks. A mark that nothing closes is none."""
    marks = [place for place, character in enumerate(folded) if character == '"']
    between = (
        [word for word in words if begin < word.begin < end]
        for begin, end in zip(marks[::2], marks[1::2], strict=False)
    )
    return [phrase for phrase in between if phrase]


def _as_part(phrase: Sequence[str]) -> str:
    """A phrase as a part of a name's words: only scripts without spaces may go on at its ends."""
    begin = "" if is_unspaced(phrase[0]) else " "
    end = "" if is_unspaced(phrase[-1]) else " "
    return f"{begin}{' '.join(phrase)}{end}"
