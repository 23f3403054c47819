"""Diagnostics of the normalization layers of a trained network."""

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from rn_model.layers.domain_norm import DomainNorm, domain_norms
from rn_model.layers.functional import correlation
from rn_model.layers.reciprocal_norm import ReciprocalNorm
from rn_model.layers.rivals.share_norm import ShareNorm


class LayerDiagnostics(BaseModel):
    """Diagnostics of one normalization layer, computed from its raw running moments.

    Attributes:
        name: name of the layer in the network.
        channels: number of channels C.
        shift_mean: distance between the domains' means, in units of the square root of their average
            variance; mean over the channels.
        shift_variance: absolute natural logarithm of the ratio of the domains' variances; mean over the
            channels.
        perplexity_mean: perplexity of the rows of RC's correlation for the target's means, from 1 (each
            group sees one group of the source) to the number of groups (it sees all of them alike);
            mean over the rows. None unless the layer is RN.
        perplexity_variance: the same for the target's variances.
        gate_mean: mean of the target's gates of means. None unless the layer is RN.
        gate_variance: mean of the target's gates of variances. None unless the layer is RN.
        alpha: weight of a domain's own distribution (AutoDIAL) or mean (CCN). None for other layers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    channels: int
    shift_mean: float
    shift_variance: float
    perplexity_mean: float | None = None
    perplexity_variance: float | None = None
    gate_mean: float | None = None
    gate_variance: float | None = None
    alpha: float | None = None


@torch.no_grad()
def layer_diagnostics(model: nn.Module) -> list[LayerDiagnostics]:
    """Diagnostics of every domain-specific normalization layer of a model, in definition order."""
    return [_diagnose(name, layer) for name, layer in domain_norms(model)]


def _diagnose(name: str, layer: DomainNorm) -> LayerDiagnostics:
    source, target = (layer.running(domain).double() for domain in ("source", "target"))
    spread = ((source.variance + target.variance) / 2 + layer.eps).sqrt()
    ratio = (target.variance + layer.eps) / (source.variance + layer.eps)
    found = LayerDiagnostics(
        name=name,
        channels=layer.num_features,
        shift_mean=float(((target.mean - source.mean).abs() / spread).mean()),
        shift_variance=float(ratio.log().abs().mean()),
    )
    if isinstance(layer, ShareNorm):
        return found.model_copy(update={"alpha": float(layer.alpha)})
    if not isinstance(layer, ReciprocalNorm):
        return found
    gate_mean, gate_variance = layer.gates("target")
    rows = {
        "perplexity_mean": _perplexity(layer, target.mean, source.mean),
        "perplexity_variance": _perplexity(layer, target.variance, source.variance),
        "gate_mean": float(gate_mean.mean()),
        "gate_variance": float(gate_variance.mean()),
    }
    return found.model_copy(update=rows)


def _perplexity(layer: ReciprocalNorm, own: Tensor, other: Tensor) -> float:
    rows = correlation(
        own,
        other,
        scale=layer.correlation_scale,
        similarity=layer.similarity,
        groups=layer.groups,
    )
    return float(torch.special.entr(rows).sum(dim=1).exp().mean())
