"""The interface of objectives: a loss on the features and predictions of both domains."""

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Batch:
    """The network's outputs on one batch of source images followed by target images.

    Attributes:
        logits: outputs of the classifier, ``(Ns + Nt, K)``.
        features: inputs of the classifier, ``(Ns + Nt, D)``.
        labels: classes of the source images, ``(Ns,)`` int64.
        source: number of source images, Ns, which may be 0.
        target_index: indices of the target images in the target set, ``(Nt,)`` int64.
        progress: completed share of the training, 0 to 1.
    """

    logits: Tensor
    features: Tensor
    labels: Tensor
    source: int
    target_index: Tensor
    progress: float

    @property
    def target_logits(self) -> Tensor:
        """Outputs of the classifier for the target images, ``(Nt, K)``."""
        return self.logits[self.source :]


@dataclass(frozen=True)
class TargetPredictions:
    """The network's outputs on the whole target set of M images, in the order of the set.

    Attributes:
        features: inputs of the classifier, ``(M, D)``.
        probability: softmax of the classifier's outputs, ``(M, K)``.
        classifier: last layer of the network.
    """

    features: Tensor
    probability: Tensor
    classifier: nn.Linear


class Objective(nn.Module, ABC):
    """A term of the loss in addition to the cross-entropy on the source.

    Its parameters (discriminators) are trained by the same optimizer as the network. All other state is
    in buffers, so that a checkpoint contains everything.

    Subclasses implement :meth:`loss` and, if needed, :meth:`weighting` and :meth:`refresh`. Loss and
    weighting get float32 or float64 tensors and run without autocast, because entropies, singular values
    and domain losses are too inaccurate in half precision.
    """

    source_free: ClassVar[bool] = False
    """Whether it trains without source images and cross-entropy, and with a frozen classifier."""

    needs_refresh: ClassVar[bool] = False
    """Whether :meth:`refresh` must be called before the first step and then once per epoch."""

    scheduled: ClassVar[bool] = False
    """Whether it increases its own strength during training, so that nothing else should ramp it up."""

    def forward(self, batch: Batch) -> Tensor:
        """The loss of a batch, a scalar."""
        with torch.autocast(batch.logits.device.type, enabled=False):
            return self.loss(_full_precision(batch))

    def source_weight(self, batch: Batch) -> Tensor | None:
        """Weights of the source images in the cross-entropy, ``(Ns,)``; None if all are 1.

        No gradient flows through them.
        """
        with torch.autocast(batch.logits.device.type, enabled=False), torch.no_grad():
            return self.weighting(_full_precision(batch))

    def refresh(self, predictions: TargetPredictions) -> None:
        """Update the objective's state from predictions on the whole target set; by default, do nothing."""
        return None

    @abstractmethod
    def loss(self, batch: Batch) -> Tensor:
        """The loss of a batch in full precision, a scalar."""

    def weighting(self, batch: Batch) -> Tensor | None:
        """The result of :meth:`source_weight` for a batch in full precision; by default None."""
        return None


def _full_precision(batch: Batch) -> Batch:
    kind = torch.promote_types(batch.logits.dtype, torch.float32)
    return dataclasses.replace(
        batch, logits=batch.logits.to(kind), features=batch.features.to(kind)
    )
