import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rn_model.objectives import leaky_log_complement, leaky_log_softmax, leaky_logit
from tests.rn_model.objectives.numerics import Rows, gradient, normal, slopes


def _by_the_formula(row: list[float]) -> list[float]:
    total = len(row) + sum(math.exp(value) for value in row)
    return [math.exp(value) / total for value in row]


def test_values_are_the_formulas() -> None:
    logits = normal(5, 4, scale=2)
    expected = torch.tensor([_by_the_formula(row) for row in logits.tolist()], dtype=torch.float64)
    torch.testing.assert_close(leaky_log_softmax(logits).exp(), expected)
    torch.testing.assert_close(leaky_log_complement(logits).exp(), 1 - expected)
    torch.testing.assert_close(torch.sigmoid(leaky_logit(logits)), expected.sum(dim=1))


def test_gradients_are_the_formulas() -> None:
    logits, mix = normal(3, 4, scale=2), normal(3, 4, seed=1)

    def mixed(values: Rows) -> float:
        return float((mix * torch.tensor(values, dtype=torch.float64)).sum())

    def complement(x: Tensor) -> Tensor:
        return (mix * leaky_log_complement(x)).sum()

    def probability(x: Tensor) -> Tensor:
        return (mix * leaky_log_softmax(x)).sum()

    expected = slopes(
        lambda rows: mixed([[math.log(1 - p) for p in _by_the_formula(row)] for row in rows]),
        logits,
    )
    torch.testing.assert_close(gradient(complement, logits), expected, atol=1e-8, rtol=0)
    expected = slopes(
        lambda rows: mixed([[math.log(p) for p in _by_the_formula(row)] for row in rows]), logits
    )
    torch.testing.assert_close(gradient(probability, logits), expected, atol=1e-8, rtol=0)


def test_complement_keeps_its_digits_near_certainty() -> None:
    logits = torch.tensor([[60.0, 0.0, 0.0]])
    assert leaky_log_complement(logits)[0, 0].item() == pytest.approx(math.log(5) - 60)


@pytest.mark.parametrize("function", [leaky_log_complement, leaky_log_softmax, leaky_logit])
@given(
    images=st.integers(1, 6),
    classes=st.integers(1, 8),
    scale=st.sampled_from([1.0, 30.0, 1e4]),
    seed=st.integers(0, 99),
)
def test_everything_is_finite(
    function: Callable[[Tensor], Tensor], images: int, classes: int, scale: float, seed: int
) -> None:
    logits = normal(images, classes, seed=seed, scale=scale).float()
    assert torch.isfinite(function(logits)).all()
    assert torch.isfinite(gradient(lambda x: function(x).sum(), logits)).all()
