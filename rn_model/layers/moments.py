"""Means and variances of activations: of a batch, of a weighted batch, mixed and merged.

The functions are pure and, except for :func:`batch_moments`, differentiable. Activations ``x`` are
``(N, C, *)`` with any number of trailing dimensions. A moment is a vector ``(C,)``: a mean in the units
of ``x``, or a variance in their square.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Moments(NamedTuple):
    """Mean and variance per channel, each ``(C,)``."""

    mean: Tensor
    variance: Tensor

    def full_precision(self) -> "Moments":
        """These moments in float32, or unchanged if they are at least that precise."""
        return Moments(_full_precision(self.mean), _full_precision(self.variance))

    def double(self) -> "Moments":
        """These moments in float64."""
        return Moments(self.mean.double(), self.variance.double())


def _full_precision(x: Tensor) -> Tensor:
    """Convert half precision, in which moments overflow or lose digits, to float32."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


@torch.no_grad()
def batch_moments(x: Tensor) -> Moments:
    """Population moments over the batch and all trailing dimensions, without gradient.

    Args:
        x: activations ``(N, C, *)`` with at least one value per channel.

    Example:
        >>> batch_moments(torch.tensor([[1.0, 10.0], [3.0, 10.0]]))
        Moments(mean=tensor([ 2., 10.]), variance=tensor([1., 0.]))
    """
    # The kernel accumulates half precision in float32 only if it has running statistics to update.
    own = x.dtype in (torch.float16, torch.bfloat16)
    running = x.new_zeros(2, x.shape[1], dtype=torch.float32) if own else (None, None)
    mean, variance = torch.batch_norm_update_stats(x, running[0], running[1], 0.0)
    return Moments(mean, variance)


def weighted_moments(x: Tensor, image_weight: Tensor) -> Moments:
    """Population moments in which image ``i`` counts ``image_weight[i]`` times.

    An image of weight 0 has no influence. If all weights are 0, both moments are 0. The data is read
    twice because ``E[x^2] - E[x]^2`` loses digits in float32.

    Args:
        x: activations ``(N, C, *)``.
        image_weight: weights of the images, ``(N,)``, not negative.
    """
    values = _full_precision(x).flatten(2) if x.dim() > 2 else _full_precision(x).unsqueeze(2)
    weight = image_weight.to(values.dtype)
    share = (weight / weight.sum().clamp_min(torch.finfo(values.dtype).tiny)).view(-1, 1)
    mean = (share * values.mean(dim=2)).sum(dim=0)
    deviation = (values - mean.view(1, -1, 1)).square().mean(dim=2)
    return Moments(mean, (share * deviation).sum(dim=0))


def mix_moments(one: Moments, other: Moments, share: Tensor | float) -> Moments:
    """Moments of the mixture of two distributions with weights ``1 - share`` and ``share``.

    The mean is ``(1 - s) m_1 + s m_2`` and the variance
    ``(1 - s) v_1 + s v_2 + s (1 - s) (m_2 - m_1)^2``. A share of 0 gives exactly ``one`` and a share of
    1 exactly ``other``, however large the moments of the distribution that it leaves out.

    Args:
        one, other: moments of the two distributions.
        share: weight of ``other``, 0 to 1.

    Example:
        >>> near = Moments(torch.tensor([0.0]), torch.tensor([1.0]))
        >>> far = Moments(torch.tensor([4.0]), torch.tensor([1.0]))
        >>> mix_moments(near, far, 0.5)
        Moments(mean=tensor([2.]), variance=tensor([5.]))
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
    """Population moments of the union of two sets, from the population moments of each.

    Source: Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample
    variances" (1979). The result is exact, and merging is associative.

    Args:
        prior, batch: moments of the two sets.
        prior_count, count: number of values in each set. A ``prior_count`` of infinity gives the prior,
            and 0 gives the batch; if both counts are 0, the result is the prior.
    """
    like = prior.mean
    n = torch.as_tensor(prior_count, dtype=like.dtype, device=like.device)
    m = torch.as_tensor(count, dtype=like.dtype, device=like.device)
    share = m / (n + m).clamp_min(torch.finfo(like.dtype).tiny)
    return mix_moments(prior, batch, share)
