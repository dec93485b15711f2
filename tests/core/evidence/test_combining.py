"""How confidences combine: the rule's promises, for any sources and in any order."""

from fractions import Fraction
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgl_core.evidence.combining import combined

CONFIDENCES = st.floats(0, 1).map(abs) | st.sampled_from([0.0, 5e-324, 1e-17, 0.1, 0.5, 0.9, 1 - 2**-53, 1.0])
SAID = st.lists(st.tuples(st.integers(0, 5), CONFIDENCES | st.none()), max_size=12)


def by_the_book(said: list[tuple[Any, float | None]]) -> float | None:
    """Noisy-or over sources, of which the surest assertion counts, in exact decimals of 40 places."""
    known = [(source, confidence) for source, confidence in said if confidence is not None]
    if not known:
        return None
    doubt = Fraction(1)
    for source in {source for source, _ in known}:
        surest = max(Fraction(str(confidence)) for other, confidence in known if other == source)
        doubt *= 1 - Fraction(int(surest * 10**40), 10**40)
    return max(float(1 - doubt), *(confidence for _, confidence in known))


def bits(confidence: float | None) -> str | None:
    """What tells two confidences apart that compare as equal."""
    return None if confidence is None else confidence.hex()


@given(SAID)
def test_it_is_noisy_or_to_the_last_bit(said: list[tuple[int, float | None]]) -> None:
    """As an exact reference has it, rounded once."""
    assert bits(combined(said)) == bits(by_the_book(said))


@given(SAID, st.randoms())
def test_the_order_never_matters(said: list[tuple[int, float | None]], random: Any) -> None:
    """To the last bit."""
    shuffled = [*said]
    random.shuffle(shuffled)
    assert bits(combined(shuffled)) == bits(combined(said))


@given(st.lists(st.tuples(st.integers(0, 2), CONFIDENCES), max_size=4))
def test_no_order_at_all_matters(said: list[tuple[int, float | None]]) -> None:
    """Every permutation of a few."""
    assert len({bits(combined(each)) for each in permutations(said)}) == 1


@given(SAID)
def test_it_stays_between_0_and_1(said: list[tuple[int, float | None]]) -> None:
    """However many sources say it."""
    result = combined(said)
    assert result is None or 0 <= result <= 1


@given(st.lists(CONFIDENCES, min_size=1, max_size=40))
def test_many_sources_stay_between_the_surest_and_1(confidences: list[float]) -> None:
    """All of them together are at least as sure as the surest."""
    result = combined(enumerate(confidences))
    assert result is not None
    assert max(confidences) <= result <= 1


@given(SAID, CONFIDENCES | st.none())
def test_a_further_source_never_lowers_it(said: list[tuple[int, float | None]], confidence: float | None) -> None:
    """Nor makes it unknown."""
    before, after = combined(said), combined([*said, (99, confidence)])
    if before is None:
        assert bits(after) == bits(confidence)
    else:
        assert after is not None
        assert after >= before


@given(SAID.filter(bool), st.data())
def test_the_same_source_again_counts_once(said: list[tuple[int, float | None]], data: st.DataObject) -> None:
    """What it says less surely changes nothing; what it says more surely counts in place of it."""
    source, confidence = data.draw(st.sampled_from(said))
    again = data.draw(CONFIDENCES.map(lambda part: None if confidence is None else min(part, confidence)))
    assert bits(combined([*said, (source, again)])) == bits(combined(said))
    surer = data.draw(CONFIDENCES)
    highest = max([surer, *(each for other, each in said if other == source and each is not None)])
    others = [each for each in said if each[0] != source]
    assert bits(combined([*said, (source, surer)])) == bits(combined([*others, (source, highest)]))


@given(st.lists(CONFIDENCES, min_size=1, max_size=10))
def test_one_source_never_exceeds_what_it_says(confidences: list[float]) -> None:
    """However often it says it."""
    assert combined(("s", confidence) for confidence in confidences) == max(confidences)


@given(st.lists(st.integers(0, 5), max_size=6))
def test_unknown_stays_unknown(sources: list[int]) -> None:
    """And is not 0."""
    assert combined((source, None) for source in sources) is None


@pytest.mark.parametrize(
    ("confidences", "expected"),
    [
        ([], None),
        ([0.0], 0.0),
        ([0.9, 0.4], 0.94),
        ([0.2, 0.4], 0.52),
        ([0.6], 0.6),
        ([0.5, 0.5], 0.75),
        ([0.1, 0.2, 0.3], 0.496),
        ([0.9, 0.9, 0.9], 0.999),
        ([0.0, 0.3], 0.3),
        ([1.0, 0.3], 1.0),
        ([0.1 + 0.2], 0.1 + 0.2),
        ([0.99] * 1000, 1.0),
    ],
)
def test_some_cases(confidences: list[float], expected: float | None) -> None:
    """In the decimals that people write."""
    assert bits(combined(enumerate(confidences))) == bits(expected)
