"""Words: what search makes of a text, the same for names and for questions, in every script.

A text is folded, and cut into words: runs of letters, numbers, single symbols, and runs of scripts that put no spaces
between words. An index holds the terms of these words. No rule finds words in scripts without spaces (Unicode Standard
Annex #29, section 4), so they are indexed by pairs of characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final, NamedTuple

from kgl_core.kernel.text import is_invisible

FOLDED_MAX: Final = 500
"""How many characters of a folded text search looks at."""
TERM_MAX: Final = 40
"""How many characters of a word search tells apart."""

# Diacritics of the scripts whose readers leave them out: combining ones, Hebrew points, Arabic vowel signs. The marks
# of other scripts are vowels, or tell consonants apart.
_DIACRITICS: Final = re.compile(
    "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"
    "\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u08d3-\u08ff]"
)
_TATWEEL: Final = "\u0640"
# Latin letters whose stroke or ligature is no combining mark.
_LETTERS: Final = {
    "ø": "o",
    "đ": "d",
    "ð": "d",
    "ł": "l",
    "ħ": "h",
    "ŧ": "t",
    "\u0131": "i",
    "æ": "ae",
    "œ": "oe",
    "þ": "th",
}
_UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aad\u2e80-\u2fdf\u3005-\u3007"
    "\u3021-\u3029\u3031-\u3035\u3038-\u303c\u3040-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\ua9e0-\ua9ff"
    "\uaa60-\uaadf\uac00-\ud7ff\uf900-\ufaff\U00016fe0-\U0001b2ff\U00020000-\U0003fffd]"
)
"""Scripts that put no spaces between words, or glue particles to them: Thai, Lao, Burmese, Khmer, Tai scripts, Chinese,
Japanese, Korean."""


class _Folding(dict[int, str]):
    """What each character of a decomposed and casefolded text becomes: nothing, or other characters."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if _DIACRITICS.match(character) or character == _TATWEEL or is_invisible(character):
            folded = ""
        elif (digit := unicodedata.decimal(character, None)) is not None:
            folded = str(digit)
        else:
            folded = _LETTERS.get(character, character)
        self[code] = folded
        return folded


class _Kinds(dict[int, str]):
    """What kind each character is of: l letter, m mark, d number, u of an unspaced script, s symbol, p punctuation."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        category = unicodedata.category(character)
        if category[0] == "M":
            kind = "m"
        elif category[0] in "LN" and _UNSPACED.match(character):
            kind = "u"
        elif category in ("Cn", "Co"):  # new pictographs, and what fonts draw
            kind = "s"
        else:
            kind = {"L": "l", "N": "d", "S": "s", "P": "p"}.get(category[0], " ")
        self[code] = kind
        return kind


_FOLDING: Final = _Folding()
_KINDS: Final = _Kinds()
_WORD: Final = re.compile("u[um]*|[lm]+|d+|s")
_PUNCTUATION: Final = re.compile("p")
_ASCII_WORD: Final = re.compile(r"[a-z]+|[0-9]+|[$+<=>^`|~]")
_VISIBLE: Final = re.compile(r"\S+")


class Word(NamedTuple):
    """A word of a folded text, and where in the text it begins."""

    text: str
    begin: int


def fold(text: str) -> str:
    """A text without compatibility forms, case, width, diacritics, variants and what is invisible.

    ``fold("José ﬁr İ") == "jose fir i"``. It is harder than what makes two names the same. Folding again changes
    nothing.
    """
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return unicodedata.normalize("NFC", decomposed.translate(_FOLDING))


def words_in(folded: str) -> Sequence[Word]:
    """The words of a folded text, in their order. Punctuation is a word only where there is nothing else."""
    if folded.isascii():
        found = [Word(match[0], match.start()) for match in _ASCII_WORD.finditer(folded)]
        return found or _words(folded, folded.translate(_KINDS), _PUNCTUATION)
    kinds = folded.translate(_KINDS)
    return _words(folded, kinds, _WORD) or _words(folded, kinds, _PUNCTUATION) or _words(folded, folded, _VISIBLE)


def words_of(text: str) -> str:
    """The words of a text in their order, with single spaces between them: ``"photo 2024 jpg"``.

    Of a very long text, only the first FOLDED_MAX folded characters count. It is never empty for a name.
    """
    folded = fold(text)[:FOLDED_MAX]
    words = _ASCII_WORD.findall(folded) if folded.isascii() else ()  # most names; it costs half of what `words_in` does
    return " ".join(words or [word.text for word in words_in(folded)] or text.split())


def terms_of(words: str) -> Sequence[str]:
    """The terms under which an index holds these words, as `words_of` gives them, each once.

    A run of an unspaced script is held by its pairs of characters and its last one, so that any part of it is found.
    """
    if words.isascii():
        return [*dict.fromkeys([word[:TERM_MAX] for word in words.split()])]
    terms: list[str] = []
    for word in words.split():
        if is_unspaced(word):
            terms += pairs_of(word)
            terms.append(word[-1])
        else:
            terms.append(word[:TERM_MAX])
    return [*dict.fromkeys(terms)]


def is_unspaced(word: str) -> bool:
    """Whether a word is a run of a script that puts no spaces between words."""
    return _KINDS[ord(word[0])] == "u"


def is_sign(word: str) -> bool:
    """Whether a word is one symbol or punctuation mark, which begins no longer word."""
    return _KINDS[ord(word[0])] in "sp"


def pairs_of(word: str) -> Sequence[str]:
    """The pairs of neighboring characters in a word."""
    return [word[place : place + 2] for place in range(len(word) - 1)]


def _words(folded: str, kinds: str, pattern: re.Pattern[str]) -> Sequence[Word]:
    return [Word(folded[match.start() : match.end()], match.start()) for match in pattern.finditer(kinds)]
