"""AutoDIAL: each layer learns how much the domains share their statistics."""

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
    """AutoDIAL (Carlucci et al., "AutoDIAL: Automatic DomaIn Alignment Layers").

    Source: arXiv:1704.08082, section 3.1. Each domain is normalized with the moments of the mixture
    ``alpha * q_own + (1 - alpha) * q_other`` of both domains' distributions. ``alpha`` is one learned
    number in [0.5, 1] per layer. It starts at 1, which keeps the domains apart; 0.5 normalizes both
    domains alike. ``weight`` and ``bias`` are shared.

    Example:
        >>> layer = AutoDial(1)
        >>> near = Moments(torch.tensor([0.0]), torch.tensor([1.0]))
        >>> far = Moments(torch.tensor([4.0]), torch.tensor([1.0]))
        >>> layer.effective("source", near, far, {"alpha": torch.tensor(0.5)})
        Moments(mean=tensor([2.]), variance=tensor([5.]))
    """

    normalization = "AutoDIAL"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        like: Tensor = self.running("source").mean
        self.alpha = nn.Parameter(torch.ones((), device=like.device, dtype=like.dtype))

    def effective(
        self, domain: Domain, own: Moments, other: Moments, coefficients: Coefficients
    ) -> Moments:
        """The moments of the mixture of both domains."""
        alpha = project_gate(coefficients["alpha"], FLOOR).to(own.mean.dtype)
        return mix_moments(own, other, 1 - alpha)

    def gate_parameters(self) -> list[nn.Parameter]:
        return [self.alpha]

    @torch.no_grad()
    def project_parameters(self) -> None:
        """Move ``alpha`` to its nearest value in [0.5, 1]."""
        self.alpha.clamp_(FLOOR, 1.0)
