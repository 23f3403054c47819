"""Figures of a measurement."""

import numpy as np
import pytest

from rn.load.ceiling import Ceiling
from rn.load.measurement import BROKEN, UNANSWERED, Measurement
from rn.load.scenarios import keeps_bound


def measurement(latencies: list[float], statuses: list[int], seconds: float = 2.0) -> Measurement:
    return Measurement("test", seconds, 3, np.array(latencies), np.array(statuses, np.int16))


def test_rates_count_successes_alone() -> None:
    found = measurement([0.1, 0.2, 0.3, 0.4], [200, 204, 429, BROKEN])
    assert found.requests_per_second == 1
    assert found.images_per_second == 3
    assert found.goodput(0.15) == 0.5
    assert found.errors() == {"connection lost": 1, "429": 1}


def test_percentiles_are_of_answers_and_of_requests_without_one() -> None:
    latencies = [number / 100 for number in range(101)]
    found = measurement(latencies, [200] * 101)
    assert found.percentile(50) == pytest.approx(0.5)
    assert found.percentile(99) == pytest.approx(0.99)
    found = measurement([0.1, 0.0, 5.0], [200, 429, UNANSWERED])
    assert found.percentile(100) == 5.0
    assert found.percentile(0) == 0.1
    assert found.refusals().tolist() == [0.0]


def test_nothing_was_measured() -> None:
    found = measurement([], [], seconds=0.0)
    assert np.isnan(found.percentile(99))
    assert found.to_json()["latency_ms"]["p99"] is None
    assert found.to_json()["requests_per_second"] == 0
    assert not keeps_bound(found, 1.0)


@pytest.mark.parametrize(
    ("slow", "failed", "kept"), [(0, 0, True), (2, 0, False), (0, 1, True), (0, 2, False)]
)
def test_a_bound_is_kept_by_99_of_100_successes(slow: int, failed: int, kept: bool) -> None:
    fast = 100 - slow - failed
    found = measurement(
        [0.1] * fast + [0.5] * (slow + failed), [200] * (fast + slow) + [500] * failed
    )
    assert keeps_bound(found, 0.2) == kept


def test_the_ratio_to_the_limit_with_and_without_the_generator() -> None:
    ceiling = Ceiling(100.0, 2)
    assert ceiling.ratio(80) == pytest.approx(0.8)
    assert ceiling.ratio(80, 0.2) == pytest.approx(80 / 90)
