import math

import pytest
import torch
from torch import Tensor, nn

from rn_model.objectives import DANN, dann_loss, reversal_strength
from tests.rn_model.objectives.numerics import (
    FEATURES,
    Rows,
    gradient,
    make_batch,
    normal,
    sigmoid,
    slopes,
)

SOURCE = 2
LINE = [0.5, -1.0, 2.0]


class _Linear(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return features @ torch.tensor(LINE, dtype=torch.float64)


def _by_the_formula(rows: Rows) -> float:
    guesses = [sigmoid(sum(a * x for a, x in zip(LINE, row, strict=True))) for row in rows]
    source = [-math.log(guess) for guess in guesses[:SOURCE]]
    target = [-math.log(1 - guess) for guess in guesses[SOURCE:]]
    return (sum(source) / len(source) + sum(target) / len(target)) / 2


@pytest.mark.parametrize("strength", [0.0, 0.7, 1.0])
def test_value_is_the_formulas_and_its_gradient_is_reversed(strength: float) -> None:
    features = normal(5, 3)

    def loss(x: Tensor) -> Tensor:
        return dann_loss(_Linear(), x, source=SOURCE, strength=strength)

    assert loss(features).item() == pytest.approx(_by_the_formula(features.tolist()), rel=1e-12)
    expected = -strength * slopes(_by_the_formula, features)
    torch.testing.assert_close(gradient(loss, features), expected, atol=1e-9, rtol=0)


def test_objective_reverses_by_progress_and_teaches_its_discriminator() -> None:
    torch.manual_seed(0)
    objective = DANN(FEATURES, hidden=7).double()
    batch = make_batch(3, 4, progress=0.2, double=True)
    objective(batch).backward()
    reference = dann_loss(
        objective.discriminator, batch.features, source=3, strength=reversal_strength(0.2)
    )
    (expected,) = torch.autograd.grad(reference, batch.features)
    torch.testing.assert_close(batch.features.grad, expected)

    before = dann_loss(objective.discriminator, batch.features, source=3).item()
    with torch.no_grad():
        for parameter in objective.parameters():
            assert parameter.grad is not None
            parameter.sub_(parameter.grad, alpha=0.1)
    after = dann_loss(objective.discriminator, batch.features, source=3).item()
    assert after < before


@pytest.mark.parametrize("source", [0, 5])
def test_needs_both_domains(source: int) -> None:
    with pytest.raises(ValueError, match="both domains"):
        dann_loss(_Linear(), normal(5, 3), source=source)
