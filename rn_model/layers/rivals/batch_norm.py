"""BatchNorm with common statistics of both domains."""

from typing import Any

import torch
from torch import Tensor

from rn_model.layers.domain_norm import DomainNorm
from rn_model.layers.domains import Domain, Split
from rn_model.layers.moments import Moments, mix_moments
from rn_model.layers.training_step import Coefficients, RawMoments


class MergedBatchNorm(DomainNorm):
    """BatchNorm (Ioffe and Szegedy, "Batch Normalization") of source and target together.

    Source: arXiv:1502.03167, algorithm 1. In training, this is exactly BatchNorm of the joined batch:
    the moments of both domains are merged, each with the number of its values in the batch. The running
    moments of the domains are kept separately. In evaluation they are merged with ``source_share``, the
    running average of the share of source images in a batch.

    Example:
        >>> from rn_model import domain_split
        >>> x, layer = torch.randn(6, 3), MergedBatchNorm(3)
        >>> with domain_split(layer, source=4, target=2):
        ...     y = layer(x)
        >>> torch.allclose(y, torch.nn.BatchNorm1d(3)(x), atol=1e-6)
        True
    """

    normalization = "BatchNorm"

    source_share: Tensor

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        mean = self.running("source").mean
        self.register_buffer("source_share", torch.ones((), device=mean.device, dtype=mean.dtype))

    def coefficients(self) -> dict[str, Tensor]:
        return super().coefficients() | {"source_share": self.source_share}

    def effective(
        self, domain: Domain, own: Moments, other: Moments, coefficients: Coefficients
    ) -> Moments:
        """The merged moments of both domains."""
        share = coefficients["source_share"].to(own.mean.dtype)
        return mix_moments(own, other, 1 - share if domain == "source" else share)

    def _batch_coefficients(self, joint: Split) -> dict[str, Tensor]:
        share = self.source_share.new_full((), joint.source / sum(joint), dtype=torch.float64)
        return super()._batch_coefficients(joint) | {"source_share": share}

    @torch.no_grad()
    def _update_running(self, raw: tuple[RawMoments, RawMoments], joint: Split) -> None:
        super()._update_running(raw, joint)
        if self.momentum is None:
            images = self.num_images_source + self.num_images_target
            self.source_share.copy_(self.num_images_source / images)
        else:
            batch = joint.source / sum(joint)
            self.source_share.add_(self.momentum * (batch - self.source_share))
