"""BatchNorm with one set of statistics for both domains."""

from typing import Any

import torch
from torch import Tensor

from rn_model.layers.domain_norm import DomainNorm
from rn_model.layers.domains import Domain, Split
from rn_model.layers.moments import Moments, mix_moments
from rn_model.layers.training_step import Coefficients, RawMoments


class MergedBatchNorm(DomainNorm):
    """BatchNorm (Ioffe and Szegedy, arXiv:1502.03167, algorithm 1) of source and target together.

    In training exactly BatchNorm of the joined batch: the moments of both domains are merged, each
    weighing as many values as it has in the batch. The raw running moments are kept apart; in
    evaluation they are merged by ``source_share``, the running share of source images in a batch.
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
        """The moments of both domains merged."""
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
