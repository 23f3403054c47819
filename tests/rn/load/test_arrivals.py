"""Poisson arrivals."""

import numpy as np
import pytest

from rn.load.sending.arrivals import poisson_arrivals


def test_the_same_seed_gives_the_same_times() -> None:
    first, again, other = (poisson_arrivals(100, 10, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first[:10], other[:10])


def test_times_are_in_order_and_within_the_length() -> None:
    times = poisson_arrivals(100, 10, 0)
    assert (np.diff(times) >= 0).all()
    assert times[0] >= 0
    assert times[-1] <= 10


@pytest.mark.parametrize("rate", [5.0, 200.0])
def test_gaps_are_exponential_with_the_mean_of_the_rate(rate: float) -> None:
    gaps = np.diff(poisson_arrivals(rate, 20_000 / rate, seed=3))
    assert gaps.mean() == pytest.approx(1 / rate, rel=0.03)
    # An exponential distribution is as wide as its mean, and exp(-2) of it is above twice its mean.
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.03)
    assert np.mean(gaps > 2 * gaps.mean()) == pytest.approx(np.exp(-2), rel=0.1)


def test_counts_vary_as_they_should() -> None:
    counts = np.array([len(poisson_arrivals(50, 1, seed)) for seed in range(2000)])
    assert counts.mean() == pytest.approx(50, rel=0.02)
    assert counts.var() == pytest.approx(50, rel=0.1)
