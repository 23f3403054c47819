"""The guards keep what their docstrings promise."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bundle.moments import FlatMoments
from service.guards.balanced_score import balanced_score, class_weights, compare
from service.guards.class_shares import estimate_shares, image_weights
from service.guards.conformal import ConformalGuard
from service.guards.disagreement import disagreement, upper_bound
from service.guards.evidence import Evidence, outcomes
from service.guards.probation import ImageScore, Probation
from service.guards.publication import PublicationGuard, PublicationOptions, Views

OPTIONS = PublicationOptions(alpha=0.05, margin=0.02, recognizable=0.6, max_shift=5.0)


def predictions(count: int, classes: int, seed: int, sharpness: float = 5.0) -> NDArray[np.float64]:
    logits = sharpness * np.random.default_rng(seed).normal(size=(count, classes))
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    found: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return found


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=200), st.floats(0.001, 0.5))
def test_a_harmless_candidate_is_refused_no_more_often_than_the_level(
    drops: list[float], alpha: float
) -> None:
    guard = ConformalGuard.calibrated(drops, alpha)
    # Among the drops and one more, each is equally likely to be that of the candidate.
    refused = sum(guard.reason(drop) is not None for drop in drops)
    assert refused <= guard.alpha * (len(drops) + 1) + 1e-9
    assert guard.alpha >= alpha
    assert guard.reason(math.inf) is not None and guard.reason(math.nan) is not None


@given(st.integers(1, 60), st.integers(2, 12), st.integers(0, 10**6))
def test_balanced_scores_are_between_0_and_1_and_know_no_order(
    count: int, classes: int, seed: int
) -> None:
    p = predictions(count, classes, seed)
    weights = class_weights(p)
    assert ((weights > 0) & (weights <= 5)).all()
    score = balanced_score(p, weights)
    assert 0 <= score <= 1 + 1e-9
    order = np.random.default_rng(seed).permutation(count)
    assert balanced_score(p[order], weights[order]) == pytest.approx(score)
    assert compare(p, p).drop == pytest.approx(0)


def test_a_version_that_sees_one_class_is_worse_however_frequent_that_is() -> None:
    p = np.eye(4)[np.array([0] * 40 + [1, 2, 3] * 4)] * 0.96 + 0.01
    collapsed = np.tile(np.array([0.97, 0.01, 0.01, 0.01]), (len(p), 1))
    assert compare(p, collapsed).reason(0.02) is not None
    assert compare(collapsed, p).reason(0.02) is None


def test_hardly_any_harmless_version_is_ever_rolled_back() -> None:
    generator = np.random.default_rng(0)
    # Worse by just what is tolerated, on average.
    differences = generator.choice([-0.3, 0.34], (1000, 300))
    failed = sum(Probation(0.05).after(stream).failed for stream in differences)
    assert failed <= 0.05 * 1000 + 3 * math.sqrt(0.05 * 0.95 * 1000)


@given(st.lists(st.floats(-1, 1), max_size=50), st.integers(0, 50))
def test_evidence_does_not_depend_on_portions(differences: list[float], cut: int) -> None:
    whole = Probation(0.01).after(differences)
    steps = Probation(0.01).after(differences[:cut]).after(differences[cut:])
    assert steps.images == whole.images == len(differences)
    assert whole.largest == pytest.approx(steps.largest)
    assert Probation.from_json(whole.to_json()) == whole


def test_harm_is_found_soon() -> None:
    probation = Probation(0.01)
    while not probation.failed:
        probation = probation.after([0.3])
    assert probation.images < 40
    assert probation.reason is not None and "at most 0.01" in probation.reason
    # What was found stays found.
    assert probation.after([-1.0] * 100).failed


@given(st.integers(1, 40), st.integers(2, 10), st.integers(0, 10**6))
def test_scores_of_images_are_between_0_and_1(count: int, classes: int, seed: int) -> None:
    score = ImageScore.of(predictions(count, classes, seed))
    found = score(predictions(20, classes, seed + 1))
    assert ((found >= 0) & (found <= 1)).all()
    assert (score(np.full((3, classes), np.nan)) == 0).all()


def test_the_image_score_is_the_tangent_of_the_nuclear_norm() -> None:
    p = predictions(400, 5, 3)
    expected = balanced_score(p, np.ones(len(p)))
    assert ImageScore.of(p)(p).mean() == pytest.approx(expected, rel=0.02)


@given(st.integers(0, 50), st.integers(1, 300), st.floats(0.001, 0.2))
def test_the_bound_covers(successes: int, trials: int, alpha: float) -> None:
    successes = min(successes, trials)
    bound = upper_bound(successes, trials, alpha)
    assert successes / trials <= bound <= 1
    if successes < trials:
        below = sum(
            math.comb(trials, k) * bound**k * (1 - bound) ** (trials - k)
            for k in range(successes + 1)
        )
        assert below == pytest.approx(alpha, rel=1e-6)


def test_disagreement_counts_labels() -> None:
    one, other = np.eye(2)[[0, 0, 1, 1]], np.eye(2)[[0, 1, 1, 0]]
    found = disagreement(one, other, 0.05)
    assert (found.differing, found.images, found.share) == (2, 4, 0.5)
    assert disagreement(one[:0], other[:0], 0.05).bound == 1


@given(st.lists(st.sampled_from([-1, 0, 1]), max_size=60), st.integers(0, 60))
def test_labels_count_in_any_portions(found: list[int], cut: int) -> None:
    once = Evidence(0.01).after(found)
    twice = Evidence(0.01).after(found[:cut]).after(found[cut:])
    assert once == twice == Evidence.from_json(once.to_json())
    assert once.labels == len(found)


def test_a_few_labels_decide() -> None:
    worse = Evidence(0.01).after([1] * 12)
    assert (worse.verdict, Evidence(0.01).after([-1] * 12).verdict) == ("worse", "better")
    assert Evidence(0.01).after([1, -1] * 20).verdict == "undecided"
    assert "parent alone is right on 12" in worse.reason
    assert outcomes("aab", "aba", "abb") == [0, -1, 1]


@given(st.integers(2, 8), st.integers(1, 80), st.integers(0, 10**6))
def test_shares_are_shares(classes: int, count: int, seed: int) -> None:
    mean = predictions(count, classes, seed).mean(axis=0)
    found = estimate_shares(mean, count, np.eye(classes) * 0.9 + 0.1 / classes)
    assert found.shares.sum() == pytest.approx(1)
    assert (found.shares >= 0).all() and 0 <= found.distance <= 1


@given(st.integers(2, 6), st.integers(0, 10**6))
# The second class is hardly told from the first.
@example(2, 32030)
def test_true_shares_are_found_from_confused_predictions(classes: int, seed: int) -> None:
    """Of many images, whose classes are confused as those of the source were."""
    generator = np.random.default_rng(seed)
    confusion = 0.6 * np.eye(classes) + 0.4 * generator.dirichlet(np.ones(classes), classes)
    shares = generator.dirichlet(np.ones(classes))
    found = estimate_shares(shares @ confusion, 1e6, confusion)
    np.testing.assert_allclose(found.shares, shares, atol=0.05)
    # Nothing is known of no images; and the mean prediction alone would have been worse.
    none = estimate_shares(shares @ confusion, 0, confusion, source=shares)
    np.testing.assert_allclose(none.shares, shares)
    assert none.distance == pytest.approx(0, abs=1e-9)


def test_far_off_shares_call_for_caution() -> None:
    generator = np.random.default_rng(0)
    p = predictions(64, 4, 1)
    worse = 0.97 * p + 0.03 * generator.dirichlet(np.ones(4), 64)
    guard = PublicationGuard(OPTIONS)
    views = Views(p, p, worse)
    assert guard.judge_elsewhere(views).reason is None
    assert guard.judge_elsewhere(views, share_distance=0.2).reason is None
    refused = guard.judge_elsewhere(views, share_distance=0.4)
    assert "class shares are far" in str(refused.reason)
    assert refused.scores["share_distance"] == 0.4


def test_frequent_classes_weigh_less() -> None:
    p = np.eye(3)[[0] * 8 + [1] * 2 + [2] * 2]
    weights = image_weights(p, p.sum(axis=0))
    assert weights[0] < 1 < weights[-1] <= 5
    np.testing.assert_allclose(image_weights(np.eye(3), np.ones(3)), 1)


def test_few_or_broken_moments_are_refused_before_anything_runs() -> None:
    guard = PublicationGuard(OPTIONS)
    good = FlatMoments(np.zeros(2), np.ones(2))
    assert guard.judge_moments(good, good).reason is None
    for bad, reason in (
        (FlatMoments(np.array([np.nan, 0]), np.ones(2)), "not finite"),
        (FlatMoments(np.zeros(2), np.array([1, -1.0])), "negative"),
        (FlatMoments(np.full(2, 9.0), np.ones(2)), "moved by 9.00 sd"),
    ):
        assert reason in str(guard.judge_moments(good, bad).reason)


def test_at_home_the_sample_images_judge() -> None:
    p = predictions(64, 4, 1)
    flat = np.full_like(p, 0.25)
    guard = PublicationGuard(OPTIONS, ConformalGuard.calibrated([0.001] * 99, 0.05))
    assert guard.judge_at_home(Views(p, p, p)).reason is None
    assert "fell by" in str(guard.judge_at_home(Views(p, p, flat)).reason)
    assert "not finite" in str(guard.judge_at_home(Views(p, p, p * np.nan)).reason)
    turned = np.roll(p, 1, axis=1)
    found = guard.judge_at_home(Views(p, p, turned))
    assert "100% of the predictions" in str(found.reason)
    assert found.scores["largest_loss"] == 1


def test_elsewhere_its_own_images_judge() -> None:
    p, flat = predictions(64, 4, 1), np.full((64, 4), 0.25)
    guard = PublicationGuard(OPTIONS, None, exported_score=0.9)
    assert guard.judge_elsewhere(Views(flat, flat, p)).reason is None
    assert "class-balanced score fell" in str(guard.judge_elsewhere(Views(p, p, flat)).reason)
    dull = 0.2 * p + 0.2
    assert "recognizes little" in str(guard.judge_elsewhere(Views(flat, flat, dull)).reason)
    broken = np.full_like(p, np.nan)
    assert guard.judge_elsewhere(Views(broken, broken, p)).reason is None
