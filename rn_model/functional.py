"""The equations of Reciprocal Normalization as pure functions.

Source: Huang et al., "Reciprocal Normalization for Domain Adaptation", arXiv:2112.10474.
Reciprocal Compensation (RC) is the paper's section 3.2, Reciprocal Aggregation (RA) section 3.3.
A moment is a vector ``(C,)``; ``own`` belongs to the domain that is normalized, ``other`` to the
other one.
"""

from contextlib import nullcontext
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from rn_model.moments import Moments

Similarity = Literal["squared", "absolute", "product"]

GATE_RANGE = (0.5, 1.0)


def group_width(channels: int) -> int:
    """Consecutive channels that share one row of the correlation.

    1 below 512 channels, else ``channels // 512``; where that does not divide ``channels``, the
    largest divisor below it.
    """
    if channels < 1:
        raise ValueError(f"channels must be at least 1, not {channels}")
    width = max(1, channels // 512)
    while channels % width:
        width -= 1
    return width


def correlation(
    own: Tensor,
    other: Tensor,
    *,
    scale: float = 1.0,
    similarity: Similarity = "squared",
) -> Tensor:
    """How much every group of the own domain resembles every group of the other: RC's softmax.

    ``P_ij = softmax_j(scale * s(k(own)_i, k(other)_j))``, where the key ``k`` of a group is the mean
    of its channels and ``s`` is minus the squared difference (the paper), minus the absolute
    difference, or the product.

    Args:
        own, other: one moment of each domain, ``(C,)``.
        scale: 1 in the paper. Larger values make the rows sharper.

    Returns:
        ``(C / g, C / g)`` with rows that sum to 1, ``g = group_width(C)``.
    """
    width = group_width(own.numel())
    rows = own.view(-1, width).mean(dim=1).unsqueeze(1)
    columns = other.view(-1, width).mean(dim=1).unsqueeze(0)
    if similarity == "squared":
        score = -(rows - columns).square()
    elif similarity == "absolute":
        score = -(rows - columns).abs()
    elif similarity == "product":
        score = rows * columns
    else:
        raise ValueError(
            f"similarity must be 'squared', 'absolute' or 'product', not {similarity!r}"
        )
    return torch.softmax(scale * score, dim=1)


def compensate(
    own: Tensor,
    other: Tensor,
    *,
    scale: float = 1.0,
    similarity: Similarity = "squared",
) -> Tensor:
    """Reciprocal Compensation of one moment: the other domain's, seen through the correlation.

    ``cm_d = P_d mu_d'``, the rows of ``P_d`` acting on the groups of ``mu_d'``.

    Returns:
        ``(C,)``, the counterpart of ``own`` made of the other domain's values.
    """
    probabilities = correlation(own, other, scale=scale, similarity=similarity)
    groups = other.view(probabilities.shape[1], -1).to(probabilities.dtype)
    device = own.device.type
    # Autocast would run the product, alone of all steps, in half precision.
    autocast = torch.is_autocast_enabled(device)
    with torch.autocast(device, enabled=False) if autocast else nullcontext():
        return (probabilities @ groups).reshape(-1)


def project_gate(gate: Tensor) -> Tensor:
    """The gate's nearest value in [0.5, 1], with the gradient passed straight through.

    A variance gate outside of the range could make a variance negative.
    """
    return gate.clamp(*GATE_RANGE).detach() + (gate - gate.detach())


def aggregate(own: Tensor, compensation: Tensor, gate: Tensor) -> Tensor:
    """Reciprocal Aggregation: ``gate * own + (1 - gate) * compensation``, with the gate in [0.5, 1]."""
    inside = project_gate(gate)
    return inside * own + (1 - inside) * compensation


def effective_moments(
    own: Moments,
    other: Moments,
    gate_mean: Tensor,
    gate_var: Tensor,
    *,
    scale: float = 1.0,
    similarity: Similarity = "squared",
) -> Moments:
    """The moments that normalize a domain: RC and RA applied to its mean and to its variance."""
    mean = compensate(own.mean, other.mean, scale=scale, similarity=similarity)
    variance = compensate(own.variance, other.variance, scale=scale, similarity=similarity)
    return Moments(
        aggregate(own.mean, mean, gate_mean), aggregate(own.variance, variance, gate_var)
    )


class Affine(NamedTuple):
    """A per-channel map ``y = scale * x + shift``, each of shape ``(C,)``."""

    scale: Tensor
    shift: Tensor


def scale_and_shift(
    moments: Moments, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Affine:
    """The affine map that a normalization by fixed moments is.

    ``scale = weight / sqrt(variance + eps)``, ``shift = bias - scale * mean``.
    """
    scale = torch.rsqrt(moments.variance + eps)
    if weight is not None:
        scale = scale * weight
    shift = -scale * moments.mean
    if bias is not None:
        shift = shift + bias
    return Affine(scale, shift)


def normalize(
    x: Tensor, moments: Moments, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    """``weight * (x - mean) / sqrt(variance + eps) + bias`` per channel, in the dtype of ``x``.

    The mean is subtracted before scaling, so that no digits are lost where it is large beside the
    standard deviation.

    Args:
        x: activations ``(N, C, *)``.
    """
    shape = [1, -1] + [1] * (x.dim() - 2)
    scale = torch.rsqrt(moments.variance + eps)
    if weight is not None:
        scale = scale * weight
    y = (x - moments.mean.view(shape)) * scale.view(shape)
    if bias is not None:
        y = y + bias.view(shape)
    return y.to(x.dtype)
