"""Questions: what a search looks for, read from the text that somebody typed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from kgl_core.graph.entities import NAME_LENGTH_MAX
from kgl_core.graph.naming.words import TERM_MAX, is_sign, is_unspaced, pairs_of, terms_of, words_of
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
        return (
            all(term in held for term in self.terms)
            and all(any(term.startswith(beginning) for term in held) for beginning in self.beginnings)
            and all(part in f" {words} " for part in self.parts)
        )


def read_question(text: str) -> Question:
    """The question in a text, which is one as `QUESTION` has it.

    The last word may go on, unless a quotation mark closes it. What is between two quotation marks is a phrase: its
    words must stand beside each other, in their order. No other sign has a meaning.
    """
    loose, phrases = _parts(text)
    words = words_of(" ".join(loose)).split()
    may_go_on = bool(words) and not (phrases and not loose[-1].strip())
    terms: dict[str, None] = {}
    beginnings: dict[str, None] = {}
    parts: dict[str, None] = {}
    for word in (*words, *(word for phrase in phrases for word in phrase)):
        if not is_unspaced(word):
            terms[word[:TERM_MAX]] = None
        elif len(word) == 1:
            beginnings[word] = None
        else:
            terms |= dict.fromkeys(pairs_of(word))
            if len(word) > 2:
                parts[word] = None
    if may_go_on and not is_unspaced(words[-1]) and not is_sign(words[-1]):
        last = words[-1][:TERM_MAX]
        beginnings[last] = None
        if last not in words[:-1] and not any(last in phrase for phrase in phrases):
            del terms[last]
    parts |= dict.fromkeys(map(_as_part, phrases))
    whole = words_of(text.replace('"', " ")) if phrases else words_of(text)
    return Question(text, whole, tuple(terms), tuple(beginnings), tuple(parts))


def _parts(text: str) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """What stands outside of quotation marks, and the words of each phrase. A mark that nothing closes is none."""
    between = text.split('"')
    closed = (len(between) - 1) // 2 * 2
    phrases = [words for words in (words_of(each).split() for each in between[1:closed:2]) if words]
    if not phrases:
        return [text], []
    return [*between[0 : closed + 1 : 2], *between[closed + 1 :]], phrases


def _as_part(phrase: Sequence[str]) -> str:
    """A phrase as a part of a name's words: only scripts without spaces may go on at its ends."""
    begin = "" if is_unspaced(phrase[0]) else " "
    end = "" if is_unspaced(phrase[-1]) else " "
    return f"{begin}{' '.join(phrase)}{end}"
