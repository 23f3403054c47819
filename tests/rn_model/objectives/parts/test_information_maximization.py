import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rn_model.objectives import information_maximization_loss
from tests.rn_model.objectives.numerics import Rows, entropy, gradient, normal, slopes, softmax


def _by_the_formula(rows: Rows, diversity: float) -> float:
    probabilities = [softmax(row) for row in rows]
    mean = [sum(column) / len(rows) for column in zip(*probabilities, strict=True)]
    return sum(map(entropy, probabilities)) / len(rows) - diversity * entropy(mean)


@pytest.mark.parametrize("diversity", [1.0, 0.3, 0.0])
@pytest.mark.parametrize("images", [1, 6])
def test_value_and_gradient_are_the_formulas(images: int, diversity: float) -> None:
    logits = normal(images, 4, scale=2)
    loss = information_maximization_loss(logits, diversity)
    assert loss.item() == pytest.approx(_by_the_formula(logits.tolist(), diversity), abs=1e-12)
    found = gradient(lambda x: information_maximization_loss(x, diversity), logits)
    expected = slopes(lambda rows: _by_the_formula(rows, diversity), logits)
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)


def test_least_for_certain_predictions_of_every_class() -> None:
    loss = information_maximization_loss(1e4 * torch.eye(4))
    assert loss.item() == pytest.approx(-math.log(4))


@given(st.integers(1, 12), st.integers(2, 8), st.integers(0, 1000))
def test_lies_between_its_bounds(images: int, classes: int, seed: int) -> None:
    loss = information_maximization_loss(normal(images, classes, seed=seed, scale=5)).item()
    assert -math.log(classes) - 1e-9 <= loss <= 1e-9


@pytest.mark.parametrize("shape", [(0, 3), (3,)])
def test_refuses_what_is_not_a_batch_of_logits(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least one image"):
        information_maximization_loss(torch.zeros(shape))
