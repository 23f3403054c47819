import math

import pytest
import torch

from rn_model.objectives import certainty_weight, prediction_entropy


def test_entropy_of_a_known_distribution() -> None:
    logits = torch.tensor([[0.5, 0.25, 0.25]], dtype=torch.float64).log()
    assert prediction_entropy(logits).item() == pytest.approx(1.5 * math.log(2))


def test_entropy_stays_finite_where_a_probability_is_0() -> None:
    logits = torch.tensor([[0.0, -1e4]], requires_grad=True)
    entropy = prediction_entropy(logits)
    entropy.sum().backward()  # type: ignore[no-untyped-call]
    assert entropy.item() == 0
    assert logits.grad is not None and torch.isfinite(logits.grad).all()


def test_weight_is_2_for_certain_predictions_and_carries_no_gradient() -> None:
    logits = torch.tensor([[100.0, 0.0, 0.0, 0.0], [0.0] * 4], requires_grad=True)
    weight = certainty_weight(logits)
    assert weight.tolist() == pytest.approx([2.0, 1.25])
    assert not weight.requires_grad
