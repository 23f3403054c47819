"""DSBN: BatchNorm with separate moments and affine parameters for each domain."""

from typing import Any

import torch
from torch import nn

from rn_model.layers.affine_map import CenteredAffine, standardization
from rn_model.layers.domains import Domain
from rn_model.layers.moments import Moments
from rn_model.layers.rivals.adabn import AdaptiveBatchNorm
from rn_model.layers.training_step import Coefficients


class DomainSpecificBatchNorm(AdaptiveBatchNorm):
    """DSBN (Chang et al., "Domain-Specific Batch Normalization for Unsupervised Domain Adaptation").

    Source: CVPR 2019, equations 3 and 4. Each domain ``d`` is normalized with its own moments and affine
    parameters, ``y = weight_d * (x - mu_d) / sqrt(v_d + eps) + bias_d``. ``weight`` and ``bias`` belong
    to the source, ``weight_target`` and ``bias_target`` to the target.

    Example:
        >>> layer = DomainSpecificBatchNorm(2, eps=0.0)
        >>> with torch.no_grad():
        ...     _ = layer.weight_target.fill_(3.0)
        >>> layer.scale_and_shift("source").scale.tolist()
        [1.0, 1.0]
        >>> layer.scale_and_shift("target").scale.tolist()
        [3.0, 3.0]
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
        """Set the target's affine parameters to those of the source."""
        for name in ("weight", "bias"):
            own, target = getattr(self, name), getattr(self, f"{name}_target")
            if own is not None:
                target.copy_(own)
                target.requires_grad_(own.requires_grad)

    def _complete_batch_norm(self, state_dict: dict[str, Any], prefix: str) -> None:
        for name in ("weight", "bias"):
            if f"{prefix}{name}" in state_dict:
                state_dict.setdefault(f"{prefix}{name}_target", state_dict[f"{prefix}{name}"])
