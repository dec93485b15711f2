"""How the confidences of several assertions combine into one.

Independent sources combine by noisy-or: the fact is doubted only if every source is wrong at once (J. Pearl,
Probabilistic Reasoning in Intelligent Systems, 1988, section 4.3.2). Within a source, the strongest assertion counts,
since an extractor that reads the same page twice learns nothing new.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from decimal import Decimal
from typing import Final

_PLACES: Final = 40
_WHOLE: Final = 10**_PLACES


def combined(said: Iterable[tuple[Hashable, float | None]]) -> float | None:
    """The confidence, 0..1, that follows from pairs of a source and its confidence, or None for unknown.

    An unknown confidence adds nothing; if all are unknown, so is the result. Confidences are taken as the decimal
    numbers that people write, so that 0.9 and 0.4 give 0.94. The arithmetic is exact and is rounded once, at the end:
    the order never matters, and a further source never lowers the result. What comes after the 40th decimal place of a
    confidence is left out, so that thousands of minute ones are no long work.
    """
    strongest: dict[Hashable, float] = {}
    for source, confidence in said:
        if confidence is not None and confidence > strongest.get(source, -1.0):
            strongest[source] = confidence
    if not strongest:
        return None
    surest = max(strongest.values())
    if len(strongest) == 1:
        return surest
    doubts = [_WHOLE - int(Decimal(repr(confidence)).scaleb(_PLACES)) for confidence in strongest.values()]
    whole: int = _WHOLE ** len(doubts)
    # Python divides whole numbers, however long, with one rounding.
    return max(surest, (whole - _product(doubts)) / whole)


def _product(factors: list[int]) -> int:
    """The product, by halves: that keeps the numbers of about the same length, which multiplies fastest."""
    while len(factors) > 1:
        pairs = [one * other for one, other in zip(factors[::2], factors[1::2], strict=False)]
        factors = pairs + factors[len(pairs) * 2 :]
    return factors[0]
