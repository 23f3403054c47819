"""What an objective is: a loss on features and predictions of both domains."""

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Batch:
    """What the network makes of one batch: source images first, then target images.

    Attributes:
        logits: ``(Ns + Nt, K)``.
        features: ``(Ns + Nt, D)``, the input of the classifier.
        labels: of the source images, ``(Ns,)`` int64.
        source: Ns, which may be 0.
        target_index: positions of the target images in the target set, ``(Nt,)`` int64.
        progress: share of the training that is done, 0 to 1.
    """

    logits: Tensor
    features: Tensor
    labels: Tensor
    source: int
    target_index: Tensor
    progress: float

    @property
    def target_logits(self) -> Tensor:
        """``(Nt, K)``."""
        return self.logits[self.source :]


@dataclass(frozen=True)
class TargetPredictions:
    """What the network makes of the whole target set, in its order.

    Attributes:
        features: ``(M, D)``, the input of the classifier.
        probability: ``(M, K)``, the softmax of its output.
        classifier: the network's last layer.
    """

    features: Tensor
    probability: Tensor
    classifier: nn.Linear


class Objective(nn.Module, ABC):
    """A term of the loss beside the source's cross-entropy.

    Its parameters (discriminators) are trained by the same optimizer as the network, and its other
    state is in buffers, so that a checkpoint holds everything.

    Subclasses write :meth:`loss` and, where they need them, :meth:`weighting` and :meth:`refresh`.
    Loss and weighting see float32 (or float64) tensors with autocast switched off: entropies, singular
    values and domain losses lose too much in half precision.
    """

    source_free: ClassVar[bool] = False
    """Whether batches hold no source images, the classifier is frozen and there is no cross-entropy."""

    needs_refresh: ClassVar[bool] = False
    """Whether :meth:`refresh` has to be called before the first step and then once an epoch."""

    scheduled: ClassVar[bool] = False
    """Whether its strength grows with the training by itself, so that nothing else should ramp it."""

    def forward(self, batch: Batch) -> Tensor:
        """The scalar loss of a batch."""
        with torch.autocast(batch.logits.device.type, enabled=False):
            return self.loss(_full_precision(batch))

    def source_weight(self, batch: Batch) -> Tensor | None:
        """Weights ``(Ns,)`` of the source's cross-entropy; None means that all are 1.

        No gradient flows through them.
        """
        with torch.autocast(batch.logits.device.type, enabled=False), torch.no_grad():
            return self.weighting(_full_precision(batch))

    def refresh(self, predictions: TargetPredictions) -> None:
        """Look at the predictions on the whole target set."""
        return None

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """The scalar loss of a batch in full precision."""

    def weighting(self, batch: Batch) -> Tensor | None:
        """What :meth:`source_weight` gives, of a batch in full precision."""
        return None


def _full_precision(batch: Batch) -> Batch:
    kind = torch.promote_types(batch.logits.dtype, torch.float32)
    return dataclasses.replace(
        batch, logits=batch.logits.to(kind), features=batch.features.to(kind)
    )
