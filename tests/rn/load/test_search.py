"""The search for the largest rate."""

import pytest

from rn.load.search import largest_rate


@pytest.mark.parametrize("capacity", [30.0, 90.0, 100.0, 180.0])
def test_the_capacity_is_found_from_an_estimate(capacity: float) -> None:
    """A queue with exponential service times: its latency grows as 1 / (capacity - rate)."""
    bound = 10 / capacity

    def keeps(rate: float) -> bool:
        return rate < capacity and 1 / (capacity - rate) <= bound

    best, trials = largest_rate(keeps, estimate=100.0, tolerance=0.05, trials=20)
    assert best is not None
    assert keeps(best)
    assert best == pytest.approx(0.9 * capacity, rel=0.05)
    assert [trial.kept for trial in trials] == [keeps(trial.rate) for trial in trials]
    assert best == max(trial.rate for trial in trials if trial.kept)


def test_the_number_of_trials_is_bounded() -> None:
    best, trials = largest_rate(lambda _: True, 100.0, trials=5)
    assert len(trials) == 5
    assert best == trials[-1].rate


def test_no_rate_keeps_the_bound() -> None:
    best, trials = largest_rate(lambda _: False, 100.0, trials=4)
    assert best is None
    assert [trial.rate for trial in trials] == [80.0, 40.0, 20.0, 10.0]
