"""Percentiles of times."""

from collections.abc import Sequence
from math import ceil


def percentile(times: Sequence[float], share: float) -> float:
    """The least of the times within which that share (above 0, to 1) of all are: the nearest rank."""
    return sorted(times)[ceil(len(times) * share) - 1]
