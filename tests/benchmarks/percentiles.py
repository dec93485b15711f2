"""Percentiles of times."""

from collections.abc import Sequence


def percentile(times: Sequence[float], share: float) -> float:
    """The time below which that share of all times is."""
    return sorted(times)[min(len(times) - 1, int(len(times) * share))]
