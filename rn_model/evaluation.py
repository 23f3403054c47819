"""Predictions and population statistics of a trained network."""

from functools import partial

import torch
from torch import Tensor, nn

from rn_model.domain_norm import DOMAINS
from rn_model.population import estimate_moments

_BATCH = 512


def predict(model: nn.Module, inputs: Tensor) -> Tensor:
    """Class probabilities ``(N, K)`` of inputs ``(N, ...)`` in evaluation mode."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            logits = torch.cat([model(batch) for batch in torch.split(inputs, _BATCH)])
    finally:
        model.train(training)
    return torch.softmax(logits, dim=1)


def accuracy(probability: Tensor, labels: Tensor) -> float:
    """The part of predictions ``(N, K)`` whose greatest entry is the label, ``(N,)``."""
    return float((probability.argmax(dim=1) == labels).double().mean())


def set_population_moments(model: nn.Module, source: Tensor, target: Tensor) -> None:
    """Replace the running moments of both domains by those of all their images, weights frozen.

    The effective moments of a domain are made of the raw ones of both. So while one domain is
    estimated the other must be nearly right: its running average at first, and the target, which is
    what will be exported, comes last.
    """
    for domain, inputs in zip(DOMAINS, (source, target), strict=True):
        estimate_moments(model, partial(torch.split, inputs, _BATCH), domain)
