import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from bundle.scores import label_free_scores, softmax


def certain(labels: list[int], classes: int) -> NDArray[np.float64]:
    return np.eye(classes)[labels]


def test_certain_and_diverse_is_perfect() -> None:
    assert label_free_scores(certain([0, 1, 2, 0, 1, 2], 3)) == pytest.approx((1, 1))


def test_uniform_predictions_carry_no_information() -> None:
    scores = label_free_scores(np.full((6, 3), 1 / 3))
    assert scores.information == pytest.approx(0)
    # One singular value, sqrt(6 / 3), of a possible sum of sqrt(6 * 3).
    assert scores.nuclear_norm == pytest.approx(1 / 3)


def test_collapsed_predictions_carry_no_information() -> None:
    scores = label_free_scores(certain([1] * 6, 3))
    assert scores.information == pytest.approx(0)
    assert scores.nuclear_norm == pytest.approx(np.sqrt(1 / 3))


def test_fewer_images_than_classes() -> None:
    assert label_free_scores(certain([0, 3], 5)).nuclear_norm == pytest.approx(1)
    assert label_free_scores(certain([0], 5)).information == 0


def test_known_value() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8]])

    def entropy(p: float) -> float:
        return float(-p * np.log(p) - (1 - p) * np.log(1 - p))

    scores = label_free_scores(probabilities)
    information = (entropy(0.55) - (entropy(0.9) + entropy(0.2)) / 2) / np.log(2)
    # For two by two: (s1 + s2)^2 = |A|^2 + 2 |det A|.
    norm = np.sqrt((probabilities**2).sum() + 2 * abs(np.linalg.det(probabilities)))
    assert scores.information == pytest.approx(information)
    assert scores.nuclear_norm == pytest.approx(norm / 2)


@given(
    arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(2, 5)), elements=st.floats(-40, 40))
)
def test_scores_agree_with_the_joint_distribution(logits: NDArray[np.float64]) -> None:
    probabilities = softmax(logits)
    images, classes = probabilities.shape
    # Mutual information of image and class, term by term.
    joint, marginal = probabilities / images, probabilities.mean(axis=0)
    information = sum(
        joint[i, k] * np.log(probabilities[i, k] / marginal[k])
        for i in range(images)
        for k in range(classes)
        if probabilities[i, k] > 0
    )
    scores = label_free_scores(probabilities)
    assert scores.information == pytest.approx(information / np.log(classes), abs=1e-9)
    assert 0 <= scores.information <= 1
    assert 0 <= scores.nuclear_norm <= 1


@given(arrays(np.float64, (4, 3), elements=st.floats(-30, 30)), st.permutations(range(4)))
def test_scores_do_not_depend_on_the_order_of_images(
    logits: NDArray[np.float64], order: list[int]
) -> None:
    probabilities = softmax(logits)
    assert label_free_scores(probabilities[order]) == pytest.approx(
        label_free_scores(probabilities)
    )


@pytest.mark.parametrize("shape", [(0, 3), (4, 1)])
def test_what_cannot_be_scored(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="cannot score"):
        label_free_scores(np.ones(shape))


def test_softmax_of_large_logits() -> None:
    np.testing.assert_allclose(
        softmax(np.array([[1000.0, 1000.0], [-1000.0, 0.0]])), [[0.5, 0.5], [0.0, 1.0]]
    )
    single = np.array([[1.0, 2.0, 3.0]], np.float32)
    expected = np.exp([1, 2, 3]) / np.exp([1, 2, 3]).sum()
    np.testing.assert_allclose(softmax(single)[0], expected, rtol=1e-12)
    assert softmax(single).dtype == np.float64
