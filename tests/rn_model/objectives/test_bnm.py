import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rn_model.objectives import bnm_loss
from tests.rn_model.objectives.numerics import Rows, gradient, normal, slopes, softmax


def _by_the_formula(rows: Rows) -> float:
    """The nuclear norm, as the sum of the square roots of the eigenvalues of a Gram matrix."""
    matrix = np.array([softmax(row) for row in rows])
    small = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    eigenvalues = np.linalg.eigvalsh(small @ small.T)
    return -float(np.sqrt(eigenvalues.clip(0)).sum()) / len(rows)


@pytest.mark.parametrize(("images", "classes"), [(6, 3), (3, 6), (4, 4), (1, 3)])
def test_value_and_gradient_are_the_formulas(images: int, classes: int) -> None:
    logits = normal(images, classes, scale=2)
    assert bnm_loss(logits).item() == pytest.approx(_by_the_formula(logits.tolist()), rel=1e-9)
    expected = slopes(_by_the_formula, logits)
    torch.testing.assert_close(gradient(bnm_loss, logits), expected, atol=1e-7, rtol=0)


def test_least_for_certain_predictions_of_every_class() -> None:
    assert bnm_loss(100 * torch.eye(4)).item() == pytest.approx(-1)


def test_equal_predictions_have_a_gradient_too() -> None:
    assert torch.isfinite(gradient(bnm_loss, torch.zeros(6, 3))).all()


@given(st.integers(1, 12), st.integers(2, 8), st.integers(0, 1000))
def test_lies_between_its_bounds(images: int, classes: int, seed: int) -> None:
    loss = bnm_loss(normal(images, classes, seed=seed, scale=5)).item()
    assert -math.sqrt(min(images, classes) / images) - 1e-9 <= loss <= 0


@pytest.mark.parametrize("shape", [(0, 3), (3,)])
def test_refuses_what_is_not_a_batch_of_logits(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least one image"):
        bnm_loss(torch.zeros(shape))
