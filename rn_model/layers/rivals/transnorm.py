"""TransNorm: channels with similar statistics in both domains are amplified."""

import torch

from rn_model.layers.affine_map import CenteredAffine
from rn_model.layers.domains import Domain
from rn_model.layers.moments import Moments
from rn_model.layers.rivals.adabn import AdaptiveBatchNorm
from rn_model.layers.training_step import Coefficients


class TransNorm(AdaptiveBatchNorm):
    """TransNorm (Wang et al., "Transferable Normalization").

    Source: NeurIPS 2019, section 3.2. Each domain is normalized with its own moments and with shared
    ``weight`` and ``bias``. Then channel c is multiplied by ``1 + alpha_c``, where

        ``d_c = |mean_s / sqrt(var_s + eps) - mean_t / sqrt(var_t + eps)|``,
        ``alpha_c = C (1 + d_c)^-1 / sum_k (1 + d_k)^-1``.

    No gradient flows through ``alpha``, as in the authors' code. It is 1 on average, so that with equal
    moments of both domains the layer computes twice what BatchNorm computes.

    Example:
        >>> layer = TransNorm(2)
        >>> apart = Moments(torch.tensor([0.0, 3.0]), torch.tensor([1.0, 1.0]))
        >>> layer.set_running("target", apart, num_images=100)
        >>> layer.scale_and_shift("target").scale.detach().round(decimals=2)
        tensor([2.6000, 1.4000])
    """

    normalization = "TransNorm"

    def affine_map(
        self,
        domain: Domain,
        own: Moments,
        other: Moments,
        coefficients: Coefficients | None = None,
    ) -> CenteredAffine:
        center, scale, shift = super().affine_map(domain, own, other, coefficients)
        position, other_position = (
            (m.mean * torch.rsqrt(m.variance + self.eps)).detach() for m in (own, other)
        )
        closeness = 1 / (1 + (position - other_position).abs())
        factor = 1 + closeness / closeness.mean()
        return CenteredAffine(center, scale * factor, shift * factor)
