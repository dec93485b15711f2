"""Text as it is kept, as two names are told apart, as search compares it, and what of it can be seen."""

# ruff: noqa: RUF001  # what looks alike is what these tests are about

import re
import sys
import unicodedata
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgl_core.kernel.text import (
    MARKS_MAX,
    NFC_SHRINKS_MAX,
    has_too_many_marks,
    identity_form,
    is_visible,
    name_form,
    search_form,
)

TEXT = st.text()
MARKS = "\u0301\u0308\u0327\u0323\u0345\u094d\u0e48\u3099\u05b8\u064e\u200d\ufe0f"
ALL_CHARACTERS = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]

ONE_NAME = [
    ("Mediaș", "MEDIAS", "Medias\u0327", "mediaș"),
    ("café", "CAFE", "cafe\u0301", "CAFE\u0301"),
    ("Straße", "STRASSE", "straẞe"),
    ("İstanbul", "istanbul", "ISTANBUL"),
    ("Việt Nam", "viet nam", "VIE\u0302\u0323T NAM"),
    ("Σίσυφος", "ΣΊΣΥΦΟΣ", "σίσυφοσ"),
    ("Ǿ", "ø", "Ø\u0301"),
    ("한국", "\u1112\u1161\u11ab\u1100\u116e\u11a8"),
    ("Ёлка", "ЁЛКА", "е\u0308лка"),
]
OTHER_NAMES = [
    ["ハハ", "パパ", "ババ", "はは", "ﾊﾊ"],
    ["ไม้", "ไม่", "ไม"],
    ["102", "10²", "10₂", "１０２"],
    ["कम्", "कम", "काम", "कम़"],
    ["Май", "Маи", "Маӣ"],
    ["1", "①", "１", "1\u20e3", "Ⅰ", "I"],
    ["가", "각", "까"],
    ["שָׁלוֹם", "שלום"],
    ["مُحَمَّد", "محمد"],
    ["Ada", "\uff21\uff44\uff41", "\U0001d400da", "Аdа"],
    ["ø", "o", "ł", "l", "đ", "d", "ı", "i"],
    ["A  B", "A B", "AB", "A\u00a0B"],
    ["Ά", "Α", "A"],
    ["か", "が"],
    ["👩‍💻", "👩💻", "👨‍💻", "👩🏽‍💻"],
    ["می‌خواهم", "میخواهم"],
    ["東京", "京都", "东京"],
    ["ﷺ", "صلى الله عليه وسلم"],
    ["m²", "m2", "㎡"],
    ["¼", "1⁄4", "1/4"],
    ["C", "C#", "C++", "©", "℃"],
]


@given(TEXT)
def test_a_kept_name_is_its_own_normal_form(text: str) -> None:
    """NFC without white space at its ends, which nothing in it goes with."""
    kept = name_form(text)
    assert name_form(kept) == kept == kept.strip()
    assert kept in unicodedata.normalize("NFC", text)


@pytest.mark.parametrize(
    "space",
    [
        " ",
        "\u00a0",
        "\u2003",
        "\u3000",
        "\u202f",
        " \u1680\u205f ",
        "\ufeff",
        "\u200b",
        "\ufeff \u200b",
        "\u00ad",
        "\u200e",
    ],
)
def test_names_are_trimmed(space: str) -> None:
    """Of white space of any kind and of what pastes bring along, at both ends; what is inside stays."""
    assert name_form(f"{space}Ada{space}{space}Lovelace{space}") == f"Ada{space}{space}Lovelace"


@pytest.mark.parametrize(
    "name", ["\u2764\ufe0f", "\u0646\u0645\u06cc\u200c", "a \u2067\u05d0\u2069", "\U0001f469\u200d"]
)
def test_what_changes_how_text_is_shown_stays(name: str) -> None:
    """A variation selector after an emoji, joiners, and what encloses text of another direction."""
    assert name_form(name) == name


def test_no_character_decomposes_further_than_a_name_can_shrink() -> None:
    """So a text that is longer than the bound before normalization is too long after it, whatever it holds."""
    assert max(len(unicodedata.normalize("NFD", c)) for c in ALL_CHARACTERS) == NFC_SHRINKS_MAX


@pytest.mark.parametrize("spellings", ONE_NAME)
def test_spellings_of_one_name(spellings: tuple[str, ...]) -> None:
    """They differ in case, in canonically equivalent characters, and Latin letters in accents."""
    assert len({identity_form(spelling) for spelling in spellings}) == 1


@pytest.mark.parametrize("names", OTHER_NAMES)
def test_names_that_are_not_one(names: list[str]) -> None:
    """Marks, widths, signs, joiners and spaces tell words apart."""
    for one, other in combinations(names, 2):
        assert identity_form(one) != identity_form(other), (one, other)


def test_only_accents_of_latin_letters_are_left_out() -> None:
    """Of every character: case and accents of Latin letters go, and nothing of any other."""
    for character in ALL_CHARACTERS:
        form = identity_form(character)
        assert form
        assert identity_form(form) == form, hex(ord(character))
        decomposed = unicodedata.normalize("NFD", unicodedata.normalize("NFC", character).casefold())
        base = decomposed[0]
        if len(decomposed) > 1 and unicodedata.name(base, "").startswith("LATIN ") and base.isalpha():
            marks = [c for c in decomposed if unicodedata.combining(c)]
            assert not any(unicodedata.combining(c) for c in unicodedata.normalize("NFD", form)), hex(ord(character))
            assert marks or form == decomposed
        else:
            assert form == unicodedata.normalize("NFC", decomposed), hex(ord(character))


@given(st.text(st.sampled_from("aŁøéЖйハパक가אب1² " + MARKS) | st.characters(codec="utf-8")))
def test_the_identity_of_a_name(text: str) -> None:
    """Is that of its normal forms and its cases, its own identity, and never empty where there is a name."""
    form = identity_form(text)
    assert bool(form) == bool(text)
    assert identity_form(unicodedata.normalize("NFD", text)) == form
    assert identity_form(unicodedata.normalize("NFC", text).casefold()) == identity_form(form) == form


@given(st.text(st.sampled_from("aŁøéßİЖйハパक가אب1² " + MARKS) | st.characters(codec="utf-8")))
def test_search_finds_all_spellings_of_a_name(text: str) -> None:
    """What is one name by its identity is one for search, which leaves out more."""
    assert search_form(identity_form(text)) == search_form(text)


SEEN = [
    "a",
    "1",
    "-",
    "ء",
    "あ",
    "क्‍ष",
    "می‌خواهم",
    "👩‍💻",
    "🏴\U000e0067\U000e0062\U000e007f",
    "🇷🇴",
    "1\ufe0f\u20e3",
    "\ue000",  # private use
    "\U0001fae9",  # assigned by a later Unicode than Python 3.11 knows
    "\u06dd",  # a format character with a shape
    "\u3000。",
    "\u200fא",
]
UNSEEN = [
    "",
    " ",
    "\u3000\u00a0",
    *"\u200b\u2060\ufeff\u00ad\u3164\u202e\u0301\U000e0001\u2800\u115f\u1160\u17b4\u17b5\u180b\u180e\ufe00\ufe0f",
    *"\uffa0\u034f\u061c\u200c\u200d\u2066\u2069\U000e0100\U000e0041\ufff9\ufffb\uffff\ufdd0\U0001d173\u094d\u20e3",
    *"\U0001d159\U00013441\ufffe\U0001fffe\U0001ffff\U0002ffff\U0010fffe\u0378\U000e2000\U00014700",
    " \u0301",
    "\u200b\u200d\ufeff",
    "\u115f\u1160",
]


@pytest.mark.parametrize("text", SEEN)
def test_text_that_can_be_seen(text: str) -> None:
    """Alone, and among what cannot."""
    assert is_visible(text)
    assert is_visible(f"\u200b\u0301 {text}\u2060")


@pytest.mark.parametrize("text", UNSEEN, ids=ascii)
def test_text_that_cannot_be_seen(text: str) -> None:
    """Spaces, marks without a letter, and what only changes how other characters are shown."""
    assert not is_visible(text)
    assert not is_visible(f" {text}\u200b{text}")


@given(st.lists(st.tuples(st.sampled_from("aक한"), st.integers(0, 70)), max_size=6), st.sampled_from(MARKS[:10]))
def test_marks_in_a_row_are_counted(runs: list[tuple[str, int]], mark: str) -> None:
    """Wherever the run stands, to the exact bound."""
    text = "".join(letter + mark * count for letter, count in runs)
    longest = max((len(run) for run in re.split("[aक한]", text)), default=0)
    assert has_too_many_marks(text) == (longest > MARKS_MAX)


@given(TEXT)
def test_the_search_form_is_its_own(text: str) -> None:
    """What is compared twice is compared once."""
    assert search_form(search_form(text)) == search_form(text)


def test_the_search_form_of_every_character() -> None:
    """Alone, between letters, and beside its own lower and upper case: no character folds further the second time."""
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        if unicodedata.category(character) in ("Cn", "Co", "Cs"):  # unassigned, private use, surrogates
            continue
        folded = search_form(character)
        assert search_form(folded) == folded, hex(code)
        assert search_form(character.casefold()) == folded, hex(code)


@given(TEXT)
def test_normalization_form_does_not_matter(text: str) -> None:
    """Composed, decomposed and compatibility spellings fold alike."""
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert search_form(unicodedata.normalize(form, text)) == search_form(text)


@given(TEXT)
def test_case_does_not_matter(text: str) -> None:
    """Lower case and casefolded spellings fold alike."""
    assert search_form(text.lower()) == search_form(text.casefold()) == search_form(text)


@given(st.text("abcxyz äöüéñçș ABCÄÖÜÉÑÇȘ"), st.sampled_from("\u0301\u0308\u0327\u0323"))
def test_accents_and_capitals_do_not_matter(text: str, accent: str) -> None:
    """However letters are accented or written large."""
    accented = "".join(c + accent if c.isalpha() else c for c in text)
    assert search_form(accented) == search_form(text.upper()) == search_form(text)


@given(
    st.lists(st.text("abc", min_size=1), min_size=1), st.sampled_from([" ", "  ", "\t", "\u00a0", "\u2003", "\u3000 "])
)
def test_white_space_runs_are_one_space(words: list[str], space: str) -> None:
    """Also at the ends, and of any kind."""
    assert search_form(space + space.join(words) + space) == " ".join(words)


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
        assert len({search_form(spelling) for spelling in spellings}) == 1, spellings
    apart = ["o", "ø", "l", "ł", "1", "i", "\u0131", "東京", "京都"]
    assert len({search_form(text) for text in apart}) == len(apart)
    assert search_form("") == search_form(" \t ") == ""
