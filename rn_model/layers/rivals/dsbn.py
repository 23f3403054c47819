"""DSBN: BatchNorm with moments, weights and biases of its own for each domain."""

from typing import Any

import torch
from torch import nn

from rn_model.layers.affine_map import CenteredAffine, standardization
from rn_model.layers.domains import Domain
from rn_model.layers.moments import Moments
from rn_model.layers.rivals.adabn import AdaptiveBatchNorm
from rn_model.layers.training_step import Coefficients


class DomainSpecificBatchNorm(AdaptiveBatchNorm):
    """DSBN (Chang et al., CVPR 2019, equations 3 and 4): each domain has moments and weights of its own.

    ``weight`` and ``bias`` are the source's, ``weight_target`` and ``bias_target`` the target's.
    """

    normalization = "DSBN"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("weight", "bias"):
            own = getattr(self, name)
            value = None if own is None else nn.Parameter(own.detach().clone())
            self.register_parameter(f"{name}_target", value)

    def affine_map(
        self,
        domain: Domain,
        own: Moments,
        other: Moments,
        coefficients: Coefficients | None = None,
    ) -> CenteredAffine:
        values = self.coefficients() if coefficients is None else coefficients
        suffix = "" if domain == "source" else "_target"
        weight, bias = values.get(f"weight{suffix}"), values.get(f"bias{suffix}")
        return standardization(own, weight, bias, self.eps)

    @torch.no_grad()
    def follow_source(self) -> None:
        """Give the target the weight and bias of the source."""
        for name in ("weight", "bias"):
            own, target = getattr(self, name), getattr(self, f"{name}_target")
            if own is not None:
                target.copy_(own)
                target.requires_grad_(own.requires_grad)

    def _complete_batch_norm(self, state_dict: dict[str, Any], prefix: str) -> None:
        for name in ("weight", "bias"):
            if f"{prefix}{name}" in state_dict:
                state_dict.setdefault(f"{prefix}{name}_target", state_dict[f"{prefix}{name}"])
