"""The layers of Reciprocal Normalization (RN), for inputs of two to five dimensions.

Source: Huang et al., "Reciprocal Normalization for Domain Adaptation", arXiv:2112.10474. The equations
are in :mod:`rn_model.layers.functional`.
"""

import torch
from torch import Tensor, nn

from rn_model.layers.affine_map import CenteredAffine, standardization
from rn_model.layers.domain_norm import DomainNorm
from rn_model.layers.domains import DOMAINS, Domain
from rn_model.layers.functional import (
    Similarity,
    group_width,
    reciprocal_aggregation,
    reciprocal_compensation,
)
from rn_model.layers.moments import Moments
from rn_model.layers.training_step import Coefficients


class ReciprocalNorm(DomainNorm):
    """Reciprocal Normalization of inputs ``(N, C, *)`` of two to five dimensions.

    Everything else is documented at :class:`ReciprocalNorm1d`.
    """

    normalization = "ReciprocalNorm"
    unbiased = True

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        correlation_scale: float = 1.0,
        similarity: Similarity = "squared",
        compensation: bool = True,
        aggregation: bool = True,
        gate_floor: float = 0.5,
        groups: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, device, dtype)
        if not 0 <= gate_floor <= 1:
            raise ValueError(f"gate_floor must be between 0 and 1, not {gate_floor}")
        group_width(num_features, groups)
        self.correlation_scale = correlation_scale
        self.similarity: Similarity = similarity
        self.compensation = compensation
        self.aggregation = aggregation
        self.gate_floor = gate_floor if aggregation else 0.5
        self.groups = groups

        def gate() -> nn.Parameter:
            start = torch.full((num_features,), 1.0 if aggregation else 0.5)
            return nn.Parameter(start.to(device, dtype), requires_grad=aggregation)

        self.gate_mean_source = gate()
        self.gate_var_source = gate()
        self.gate_mean_target = gate()
        self.gate_var_target = gate()

    def gates(self, domain: Domain) -> tuple[nn.Parameter, nn.Parameter]:
        """The gates of a domain's means (``a_d``) and variances (``b_d``), each ``(C,)``."""
        if domain == "source":
            return self.gate_mean_source, self.gate_var_source
        return self.gate_mean_target, self.gate_var_target

    def gate_parameters(self) -> list[nn.Parameter]:
        return [gate for domain in DOMAINS for gate in self.gates(domain)]

    def effective(
        self, domain: Domain, own: Moments, other: Moments, coefficients: Coefficients
    ) -> Moments:
        """A domain's raw moments after Reciprocal Compensation and Reciprocal Aggregation."""
        mean, variance = self._aggregated([own], [other], [domain], coefficients)
        return Moments(mean, variance)

    def affine_maps(
        self, source: Moments, target: Moments, coefficients: Coefficients
    ) -> tuple[CenteredAffine, CenteredAffine]:
        """The maps of both domains, whose four moments are compensated in one step."""
        rows = self._aggregated([source, target], [target, source], list(DOMAINS), coefficients)
        weight, bias = coefficients.get("weight"), coefficients.get("bias")
        of_source, of_target = (
            standardization(Moments(*rows[i : i + 2]), weight, bias, self.eps) for i in (0, 2)
        )
        return of_source, of_target

    def _aggregated(
        self,
        own: list[Moments],
        other: list[Moments],
        domains: list[Domain],
        coefficients: Coefficients,
    ) -> tuple[Tensor, ...]:
        """The effective mean and variance of each domain in turn."""
        mine = torch.stack([moment for moments in own for moment in moments])
        theirs = torch.stack([moment for moments in other for moment in moments])
        gate = torch.stack(
            [coefficients[f"gate_{m}_{domain}"] for domain in domains for m in ("mean", "var")]
        )
        if self.compensation:
            theirs = reciprocal_compensation(
                mine,
                theirs,
                scale=self.correlation_scale,
                similarity=self.similarity,
                groups=self.groups,
            )
        return reciprocal_aggregation(mine, theirs, gate, self.gate_floor).unbind()

    @torch.no_grad()
    def project_parameters(self) -> None:
        """Move every gate to its nearest value in [gate_floor, 1]."""
        for gate in self.gate_parameters():
            gate.clamp_(self.gate_floor, 1.0)

    def extra_repr(self) -> str:
        text = super().extra_repr()
        plain = {
            "correlation_scale": 1.0,
            "similarity": "squared",
            "compensation": True,
            "aggregation": True,
            "gate_floor": 0.5,
            "groups": None,
        }
        for name, default in plain.items():
            value = getattr(self, name)
            text += f", {name}={value}" if value != default else ""
        return text


class ReciprocalNorm1d(ReciprocalNorm):
    r"""Reciprocal Normalization (RN, arXiv:2112.10474, section 3) of vectors or sequences.

    With a domain :math:`d` and the other domain :math:`d'`,

    .. math::
        \tilde\mu_d = a_d \mu_d + (1 - a_d) P_d \mu_{d'}, \quad
        \tilde v_d = b_d v_d + (1 - b_d) Q_d v_{d'}, \quad
        y = \gamma \frac{x - \tilde\mu_d}{\sqrt{\tilde v_d + \epsilon}} + \beta

    where

    - :math:`P_d, Q_d` are the correlations of means and of variances
      (:func:`rn_model.layers.functional.correlation`), and :math:`P_d \mu_{d'}`, :math:`Q_d v_{d'}`
      the Reciprocal Compensation (RC, section 3.2);
    - :math:`a_d, b_d \in [0.5, 1]` are the gates of Reciprocal Aggregation (RA, section 3.3), one per
      channel and domain, which start at 1: project them after every optimizer step with
      :func:`rn_model.project_parameters`, and exempt them from weight decay with
      :func:`rn_model.parameter_groups`;
    - :math:`\gamma, \beta` are ``weight`` and ``bias``, shared by both domains.

    In training, the moments are those of the batch with unbiased variances, and
    :func:`rn_model.domain_split` states which images belong to which domain. In evaluation, they are the
    running moments of ``branch`` and of the other domain.

    Args:
        num_features: number of channels C.
        eps: number added to the variance.
        momentum: weight of a new batch in the running moments; None for an average over all images.
        affine: whether to learn ``weight`` and ``bias``.
        correlation_scale: factor inside the softmax; 1 in the paper.
        similarity: similarity of the keys of two groups: ``"squared"`` (the paper), ``"absolute"`` or
            ``"product"``.
        compensation: whether to use RC; without it, the other domain's moment replaces ``P_d mu_d'``.
        aggregation: whether to learn the gates of RA; without it, they stay at 0.5.
        gate_floor: lower end of the gates' range; 0.5 in the paper.
        groups: number of rows of the correlation; None for the paper's rule, see
            :func:`rn_model.layers.functional.group_width`.
        device, dtype: device and data type of parameters and moments.

    Shape:
        Input and output: ``(N, C)`` or ``(N, C, L)``.

    Raises:
        ValueError: if an argument is out of range; in training, if a domain with images has fewer than
            2 values per channel, or the split does not add up to the batch.
        RuntimeError: in training without a split.

    Example:
        >>> from rn_model import domain_split
        >>> layer = ReciprocalNorm1d(8)
        >>> with domain_split(layer, source=5, target=3):
        ...     y = layer(torch.randn(8, 8))
        >>> y.shape
        torch.Size([8, 8])
    """

    def _check_input_dim(self, x: Tensor) -> None:
        if x.dim() not in (2, 3):
            raise ValueError(f"expected a 2- or 3-dimensional input, got {x.dim()} dimensions")


class ReciprocalNorm2d(ReciprocalNorm):
    """Reciprocal Normalization of images ``(N, C, H, W)``; see :class:`ReciprocalNorm1d`."""

    def _check_input_dim(self, x: Tensor) -> None:
        if x.dim() != 4:
            raise ValueError(f"expected a 4-dimensional input, got {x.dim()} dimensions")


class ReciprocalNorm3d(ReciprocalNorm):
    """Reciprocal Normalization of volumes ``(N, C, D, H, W)``; see :class:`ReciprocalNorm1d`."""

    def _check_input_dim(self, x: Tensor) -> None:
        if x.dim() != 5:
            raise ValueError(f"expected a 5-dimensional input, got {x.dim()} dimensions")
