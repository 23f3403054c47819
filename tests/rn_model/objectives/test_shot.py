import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from rn_model.objectives import (
    SHOT,
    TargetPredictions,
    centroid_labels,
    information_maximization_loss,
    shot_loss,
)
from tests.rn_model.objectives.numerics import (
    CLASSES,
    FEATURES,
    IMAGES,
    Rows,
    entropy,
    gradient,
    make_batch,
    normal,
    refresh,
    slopes,
    softmax,
)

LABELS = [1, 0, 3, 1, 2, 2]


def _by_the_formula(rows: Rows, beta: float) -> float:
    probabilities = [softmax(row) for row in rows]
    mean = [sum(column) / len(rows) for column in zip(*probabilities, strict=True)]
    certainty = sum(map(entropy, probabilities)) / len(rows)
    missed = -sum(math.log(p[y]) for p, y in zip(probabilities, LABELS, strict=True)) / len(rows)
    return certainty - entropy(mean) + beta * missed


@pytest.mark.parametrize("beta", [0.3, 0.0])
def test_value_and_gradient_are_the_formulas(beta: float) -> None:
    logits, labels = normal(len(LABELS), 4, scale=2), torch.tensor(LABELS)
    loss = shot_loss(logits, labels, beta=beta)
    assert loss.item() == pytest.approx(_by_the_formula(logits.tolist(), beta), rel=1e-12)
    found = gradient(lambda x: shot_loss(x, labels, beta=beta), logits)
    expected = slopes(lambda rows: _by_the_formula(rows, beta), logits)
    torch.testing.assert_close(found, expected, atol=1e-9, rtol=0)


def test_every_image_is_trained_towards_its_own_pseudo_label() -> None:
    objective = SHOT(IMAGES, beta=0.5)
    features = normal(IMAGES, FEATURES, seed=2).float()
    probability = torch.softmax(normal(IMAGES, CLASSES, seed=3).float(), dim=1)
    objective.refresh(TargetPredictions(features, probability, nn.Linear(FEATURES, CLASSES)))
    labels = centroid_labels(features, probability)
    assert torch.equal(objective.pseudo_label, labels)

    batch = replace(make_batch(0, 5), target_index=torch.tensor([8, 3, 3, 0, 5]))
    expected = shot_loss(batch.logits, labels[[8, 3, 3, 0, 5]], beta=0.5)
    assert objective(batch).item() == expected.item()


def test_without_pseudo_labels_in_the_loss_it_is_information_maximization() -> None:
    objective = SHOT(IMAGES, beta=0, diversity=0.7)
    refresh(objective)
    batch = make_batch(0, 5)
    expected = information_maximization_loss(batch.logits, 0.7)
    assert objective(batch).item() == expected.item()


def test_needs_a_refresh_first() -> None:
    with pytest.raises(ValueError, match="call refresh before the first step"):
        SHOT(IMAGES)(make_batch(0, 5))


def test_predictions_must_be_on_the_whole_target_set() -> None:
    with pytest.raises(ValueError, match="9 target images, but the target set has 8"):
        refresh(SHOT(IMAGES - 1))
