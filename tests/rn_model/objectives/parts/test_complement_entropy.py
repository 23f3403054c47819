import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rn_model.objectives import complement_entropy_loss
from tests.rn_model.objectives.numerics import Rows, entropy, gradient, normal, slopes, softmax

LABELS = [0, 3, 1, 1, 2]
WEIGHT = [1.0, 0.5, 0.0, 2.0, 1.5]


def _share(rows: Rows, alpha: float) -> list[float]:
    raw = [
        w * (1 - softmax(row)[y]) ** alpha for row, y, w in zip(rows, LABELS, WEIGHT, strict=True)
    ]
    return [value / sum(raw) for value in raw]


def _by_the_formula(rows: Rows, share: list[float]) -> float:
    total = 0.0
    for row, label, part in zip(rows, LABELS, share, strict=True):
        p = softmax(row)
        among_wrong = [value / (1 - p[label]) for k, value in enumerate(p) if k != label]
        total -= part * entropy(among_wrong) / math.log(len(row) - 1)
    return total


@pytest.mark.parametrize("alpha", [1.0, 0.0, 2.0])
def test_value_and_gradient_are_the_formulas_with_fixed_shares(alpha: float) -> None:
    logits = normal(5, 4, scale=2)
    labels, weight = torch.tensor(LABELS), torch.tensor(WEIGHT, dtype=torch.float64)
    share = _share(logits.tolist(), alpha)
    loss = complement_entropy_loss(logits, labels, weight, alpha)
    assert loss.item() == pytest.approx(_by_the_formula(logits.tolist(), share), rel=1e-9)
    found = gradient(lambda x: complement_entropy_loss(x, labels, weight, alpha), logits)
    expected = slopes(lambda rows: _by_the_formula(rows, share), logits)
    torch.testing.assert_close(found, expected, atol=1e-8, rtol=0)


def test_least_where_the_wrong_classes_are_equally_unlikely() -> None:
    logits = torch.tensor([[9.0, 1.0, 1.0, 1.0]])
    loss = complement_entropy_loss(logits, torch.tensor([0]), torch.ones(1))
    assert loss.item() == pytest.approx(-1)


def test_two_classes_leave_nothing_to_level() -> None:
    logits = torch.randn(3, 2, requires_grad=True)
    loss = complement_entropy_loss(logits, torch.tensor([0, 1, 1]), torch.ones(3))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert logits.grad is not None and not logits.grad.any()


@given(st.integers(1, 6), st.integers(3, 8), st.sampled_from([1.0, 30.0, 1e4]), st.integers(0, 99))
def test_stays_finite_and_within_bounds(images: int, classes: int, scale: float, seed: int) -> None:
    logits = normal(images, classes, seed=seed, scale=scale).float()
    labels, weight = torch.arange(images) % classes, torch.zeros(images)
    loss = complement_entropy_loss(logits, labels, weight)
    assert -1 - 1e-5 <= loss.item() <= 1e-5
    found = gradient(lambda x: complement_entropy_loss(x, labels, weight), logits)
    assert torch.isfinite(found).all()
