"""Words and terms: what search makes of names and of questions, in every script."""

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kgl_core.exploration.search.highlights import folded_with_origins, highlights
from kgl_core.exploration.search.questions import read_question
from kgl_core.graph.naming.names import type_term
from kgl_core.graph.naming.words import FOLDED_MAX, TERM_MAX, fold, terms_of, words_of
from kgl_core.kernel.text import identity_form, is_visible, name_form

SCRIPTS = "aÀß9٣-_'\"+#大灯ガｶﾞ가กุหि\u093cمُשָׁЙйø❤️🔵👨‍👩‍👧ﬁİ½\u0301\u200d "
texts = st.one_of(st.text(), st.text(st.sampled_from(SCRIPTS), max_size=40))
names = texts.map(name_form).filter(is_visible)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Jean-Luc Oak", "jean luc oak"),
        ("O'Fern", "o fern"),
        ("A&B Mill", "a b mill"),
        ("DS-7604NI-E1/4P", "ds 7604 ni e 1 4 p"),
        ("photo-2024.jpg", "photo 2024 jpg"),
        ("apply_leaf", "apply leaf"),
        ("C++", "c + +"),
        ("C#", "c"),
        (".NET", "net"),
        ("*", "*"),
        ("-", "-"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("\uff37\uff49\uff44th", "width"),
        ("Müller, Øre & Łódź", "muller ore lodz"),
        ("İnci Iş\u0131k ﬁr", "inci isik fir"),
        ("مُحَمَّد ١٢", "محمد 12"),
        ("हिन्दी", "हिन्दी"),
        ("กรุงเทพ", "กรุงเทพ"),
        ("重装gamma后台", "重装 gamma 后台"),
        ("ガッコウ ｶﾞｯｺｳ", "ガッコウ ガッコウ"),
        ("❤️ 🔵 Elm", "❤ 🔵 elm"),
    ],
)
def test_words_of_a_text(text: str, words: str) -> None:
    """Punctuation separates, unless there is nothing else; symbols are words; marks stay that tell words apart."""
    assert words_of(text) == words


def test_terms_of_scripts_without_spaces() -> None:
    """Pairs, and the last character: every part of a run is found by these."""
    assert terms_of("大灯工厂") == ["大灯", "灯工", "工厂", "厂"]
    assert terms_of("重装 gamma 后") == ["重装", "装", "gamma", "后"]


@given(texts)
@example("ＩÍ\u0130")
def test_folding_again_changes_nothing(text: str) -> None:
    """So that what is indexed can be made again from what is kept."""
    assert fold(fold(text)) == fold(text)
    assert terms_of(words_of(words_of(text))) == terms_of(words_of(text)) or len(fold(text)) > FOLDED_MAX // 2


@given(texts)
def test_search_folds_harder_than_identity(text: str) -> None:
    """Names that are the same have the same words."""
    assert words_of(identity_form(text)) == words_of(text)


@given(names)
@example('"a-b"#"')
@example("ﷺ" * 27 + ' "oak"')
def test_every_name_can_be_found(name: str) -> None:
    """By itself, and by each of its words; its terms are none of a type, and are bounded."""
    words = words_of(name)
    assert words
    assert read_question(name).is_answered_by(words)
    assert all(read_question(word).is_answered_by(words) for word in words.split() if is_visible(word))
    assert all(0 < len(term) <= TERM_MAX and not term.startswith(type_term("t")) for term in terms_of(words))
    assert len(words.encode()) < 2_700  # which an index of PostgreSQL holds


@given(names, st.integers(0, 30))
def test_a_beginning_is_answered(name: str, length: int) -> None:
    """While somebody types a name, it stays among what is found."""
    words = words_of(name)
    typed = words[: length + 1].strip()
    assert read_question(typed).is_answered_by(words)


@given(texts)
@example("ｶﾞ한글\u1112\u1161\u11ab")
def test_every_folded_character_comes_from_the_text(text: str) -> None:
    """Highlights point into the text as it is stored."""
    folded, origins = folded_with_origins(text)
    assert len(folded) == len(origins)
    assert all(0 <= begin < end <= len(text) for begin, end in origins)
    assert [begin for begin, _ in origins] == sorted(begin for begin, _ in origins)
    if not any("\u1100" <= c <= "\u11ff" for c in unicodedata.normalize("NFKD", text)):
        assert unicodedata.normalize("NFC", folded) == fold(text)


@given(names, names)
def test_highlights_are_parts_of_the_text(name: str, asked: str) -> None:
    """In order, apart from each other; and where a name is what was asked, there are some."""
    spans = highlights(read_question(asked), name)
    assert all(0 <= begin < end <= len(name) for begin, end in spans)
    assert all(one[1] < other[0] for one, other in pairwise(spans))


@pytest.mark.parametrize(
    ("asked", "name", "parts"),
    [
        ("oak", "Jean-Luc OAK", ["OAK"]),
        ("luc-j", "Jean-Luc Oak", ["J", "Luc"]),
        ("STRASSE", "Lange Straße", ["Straße"]),
        ("stras", "Straße", ["Straß"]),
        ("fi", "ﬁr", ["ﬁ"]),
        ("inci", "İnci", ["İnci"]),
        ("灯工", "大灯工厂", ["灯工"]),
        ("muller", "M\u00fcller Mu\u0308ller", ["Müller", "Mu\u0308ller"]),
        ("❤", "I ❤️ NY", ["❤️"]),
        ("김", "김치", ["김"]),
    ],
)
def test_highlights(asked: str, name: str, parts: list[str]) -> None:
    """In characters of the stored text, also where folding makes it longer or shorter."""
    assert [name[begin:end] for begin, end in highlights(read_question(asked), name)] == parts


@pytest.mark.parametrize(
    ("asked", "found", "not_found"),
    [
        ('"jean luc"', "Jean-Luc Oak", "Luc Jean"),
        ('"jean lu"', "Jean Lu", "Jean Luc"),
        ('oak "jean luc"', "Jean-Luc Oak", "Jean-Luc Elm"),
        ('"东京" 塔', "东京铁塔", "京东塔"),
        ('a "quoted', 'a "quoted" elm', "a elm"),
        ('""', '"', "x"),
        ('oak "jean" -', "Jean Oak", "Jean Oaks"),
        ("ash AND oak", "Oak and Ash", "Ash Oak"),
        ("elm*", "Elm", "Oak"),
        ("NEAR(elm", "Near Elm", "Elm"),
        ("elm:*", "Elmwood", "Felm"),
        ("a\\b", "a/b", "ab"),
        ("工厂灯", "工厂灯", "大灯工厂"),
        ("mead ash", "Ash Mead", "Ash Meadow"),
        ("ash mead", "Meadow Ash", "Mead"),
    ],
)
def test_questions(asked: str, found: str, not_found: str) -> None:
    """Words in any order, the last one perhaps a beginning; phrases as they stand; no other sign means anything."""
    question = read_question(asked)
    assert question.is_answered_by(words_of(found))
    assert not question.is_answered_by(words_of(not_found))
