import numpy as np
import pytest
from numpy.typing import NDArray

from bundle.moments import FlatMoments
from service.guards.publication import MIN_IMAGES, PublicationOptions, decide, mean_shift

OPTIONS = PublicationOptions(margin=0.05, max_shift=2.0)
MOMENTS = FlatMoments(np.zeros(4), np.full(4, 4.0))


def sure(count: int, classes: int = 4) -> NDArray[np.float64]:
    """Every image certain, every class as often."""
    return np.eye(classes)[np.arange(count) % classes]


def unsure(count: int, classes: int = 4) -> NDArray[np.float64]:
    return np.full((count, classes), 1 / classes)


def collapsed(count: int, classes: int = 4) -> NDArray[np.float64]:
    return np.eye(classes)[np.zeros(count, dtype=int)]


def test_mean_shift_is_in_standard_deviations_of_what_was_before() -> None:
    after = FlatMoments(np.array([2.0, -2.0, 0.0, 4.0]), np.ones(4))
    assert mean_shift(MOMENTS, after) == pytest.approx((1 + 1 + 0 + 2) / 4)


def test_no_worse_passes() -> None:
    decision = decide(OPTIONS, sure(64), sure(64), MOMENTS, MOMENTS)
    assert decision.reason is None
    assert decision.scores["agreement"] == 1
    assert decision.scores["information"] == pytest.approx(1)
    assert decision.scores["information_served"] == pytest.approx(1)
    assert decision.scores["nuclear_norm"] == pytest.approx(1)
    assert decision.scores["images"] == 64


def test_better_passes() -> None:
    assert decide(OPTIONS, unsure(64), sure(64), MOMENTS, MOMENTS).reason is None


@pytest.mark.parametrize("worse", [unsure(64), collapsed(64)], ids=["unsure", "collapsed"])
def test_worse_is_rejected(worse: NDArray[np.float64]) -> None:
    decision = decide(OPTIONS, sure(64), worse, MOMENTS, MOMENTS)
    assert decision.reason is not None
    assert decision.reason.startswith("information fell from 1.000 to")


def test_the_margin_is_the_difference_that_passes() -> None:
    a_little_less_sure = 0.97 * sure(64) + 0.03 * unsure(64)
    loss = 1 - decide(OPTIONS, sure(64), a_little_less_sure, MOMENTS, MOMENTS).scores["information"]
    options = PublicationOptions(margin=loss + 0.001, max_shift=2.0)
    assert decide(options, sure(64), a_little_less_sure, MOMENTS, MOMENTS).reason is None
    options = PublicationOptions(margin=loss - 0.001, max_shift=2.0)
    assert decide(options, sure(64), a_little_less_sure, MOMENTS, MOMENTS).reason is not None


def test_few_images_are_not_scored() -> None:
    few = MIN_IMAGES - 1
    assert decide(OPTIONS, sure(few), collapsed(few), MOMENTS, MOMENTS).reason is None
    assert decide(OPTIONS, sure(0), sure(0), MOMENTS, MOMENTS).reason is None
    enough = decide(OPTIONS, sure(MIN_IMAGES), collapsed(MIN_IMAGES), MOMENTS, MOMENTS)
    assert enough.reason is not None


def test_a_long_way_is_rejected() -> None:
    far = FlatMoments(np.full(4, 5.0), MOMENTS.variance)
    decision = decide(OPTIONS, sure(64), sure(64), MOMENTS, far)
    assert decision.reason == "the means moved by 2.50 sd, more than the allowed 2.00"
    assert decision.scores["shift"] == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (FlatMoments(np.full(4, np.nan), np.ones(4)), "moments are not finite"),
        (FlatMoments(np.zeros(4), np.full(4, np.inf)), "moments are not finite"),
        (FlatMoments(np.zeros(4), np.full(4, -1.0)), "a variance is negative"),
    ],
)
def test_what_cannot_be_moments_is_rejected(after: FlatMoments, reason: str) -> None:
    decision = decide(OPTIONS, sure(0), sure(0), MOMENTS, after)
    assert (decision.reason, decision.scores) == (reason, {})


def test_predictions_that_are_not_finite_are_rejected() -> None:
    broken = sure(64)
    broken[3, 0] = np.nan
    assert (
        decide(OPTIONS, sure(64), broken, MOMENTS, MOMENTS).reason == "predictions are not finite"
    )


def test_a_served_version_that_is_broken_does_not_stand_in_the_way() -> None:
    broken = sure(64)
    broken[3, 0] = np.nan
    assert decide(OPTIONS, broken, collapsed(64), MOMENTS, MOMENTS).reason is None
