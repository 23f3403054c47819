"""Finds the largest rate at which a server still keeps a bound."""

from collections.abc import Callable
from typing import NamedTuple

# The first rate, as a share of the estimate, and the step while every rate passes.
FIRST = 0.8
STEP = 1.25


class Trial(NamedTuple):
    """A rate that was tried, and whether the bound was kept."""

    rate: float
    kept: bool


def largest_rate(
    keeps: Callable[[float], bool], estimate: float, tolerance: float = 0.05, trials: int = 8
) -> tuple[float | None, list[Trial]]:
    """The largest rate that keeps a bound, by bisection.

    Args:
        keeps: tries a rate.
        estimate: a rate near which the answer is expected, such as the rate at saturation.
        tolerance: the search ends when the rates above and below differ by this share.
        trials: maximum number of rates that are tried.

    Returns:
        The largest rate that passed, None if none did; and all trials, in order.
    """
    tried: list[Trial] = []
    low, high = 0.0, float("inf")
    rate = FIRST * estimate
    while len(tried) < trials and high - low > tolerance * low:
        trial = Trial(rate, keeps(rate))
        tried.append(trial)
        low, high = (rate, high) if trial.kept else (low, rate)
        rate = STEP * low if high == float("inf") else (low + high) / 2
    return low or None, tried
