import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rn_model.objectives import mcc_loss


def _softmax(row: list[float], temperature: float) -> list[float]:
    powers = [math.exp(value / temperature) for value in row]
    return [power / sum(powers) for power in powers]


def _weights(logits: list[list[float]], temperature: float) -> list[float]:
    rows = [_softmax(row, temperature) for row in logits]
    raw = [1 + math.exp(sum(p * math.log(p) for p in row)) for row in rows]
    return [len(raw) * value / sum(raw) for value in raw]


def _by_the_formula(logits: list[list[float]], temperature: float, weights: list[float]) -> float:
    """Equations 3 to 8 of the paper as explicit sums, with given weights of the images."""
    rows = [_softmax(row, temperature) for row in logits]
    classes = range(len(logits[0]))
    total = 0.0
    for j in classes:
        confusion = [
            sum(w * row[j] * row[k] for w, row in zip(weights, rows, strict=True)) for k in classes
        ]
        total += sum(confusion[k] for k in classes if k != j) / sum(confusion)
    return total / len(classes)


def _logits(images: int, classes: int) -> Tensor:
    generator = torch.Generator().manual_seed(images * 31 + classes)
    return 2 * torch.randn(images, classes, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_value_is_the_formulas(temperature: float) -> None:
    logits = _logits(7, 4)
    rows = logits.tolist()
    expected = _by_the_formula(rows, temperature, _weights(rows, temperature))
    assert mcc_loss(logits, temperature).item() == pytest.approx(expected, rel=1e-12)


def test_gradient_is_the_slope_of_the_formula_with_fixed_weights() -> None:
    logits = _logits(5, 3).requires_grad_()
    mcc_loss(logits).backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    rows, step = logits.tolist(), 1e-5
    weights = _weights(rows, 2.5)
    for i in range(5):
        for k in range(3):
            value = rows[i][k]
            rows[i][k] = value + step
            above = _by_the_formula(rows, 2.5, weights)
            rows[i][k] = value - step
            below = _by_the_formula(rows, 2.5, weights)
            rows[i][k] = value
            slope = (above - below) / (2 * step)
            assert logits.grad[i, k].item() == pytest.approx(slope, abs=1e-9)


def test_certain_predictions_of_every_class_are_not_confused() -> None:
    assert mcc_loss(100 * torch.eye(4)).item() == pytest.approx(0, abs=1e-6)


def test_even_predictions_are_confused_most() -> None:
    assert mcc_loss(torch.zeros(6, 4)).item() == pytest.approx(3 / 4)


@given(st.integers(1, 12), st.integers(2, 8), st.integers(0, 1000))
def test_lies_between_0_and_1_and_ignores_the_order_of_images(
    images: int, classes: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = 5 * torch.randn(images, classes, generator=generator, dtype=torch.float64)
    shuffled = logits[torch.randperm(images, generator=generator)]
    loss = mcc_loss(logits).item()
    assert -1e-12 <= loss <= 1
    assert mcc_loss(shuffled).item() == pytest.approx(loss)


@pytest.mark.parametrize("shape", [(0, 3), (3,)])
def test_refuses_what_is_not_a_batch_of_logits(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least one image"):
        mcc_loss(torch.zeros(shape))


def test_a_class_that_no_image_can_have_takes_its_limit() -> None:
    rare = torch.tensor([[0.0, 1.0, -50.0], [1.0, 0.0, -49.0]], dtype=torch.float64)
    never = torch.tensor([[0.0, 1.0, -5e4], [1.0, 0.0, -5e4 + 1]], dtype=torch.float64)
    never.requires_grad_()
    loss = mcc_loss(never, 1.0)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(mcc_loss(rare, 1.0).item(), abs=1e-12)
    assert never.grad is not None and torch.isfinite(never.grad).all()
