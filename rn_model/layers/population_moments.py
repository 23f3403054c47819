"""A closing pass over the data that replaces running averages with population moments."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from rn_model.layers.domain_norm import DomainNorm, domain_norms
from rn_model.layers.domains import Domain
from rn_model.layers.moments import Moments, merge_moments
from rn_model.layers.observation import Observation


@torch.no_grad()
def estimate_moments(
    model: nn.Module,
    batches: Callable[[], Iterable[Tensor]],
    domain: Domain,
    *,
    passes: int = 3,
) -> int:
    """Set the raw running moments of a domain, in every layer, to those of a whole data set.

    The moments of a layer depend on how the layers before it normalize. Therefore the first pass
    normalizes each batch with its own moments, and each further pass with the moments that the previous
    pass found. Batches are merged exactly (:func:`rn_model.layers.moments.merge_moments`). Weights do
    not change.

    Args:
        model: model with domain-specific normalizations.
        batches: function that is called once per pass and returns the inputs ``(N, ...)`` of the model,
            all from one domain.
        domain: domain whose moments to set.
        passes: number of passes, at least 1.

    Returns:
        The number of images in a pass.

    Raises:
        ValueError: if there are no images or no passes.
    """
    if passes < 1:
        raise ValueError(f"passes must be at least 1, not {passes}")
    layers = [layer for _, layer in domain_norms(model)]
    training = [module for module in model.modules() if module.training]
    model.eval()
    count = 0
    try:
        for number in range(passes):
            prior_count = 0.0 if number == 0 else float("inf")
            count = _one_pass(model, layers, batches(), domain, prior_count)
    finally:
        for layer in layers:
            layer.observation = None
        for module in training:
            module.training = True
    return count


def _one_pass(
    model: nn.Module,
    layers: list[DomainNorm],
    batches: Iterable[Tensor],
    domain: Domain,
    prior_count: float,
) -> int:
    count = 0
    totals: list[Moments] = []
    for batch in batches:
        weight = torch.ones(len(batch), device=batch.device)
        for layer in layers:
            layer.observation = Observation(domain, weight, prior_count)
        model(batch)
        seen = [_seen(layer) for layer in layers]
        totals = [
            merge_moments(total, count, new, len(batch))
            for total, new in zip(totals or seen, seen, strict=True)
        ]
        count += len(batch)
    if count == 0:
        raise ValueError(f"there are no {domain} images to estimate moments from")
    for layer, total in zip(layers, totals, strict=True):
        layer.set_running(domain, total, num_images=count)
    return count


def _seen(layer: DomainNorm) -> Moments:
    if layer.observation is None or layer.observation.batch is None:
        raise RuntimeError("a normalization layer was not used in the forward pass")
    mean, variance = layer.observation.batch
    return Moments(mean.double(), variance.double())
