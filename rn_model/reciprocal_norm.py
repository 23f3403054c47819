"""Layers of Reciprocal Normalization for inputs of two to five dimensions."""

from typing import Any

import torch
from torch import Tensor, nn

from rn_model.domain_norm import DOMAINS, Domain, DomainNorm
from rn_model.functional import GATE_RANGE, Similarity, effective_moments
from rn_model.moments import Moments


class _ReciprocalNorm(DomainNorm):
    normalization = "ReciprocalNorm"

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        correlation_scale: float = 1.0,
        similarity: Similarity = "squared",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, device, dtype)
        self.correlation_scale = correlation_scale
        self.similarity: Similarity = similarity

        def gate() -> nn.Parameter:
            return nn.Parameter(torch.ones(num_features, device=device, dtype=dtype))

        self.gate_mean_source = gate()
        self.gate_var_source = gate()
        self.gate_mean_target = gate()
        self.gate_var_target = gate()

    def gates(self, domain: Domain) -> tuple[nn.Parameter, nn.Parameter]:
        """The gates of a domain's mean and variance, each ``(C,)``."""
        if domain == "source":
            return self.gate_mean_source, self.gate_var_source
        return self.gate_mean_target, self.gate_var_target

    def effective(self, domain: Domain, own: Moments, other: Moments) -> Moments:
        """Reciprocal Compensation and Aggregation of a domain's raw moments."""
        gate_mean, gate_var = self.gates(domain)
        return effective_moments(
            own,
            other,
            gate_mean,
            gate_var,
            scale=self.correlation_scale,
            similarity=self.similarity,
        )

    @torch.no_grad()
    def project_gates(self) -> None:
        """Move every gate to its nearest value in [0.5, 1]."""
        for domain in DOMAINS:
            for gate in self.gates(domain):
                gate.clamp_(*GATE_RANGE)

    def extra_repr(self) -> str:
        text = super().extra_repr()
        if self.correlation_scale != 1.0:
            text += f", correlation_scale={self.correlation_scale}"
        if self.similarity != "squared":
            text += f", similarity={self.similarity}"
        return text


class ReciprocalNorm1d(_ReciprocalNorm):
    r"""Reciprocal Normalization (arXiv:2112.10474) of vectors or sequences.

    For a domain :math:`d` with the other domain :math:`d'`

    .. math::
        \tilde\mu_d = a_d \mu_d + (1 - a_d) P_d \mu_{d'}, \quad
        \tilde v_d = b_d v_d + (1 - b_d) Q_d v_{d'}, \quad
        y = \gamma \frac{x - \tilde\mu_d}{\sqrt{\tilde v_d + \epsilon}} + \beta

    with the softmax correlations :math:`P_d, Q_d` of :func:`rn_model.functional.correlation`, variances
    that are unbiased in training, and gates :math:`a_d, b_d \in [0.5, 1]`, one per channel. In training
    the moments are the batch's, and :func:`rn_model.domain_split` says which images belong to which
    domain; in evaluation they are the running ones of ``branch`` and its counterpart.

    Args:
        num_features: number of channels C.
        eps: added to the variance.
        momentum: weight of a new batch in the running moments; None for a cumulative average.
        affine: whether to learn ``weight`` and ``bias``, shared by both domains.
        correlation_scale: factor inside the softmax; 1 in the paper.
        similarity: of two groups' keys: ``"squared"`` (the paper), ``"absolute"`` or ``"product"``.

    Shape:
        input and output ``(N, C)`` or ``(N, C, L)``.

    Raises:
        ValueError: in training, if a domain has fewer than 2 values per channel, or the split does
            not add up to the batch.
        RuntimeError: in training without a split.

    Example:
        >>> layer = ReciprocalNorm1d(8)
        >>> with domain_split(layer, source=5, target=3):
        ...     y = layer(torch.randn(8, 8))
    """

    def _check_input_dim(self, x: Tensor) -> None:
        if x.dim() not in (2, 3):
            raise ValueError(f"expected a 2- or 3-dimensional input, got {x.dim()} dimensions")


class ReciprocalNorm2d(_ReciprocalNorm):
    """Reciprocal Normalization of images ``(N, C, H, W)``; all else as :class:`ReciprocalNorm1d`."""

    def _check_input_dim(self, x: Tensor) -> None:
        if x.dim() != 4:
            raise ValueError(f"expected a 4-dimensional input, got {x.dim()} dimensions")


class ReciprocalNorm3d(_ReciprocalNorm):
    """Reciprocal Normalization of volumes ``(N, C, D, H, W)``; all else as :class:`ReciprocalNorm1d`."""

    def _check_input_dim(self, x: Tensor) -> None:
        if x.dim() != 5:
            raise ValueError(f"expected a 5-dimensional input, got {x.dim()} dimensions")


def project_gates(model: nn.Module) -> None:
    """Move every gate of a model to its nearest value in [0.5, 1]; due after each optimizer step."""
    for module in model.modules():
        if isinstance(module, _ReciprocalNorm):
            module.project_gates()


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """The parameters of a model for an optimizer: gates without weight decay, all others with it.

    Weight decay would pull the gates away from 1 although no gradient does.
    """
    gates = [
        gate
        for module in model.modules()
        if isinstance(module, _ReciprocalNorm)
        for domain in DOMAINS
        for gate in module.gates(domain)
    ]
    known = {id(gate) for gate in gates}
    others = [parameter for parameter in model.parameters() if id(parameter) not in known]
    groups = [{"params": others, "weight_decay": weight_decay}]
    return [*groups, {"params": gates, "weight_decay": 0.0}] if gates else groups
