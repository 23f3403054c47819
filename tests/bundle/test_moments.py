import numpy as np
import pytest

from bundle.moments import FlatMoments


def test_bytes_round_trip() -> None:
    moments = FlatMoments(np.array([1.5, -2.0, 1e-300]), np.array([0.0, 3.0, 4.0]))
    found = FlatMoments.from_bytes(moments.to_bytes())
    np.testing.assert_array_equal(found, moments)
    assert all(value.dtype == np.float64 and value.flags.writeable for value in found)
    assert found.fingerprint() == moments.fingerprint()
    assert moments.to_bytes()[:8] == np.float64(1.5).tobytes()


def test_every_value_is_in_the_fingerprint() -> None:
    moments = FlatMoments(np.zeros(2), np.ones(2))
    prints = {moments.fingerprint(), FlatMoments(np.ones(2), np.zeros(2)).fingerprint()}
    for index in range(2):
        for value in moments:
            value[index] = np.nextafter(value[index], 9)
            prints.add(moments.fingerprint())
    assert len(prints) == 6


@pytest.mark.parametrize(
    ("mean", "variance", "problem"),
    [
        (0.0, 0.0, None),
        (np.nan, 1.0, "moments are not finite"),
        (0.0, np.inf, "moments are not finite"),
        (0.0, -1e-30, "a variance is negative"),
    ],
)
def test_problems(mean: float, variance: float, problem: str | None) -> None:
    moments = FlatMoments(np.array([0.0, mean]), np.array([1.0, variance]))
    assert moments.problem() == problem
