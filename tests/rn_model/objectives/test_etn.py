import math
from dataclasses import replace

import pytest
import torch

from rn_model.objectives import (
    ETN,
    domain_loss,
    prediction_entropy,
    reversal_strength,
    reverse_gradient,
    transferability,
    transferability_loss,
)
from tests.rn_model.objectives.numerics import (
    CLASSES,
    FEATURES,
    Rows,
    gradient,
    make_batch,
    normal,
    slopes,
)

SOURCE, LABELS = 3, [1, 0, 3]


def _leaky(row: list[float]) -> list[float]:
    total = len(row) + sum(math.exp(value) for value in row)
    return [math.exp(value) / total for value in row]


def _by_the_formula(rows: Rows, label_weight: float) -> float:
    guesses = [sum(_leaky(row)) for row in rows]
    source = -sum(math.log(g) for g in guesses[:SOURCE]) / SOURCE
    target = -sum(math.log(1 - g) for g in guesses[SOURCE:]) / (len(rows) - SOURCE)
    by_class = 0.0
    for row, label in zip(rows, LABELS, strict=False):
        for k, p in enumerate(_leaky(row)):
            by_class -= math.log(p if k == label else 1 - p)
    return source + target + label_weight * by_class / SOURCE


@pytest.mark.parametrize("label_weight", [1.0, 0.0, 2.5])
def test_auxiliary_loss_and_its_gradient_are_the_formulas(label_weight: float) -> None:
    scores, labels = normal(7, 4, scale=2), torch.tensor(LABELS)
    loss = transferability_loss(scores, labels, source=SOURCE, label_weight=label_weight)
    assert loss.item() == pytest.approx(_by_the_formula(scores.tolist(), label_weight), rel=1e-12)
    found = gradient(
        lambda x: transferability_loss(x, labels, source=SOURCE, label_weight=label_weight), scores
    )
    expected = slopes(lambda rows: _by_the_formula(rows, label_weight), scores)
    torch.testing.assert_close(found, expected, atol=1e-8, rtol=0)


def test_weights_are_the_formulas() -> None:
    scores = normal(5, 4, scale=2).requires_grad_()
    raw = [1 - sum(_leaky(row)) for row in scores.tolist()]
    weight = transferability(scores)
    assert weight.tolist() == pytest.approx([5 * value / sum(raw) for value in raw], rel=1e-12)
    assert not weight.requires_grad


def test_weights_stay_usable_where_all_images_are_surely_source() -> None:
    weight = transferability(torch.tensor([[900.0, 0.0], [901.0, 0.0], [900.0, -9.0]]))
    assert weight.mean().item() == pytest.approx(1)
    assert weight[0].item() == pytest.approx(math.e * weight[1].item(), rel=1e-4)


def test_loss_is_the_sum_of_its_parts() -> None:
    torch.manual_seed(0)
    objective = ETN(FEATURES, CLASSES, hidden=7, entropy=0.3, label_weight=2.0).double()
    batch = make_batch(6, 4, progress=0.3, double=True)
    scores = objective.auxiliary(batch.features).detach()
    weight = objective.source_weight(batch)
    assert weight is not None
    torch.testing.assert_close(weight, transferability(scores[:6]))

    reversed_features = reverse_gradient(batch.features, reversal_strength(0.3))
    expected = (
        2
        * domain_loss(
            objective.discriminator(reversed_features), 6, torch.cat([weight, torch.ones(4)])
        )
        + 0.3 * prediction_entropy(batch.logits[6:]).mean()
        + transferability_loss(scores, batch.labels, source=6, label_weight=2.0)
    )
    loss = objective(batch)
    torch.testing.assert_close(loss, expected)
    for value in (batch.features, batch.logits):
        (found,) = torch.autograd.grad(loss, value, retain_graph=True)
        (wanted,) = torch.autograd.grad(expected, value, retain_graph=True)
        torch.testing.assert_close(found, wanted)


def test_learns_which_source_images_the_target_lacks() -> None:
    """Class 0 has the features of the target and class 1 has not: only class 0 keeps its weight."""
    torch.manual_seed(0)
    objective = ETN(2, 2, hidden=16)
    features = torch.randn(128, 2) + torch.tensor([3.0, 0.0])
    features[1:64:2] -= torch.tensor([6.0, 0.0])
    labels = torch.tensor([0, 1] * 32)
    batch = replace(make_batch(64, 64), features=features, labels=labels)
    optimizer = torch.optim.Adam(objective.parameters(), lr=0.01)
    for _ in range(50):
        optimizer.zero_grad()
        objective(batch).backward()
        optimizer.step()
    weight = objective.source_weight(batch)
    assert weight is not None
    assert weight[labels == 0].mean() > 1.8
    assert weight[labels == 1].max() < 0.2
