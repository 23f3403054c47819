"""First and second moments of activations: per batch, per weighted batch, and merged.

Every function is pure and differentiable. Shapes: ``x`` is ``(N, C, *)`` with any number of
trailing dimensions; a moment is a vector ``(C,)`` in the units of ``x`` (mean) or their square
(variance).
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Moments(NamedTuple):
    """Mean and variance per channel, each of shape ``(C,)``."""

    mean: Tensor
    variance: Tensor

    def full_precision(self) -> "Moments":
        """In float32, if these are in less."""
        return Moments(_full_precision(self.mean), _full_precision(self.variance))

    def double(self) -> "Moments":
        """In float64."""
        return Moments(self.mean.double(), self.variance.double())


def _full_precision(x: Tensor) -> Tensor:
    """Moments of half-precision activations overflow or lose digits, so they are taken in float32."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


@torch.no_grad()
def batch_moments(x: Tensor) -> Moments:
    """Population moments over the batch and all trailing dimensions, without gradient.

    Args:
        x: activations ``(N, C, *)``, at least one value a channel.
    """
    # With statistics of its own to update, the kernel accumulates half precision in float32.
    own = x.dtype in (torch.float16, torch.bfloat16)
    running = x.new_zeros(2, x.shape[1], dtype=torch.float32) if own else (None, None)
    mean, variance = torch.batch_norm_update_stats(x, running[0], running[1], 0.0)
    return Moments(mean, variance)


def weighted_moments(x: Tensor, image_weight: Tensor) -> Moments:
    """Population moments in which image ``i`` counts ``image_weight[i]`` times.

    An image of weight 0 has no influence, as if it were not in the batch. With all weights 0 both
    moments are 0. Two passes over the data: ``E[x^2] - E[x]^2`` loses digits in float32.

    Args:
        x: activations ``(N, C, *)``.
        image_weight: ``(N,)``, not negative.
    """
    values = _full_precision(x).flatten(2) if x.dim() > 2 else _full_precision(x).unsqueeze(2)
    weight = image_weight.to(values.dtype)
    share = (weight / weight.sum().clamp_min(torch.finfo(values.dtype).tiny)).view(-1, 1)
    mean = (share * values.mean(dim=2)).sum(dim=0)
    deviation = (values - mean.view(1, -1, 1)).square().mean(dim=2)
    return Moments(mean, (share * deviation).sum(dim=0))


def mix_moments(one: Moments, other: Moments, share: Tensor | float) -> Moments:
    """Moments of the mixture of two distributions, in which ``other`` has ``share``.

    ``share = 0`` is exactly ``one``, ``share = 1`` exactly ``other``, however large the one left out.
    """
    mean = (1 - share) * one.mean + share * other.mean
    variance = (
        (1 - share) * one.variance
        + share * other.variance
        + share * (1 - share) * (other.mean - one.mean).square()
    )
    return Moments(mean, variance)


def merge_moments(
    prior: Moments, prior_count: Tensor | float, batch: Moments, count: Tensor | float
) -> Moments:
    """Moments of the union of two sets, from the population moments of each.

    Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample
    variances" (1979). Exact and associative. ``prior_count = inf`` keeps the prior, 0 drops it;
    if both counts are 0, the prior is kept.
    """
    like = prior.mean
    n = torch.as_tensor(prior_count, dtype=like.dtype, device=like.device)
    m = torch.as_tensor(count, dtype=like.dtype, device=like.device)
    share = m / (n + m).clamp_min(torch.finfo(like.dtype).tiny)
    return mix_moments(prior, batch, share)
