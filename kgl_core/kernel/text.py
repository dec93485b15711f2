"""Text: how names are stored, when two of them are the same, what search and sorting compare, and what is visible.

Normalization forms: Unicode Standard Annex #15. Case folding: The Unicode Standard, section 3.13.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

NFC_SHRINKS_MAX: Final = 4
"""NFC leaves at least a quarter of a text: no character decomposes canonically into more than four."""

MARKS_MAX: Final = 30
"""How many combining marks a name may have in a row: as the Stream-Safe Text Format (UAX #15, section 13), far more
than any language needs. Normalization sorts the marks in a row, in quadratic time."""

# Letters of Latin script that can bear accents, once decomposed and casefolded, and the blocks of combining diacritics.
_LATIN: Final = r"a-zß-öø-ʯᴀ-ᴥᴬ-ᵜᵢ-ᵥᵫ-ᵷᵹ-ᶾẗ-ỿⱠ-Ɀꜣ-ꞇꞋ-ꟿꬰ-ꭤ"
_ACCENTS: Final = r"\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\ufe20-\ufe2f"
_LATIN_ACCENTS: Final = re.compile(f"(?<=[{_LATIN}])[{_ACCENTS}]+")

# What nobody sees alone, beside white space, controls and combining marks, as ranges of a character class: what Unicode
# calls Default_Ignorable_Code_Point (soft hyphen, joiners, directions, variation selectors, fillers, tags), the blank
# Braille pattern, controls of annotations and hieroglyphs, and code points that are no characters.
INVISIBLE_16_BITS: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
)
_INVISIBLE: Final = re.compile(
    f"[{INVISIBLE_16_BITS}\U00013430-\U0001343f\U00013441\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
# What Unicode sets aside for pictographs (UTS #51, Extended_Pictographic) and ideographs: new ones come every year.
_YET_TO_COME: Final = re.compile("[\U0001f000-\U0001faff\U0001fc00-\U0001fffd\U00020000-\U0003fffd]")
_NO_CHARACTERS: Final = (0xFFFE, 0xFFFF)
"""The last 16 bits of code points that are no characters, in every plane (The Unicode Standard, section 23.7)."""

# White space, and what pastes bring along that nobody sees. What changes how the text beside it is shown is not among
# these: joiners, variation selectors, and what encloses text of another direction.
_TRIMMED: Final = "".join(c for c in map(chr, range(0x3001)) if c.isspace()) + (
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff"
)

_LAST_CHARACTER: Final = 0x10FFFF
_FIRST_SURROGATE, _AFTER_SURROGATES = 0xD800, 0xE000  # no text may hold one


def name_form(text: str) -> str:
    """A name as it is stored: without white space and invisible characters around it, in form C (UAX #15)."""
    text = text.strip(_TRIMMED)
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def identity_form(text: str) -> str:
    """What all spellings of a name have in common: two names are the same exactly when this is equal.

    Spellings differ in case and, in Latin letters, in accents: ``identity_form("Mediaș") == identity_form("MEDIAS")``.
    Nothing else is ignored, because marks, widths and signs tell words apart in most scripts. It is never empty for a
    name.
    """
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFC", text).casefold()
    return unicodedata.normalize("NFC", _LATIN_ACCENTS.sub("", unicodedata.normalize("NFD", folded)))


def same_names(names: Iterable[str], wanted: Iterable[str]) -> frozenset[str]:
    """Those of ``names`` that are the same as one of the ``wanted``, in whatever spelling."""
    forms = frozenset(map(identity_form, wanted))
    return frozenset(name for name in names if identity_form(name_form(name)) in forms)


def past_beginning(text: str) -> str | None:
    """The least text, by code points, that comes after every text which begins with this one; None if there is none."""
    for end in range(len(text), 0, -1):
        last = ord(text[end - 1])
        if last < _LAST_CHARACTER:
            return text[: end - 1] + chr(_AFTER_SURROGATES if last + 1 == _FIRST_SURROGATE else last + 1)
    return None


def search_form(text: str) -> str:
    """What search and sorting compare: no compatibility forms, no case, no marks of any script, single spaces.

    Different names can have the same, and text that is all marks has none, so it can't tell whether two names are the
    same.
    """
    if not text.isascii():
        decomposed = unicodedata.normalize("NFKD", text).casefold()
        # A second time, because casefolding can bring new compositions (İ becomes i and a combining dot).
        decomposed = unicodedata.normalize("NFKD", decomposed)
        text = unicodedata.normalize("NFC", "".join(c for c in decomposed if not unicodedata.combining(c)))
    else:
        text = text.lower()
    return " ".join(text.split())


def is_visible(text: str) -> bool:
    """Whether a text has a visible character: not white space, a control or a combining mark, nor invisible in Unicode.

    Private-use characters count as visible, since fonts give them shapes. Unassigned ones don't, except where later
    versions of Unicode add pictographs and ideographs.
    """
    for character in text:
        # Not separators, marks, controls and surrogates.
        kind = unicodedata.category(character)
        if kind[0] in "ZM" or kind in ("Cc", "Cs") or _INVISIBLE.match(character):
            continue
        if kind != "Cn" or (_YET_TO_COME.match(character) and ord(character) & 0xFFFF not in _NO_CHARACTERS):
            return True
    return False


def is_invisible(character: str) -> bool:
    """Whether Unicode says that this character is never seen: a joiner, a direction, a variation selector, a filler."""
    return _INVISIBLE.match(character) is not None


def has_too_many_marks(text: str) -> bool:
    """Whether there are more than MARKS_MAX combining marks in a row."""
    # A run that is too long covers one of these places. Most text needs no closer look.
    for at in range(MARKS_MAX, len(text), MARKS_MAX + 1):
        start = end = at
        while start >= 0 and _is_mark(text[start]) and end - start <= MARKS_MAX:
            start -= 1
        while end < len(text) and _is_mark(text[end]) and end - start <= MARKS_MAX + 1:
            end += 1
        if end - start - 1 > MARKS_MAX:
            return True
    return False


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M"
