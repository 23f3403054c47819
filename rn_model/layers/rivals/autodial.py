"""AutoDIAL: how far the domains share their statistics is learned, layer by layer."""

from typing import Any

import torch
from torch import Tensor, nn

from rn_model.layers.domain_norm import DomainNorm
from rn_model.layers.domains import Domain
from rn_model.layers.functional import project_gate
from rn_model.layers.moments import Moments, mix_moments
from rn_model.layers.training_step import Coefficients

FLOOR = 0.5


class AutoDial(DomainNorm):
    """AutoDIAL (Carlucci et al., arXiv:1704.08082, section 3.1): moments of a mixture of the domains.

    Each domain is normalized by the moments of ``alpha q_own + (1 - alpha) q_other``, the mixture of
    both domains' distributions in which its own weighs ``alpha``, one learned number in [0.5, 1] a
    layer: 1, where it starts, keeps the domains apart, and 0.5 normalizes both alike. ``weight`` and
    ``bias`` are shared.
    """

    normalization = "AutoDIAL"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        like: Tensor = self.running("source").mean
        self.alpha = nn.Parameter(torch.ones((), device=like.device, dtype=like.dtype))

    def effective(
        self, domain: Domain, own: Moments, other: Moments, coefficients: Coefficients
    ) -> Moments:
        """The moments of the mixture."""
        alpha = project_gate(coefficients["alpha"], FLOOR).to(own.mean.dtype)
        return mix_moments(own, other, 1 - alpha)

    def gate_parameters(self) -> list[nn.Parameter]:
        return [self.alpha]

    @torch.no_grad()
    def project_parameters(self) -> None:
        """Move the share to its nearest value in [0.5, 1]."""
        self.alpha.clamp_(FLOOR, 1.0)
