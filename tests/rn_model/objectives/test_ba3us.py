import math

import pytest
import torch
from torch import Tensor, nn

from rn_model.objectives import (
    BA3US,
    TargetPredictions,
    balanced_domain_loss,
    certainty_weight,
    complement_entropy_loss,
    prediction_entropy,
    reversal_strength,
)
from tests.rn_model.objectives.numerics import (
    CLASSES,
    FEATURES,
    Rows,
    gradient,
    make_batch,
    normal,
    sigmoid,
    slopes,
)

SOURCE = 4
LINE = [0.5, -1.0, 2.0]
WEIGHT = [0.5, 2.0, 1.0, 0.3, 1.5, 1.0, 0.2]


class _Linear(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return features @ torch.tensor(LINE, dtype=torch.float64)


def _by_the_formula(rows: Rows, borrowed: list[int]) -> float:
    guesses = [sigmoid(sum(a * x for a, x in zip(LINE, row, strict=True))) for row in rows]
    source = range(SOURCE)
    sure = sum(-WEIGHT[i] * math.log(guesses[i]) for i in source)
    sure += sum(-WEIGHT[i] * math.log(1 - guesses[i]) for i in borrowed)
    sure /= sum(WEIGHT[i] for i in [*source, *borrowed])
    target = range(SOURCE, len(rows))
    rest = sum(-WEIGHT[i] * math.log(1 - guesses[i]) for i in target)
    rest /= sum(WEIGHT[i] for i in target)
    mass = 1 + len(borrowed) / SOURCE
    value: float = (mass * sure + rest) / (mass + 1)
    return value


@pytest.mark.parametrize("borrowed", [[], [0], [0, 2], [0, 1, 2, 3]])
def test_value_is_the_formulas_and_its_gradient_is_reversed(borrowed: list[int]) -> None:
    features, weight = normal(7, 3), torch.tensor(WEIGHT, dtype=torch.float64)

    def loss(x: Tensor) -> Tensor:
        return balanced_domain_loss(
            _Linear(), x, weight, source=SOURCE, borrowed=len(borrowed), strength=0.7
        )

    expected = _by_the_formula(features.tolist(), borrowed)
    assert loss(features).item() == pytest.approx(expected, rel=1e-12)
    expected_slopes = -0.7 * slopes(lambda rows: _by_the_formula(rows, borrowed), features)
    torch.testing.assert_close(gradient(loss, features), expected_slopes, atol=1e-9, rtol=0)


def test_classes_count_by_their_share_of_the_target() -> None:
    objective = BA3US(FEATURES, 3)
    assert objective.class_weight.tolist() == [1, 1, 1]
    probability = torch.tensor([[0.5, 0.5, 0.0], [0.9, 0.1, 0.0]])
    objective.refresh(
        TargetPredictions(torch.zeros(2, FEATURES), probability, nn.Linear(FEATURES, 3))
    )
    assert objective.class_weight.tolist() == pytest.approx([2.1, 0.9, 0])


@pytest.mark.parametrize(("progress", "borrowed"), [(0.0, 4), (0.5, 2), (0.9, 0), (1.0, 0)])
def test_loss_is_the_sum_of_its_parts(progress: float, borrowed: int) -> None:
    torch.manual_seed(0)
    objective = BA3US(
        FEATURES, CLASSES, hidden=7, borrowed=0.5, entropy=0.3, complement=2.0, alpha=0.5
    ).double()
    objective.class_weight.copy_(torch.tensor([2.0, 1.0, 1.5, 0.5, 0.0]))
    batch = make_batch(8, 4, progress=progress, double=True)
    by_class = torch.tensor([2.0, 1.0, 1.5, 0.5, 0.0, 2.0, 1.0, 1.5], dtype=torch.float64)
    weight = objective.source_weight(batch)
    assert weight is not None and torch.equal(weight, by_class)

    expected = (
        balanced_domain_loss(
            objective.discriminator,
            batch.features,
            torch.cat([by_class, torch.ones(4)]) * certainty_weight(batch.logits),
            source=8,
            borrowed=borrowed,
            strength=reversal_strength(progress),
        )
        + 0.3 * prediction_entropy(batch.logits[8:]).mean()
        + 2.0 * complement_entropy_loss(batch.logits[:8], batch.labels, by_class, 0.5)
    )
    torch.testing.assert_close(objective(batch), expected)


def test_source_images_of_absent_classes_alone_do_no_harm() -> None:
    objective = BA3US(FEATURES, CLASSES, hidden=7)
    objective.class_weight.zero_()
    batch = make_batch(4, 4)
    objective(batch).backward()
    assert batch.features.grad is not None and not batch.features.grad[:4].any()
    assert torch.isfinite(batch.features.grad).all()
