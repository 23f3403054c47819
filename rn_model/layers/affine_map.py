"""Affine maps per channel: a normalization with fixed moments is one."""

from typing import NamedTuple

import torch
from torch import Tensor

from rn_model.layers.moments import Moments


class Affine(NamedTuple):
    """A map ``y = scale * x + shift`` per channel; scale and shift are ``(C,)``."""

    scale: Tensor
    shift: Tensor


class CenteredAffine(NamedTuple):
    """A map ``y = scale * (x - center) + shift`` per channel; all three are ``(C,)``.

    The centre is subtracted first, so that no digits are lost if it is large compared with the standard
    deviation.
    """

    center: Tensor
    scale: Tensor
    shift: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Map activations ``(N, C, *)``; the result has their dtype."""
        shape = [1, -1] + [1] * (x.dim() - 2)
        y = (x - self.center.view(shape)) * self.scale.view(shape) + self.shift.view(shape)
        return y.to(x.dtype)

    def fold(self) -> Affine:
        """The same map as one multiplication and one addition."""
        return Affine(self.scale, self.shift - self.scale * self.center)

    def to(self, dtype: torch.dtype) -> "CenteredAffine":
        """The same map in another dtype."""
        return CenteredAffine(self.center.to(dtype), self.scale.to(dtype), self.shift.to(dtype))


def standardization(
    moments: Moments, weight: Tensor | None, bias: Tensor | None, eps: float
) -> CenteredAffine:
    """The map ``y = weight * (x - mean) / sqrt(variance + eps) + bias``.

    Args:
        moments: effective mean and variance, each ``(C,)``.
        weight, bias: affine parameters, each ``(C,)``; None for 1 and 0.
        eps: number added to the variance.
    """
    scale = torch.rsqrt(moments.variance + eps)
    if weight is not None:
        scale = scale * weight
    shift = torch.zeros_like(scale) if bias is None else bias.to(scale.dtype)
    return CenteredAffine(moments.mean, scale, shift)
