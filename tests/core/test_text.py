"""Text as it is kept and as it is compared."""

import sys
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from kgl_core.text import fold, nfc

TEXT = st.text()


@given(TEXT)
def test_normalizing_twice_is_normalizing_once(text: str) -> None:
    """The kept form is its own normal form, and NFC."""
    assert nfc(nfc(text)) == nfc(text) == unicodedata.normalize("NFC", text)


@given(TEXT)
def test_folding_twice_is_folding_once(text: str) -> None:
    """The folded form is its own."""
    assert fold(fold(text)) == fold(text)


def test_folding_is_stable_for_every_character() -> None:
    """Alone, between letters, and beside its own lower and upper case: no character folds further the second time."""
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if unicodedata.category(character) in ("Cn", "Co", "Cs"):  # unassigned, private use, surrogates
            continue
        folded = fold(character)
        assert fold(folded) == folded, hex(code)
        assert fold(character.casefold()) == folded, hex(code)


@given(TEXT)
def test_normalization_form_does_not_matter(text: str) -> None:
    """Composed, decomposed and compatibility spellings fold alike."""
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert fold(unicodedata.normalize(form, text)) == fold(text)


@given(TEXT)
def test_case_does_not_matter(text: str) -> None:
    """Lower case and casefolded spellings fold alike."""
    assert fold(text.lower()) == fold(text.casefold()) == fold(text)


@given(st.text("abcxyz äöüéñçș ABCÄÖÜÉÑÇȘ"), st.sampled_from("\u0301\u0308\u0327\u0323"))
def test_accents_and_capitals_do_not_matter(text: str, accent: str) -> None:
    """However letters are accented or written large."""
    accented = "".join(c + accent if c.isalpha() else c for c in text)
    assert fold(accented) == fold(text.upper()) == fold(text)


@given(
    st.lists(st.text("abc", min_size=1), min_size=1), st.sampled_from([" ", "  ", "\t", "\u00a0", "\u2003", "\u3000 "])
)
def test_white_space_runs_are_one_space(words: list[str], space: str) -> None:
    """Also at the ends, and of any kind."""
    assert fold(space + space.join(words) + space) == " ".join(words)


def test_examples_fold_as_people_expect() -> None:
    """What the rules are for."""
    alike = [
        ("Mediaș", "MEDIAS", "Medias\u0327"),
        ("Straße", "STRASSE", "straẞe"),
        ("\uff26\uff35\uff2c\uff4c\u3000\uff37\uff49\uff44\uff54\uff48", "full width"),
        ("ﬁne", "FINE"),
        ("İstanbul", "istanbul", "ISTANBUL"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("Việt Nam", "viet nam"),
        ("한국", "\u1112\u1161\u11ab\u1100\u116e\u11a8"),
    ]
    for spellings in alike:
        assert len({fold(spelling) for spelling in spellings}) == 1, spellings
    apart = ["o", "ø", "l", "ł", "1", "i", "\u0131", "東京", "京都"]
    assert len({fold(text) for text in apart}) == len(apart)
    assert fold("") == fold(" \t ") == ""
