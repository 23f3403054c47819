"""Numerical gradients, a plain softmax, and batches for tests of objectives."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from rn_model.objectives import Batch, Objective, TargetPredictions

Rows = list[list[float]]
FEATURES, CLASSES, IMAGES = 6, 5, 9


def softmax(row: list[float]) -> list[float]:
    powers = [math.exp(value) for value in row]
    return [power / sum(powers) for power in powers]


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def entropy(row: list[float]) -> float:
    return -sum(p * math.log(p) for p in row)


def normal(*shape: int, seed: int = 0, scale: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(*shape, generator=generator, dtype=torch.float64)


def slopes(function: Callable[[Rows], float], at: Tensor, step: float = 1e-5) -> Tensor:
    """The gradient of a function of rows of numbers, by central differences."""
    rows: Rows = at.tolist()
    found = torch.zeros_like(at)
    for i, row in enumerate(rows):
        for k, value in enumerate(list(row)):
            row[k] = value + step
            above = function(rows)
            row[k] = value - step
            below = function(rows)
            row[k] = value
            found[i, k] = (above - below) / (2 * step)
    return found


def gradient(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    variable = at.clone().requires_grad_()
    (found,) = torch.autograd.grad(function(variable), variable)
    return found


def make_batch(
    source: int, target: int, *, scale: float = 1.0, progress: float = 0.5, double: bool = False
) -> Batch:
    kind = torch.float64 if double else torch.float32
    logits = normal(source + target, CLASSES, seed=source + 7 * target, scale=scale).to(kind)
    features = normal(source + target, FEATURES, seed=1 + source + 7 * target).to(kind)
    return Batch(
        logits=logits.requires_grad_(),
        features=features.requires_grad_(),
        labels=torch.arange(source) % CLASSES,
        source=source,
        target_index=torch.arange(target) % IMAGES,
        progress=progress,
    )


def refresh(objective: Objective) -> None:
    """Refresh an objective as training does before the first step."""
    features = normal(IMAGES, FEATURES, seed=5).float()
    classifier = torch.nn.Linear(FEATURES, CLASSES)
    with torch.no_grad():
        probability = torch.softmax(3 * classifier(features), dim=1)
    objective.refresh(TargetPredictions(features, probability, classifier))
