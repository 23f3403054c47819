"""The base class of normalizations that learn how much of its own moments a domain keeps."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from rn_model.layers.domain_norm import DomainNorm
from rn_model.layers.functional import project_gate
from rn_model.layers.moments import Moments
from rn_model.layers.training_step import Coefficients

FLOOR = 0.5


class ShareNorm(DomainNorm):
    """Base class of normalizations with one learned share per layer, in [0.5, 1].

    Attributes:
        start: value that the share begins at.
        alpha: the share of a domain's own moments, a scalar; the rest is the other domain's.
    """

    start: ClassVar[float]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        like: Tensor = self.running("source").mean
        self.alpha = nn.Parameter(torch.full((), self.start, device=like.device, dtype=like.dtype))

    def share(self, own: Moments, coefficients: Coefficients) -> Tensor:
        """``alpha``, moved to its nearest allowed value, in the dtype of the moments."""
        return project_gate(coefficients["alpha"], FLOOR).to(own.mean.dtype)

    def gate_parameters(self) -> list[nn.Parameter]:
        return [self.alpha]

    @torch.no_grad()
    def project_parameters(self) -> None:
        """Move ``alpha`` to its nearest value in [0.5, 1]."""
        self.alpha.clamp_(FLOOR, 1.0)
