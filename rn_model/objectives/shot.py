"""SHOT (Liang et al., arXiv:2002.08546): source hypothesis transfer, without source images."""

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from rn_model.objectives.base import Batch, Objective, TargetPredictions
from rn_model.objectives.parts.information_maximization import information_maximization_loss
from rn_model.objectives.parts.pseudo_labels import centroid_labels


def shot_loss(
    logits: Tensor, labels: Tensor, *, beta: float = 0.3, diversity: float = 1.0
) -> Tensor:
    """The SHOT loss: information maximization, and cross-entropy to pseudo-labels.

    Source: Liang et al., "Do We Really Need to Access the Source Data? Source Hypothesis Transfer for
    Unsupervised Domain Adaptation" (arXiv:2002.08546), section 3.2, equation 7.

    Args:
        logits: outputs for target images, ``(N, K)``.
        labels: pseudo-labels of the images, ``(N,)`` int64.
        beta: weight of the cross-entropy; 0.3 in the paper, and 0.1 on digits.
        diversity: weight of the diversity term of information maximization.

    Returns:
        A scalar.
    """
    return information_maximization_loss(logits, diversity) + beta * F.cross_entropy(logits, labels)


class SHOT(Objective):
    """SHOT: :func:`shot_loss` with pseudo-labels of the whole target set (:func:`centroid_labels`).

    The classifier must stay as trained on the source; ``rn adapt`` freezes it for source-free
    objectives.

    Args:
        num_target: number of images in the target set, M.
        beta: weight of the cross-entropy to the pseudo-labels.
        diversity: weight of the diversity term of information maximization.
        rounds: number of corrections of the centroids; see :func:`centroid_labels`.
    """

    source_free = True
    needs_refresh = True
    pseudo_label: Tensor

    def __init__(
        self,
        num_target: int,
        *,
        beta: Annotated[float, Field(ge=0)] = 0.3,
        diversity: Annotated[float, Field(ge=0)] = 1.0,
        rounds: Annotated[int, Field(ge=0)] = 1,
    ) -> None:
        super().__init__()
        self.beta, self.diversity, self.rounds = beta, diversity, rounds
        self.register_buffer("pseudo_label", torch.full((num_target,), -1))

    def refresh(self, predictions: TargetPredictions) -> None:
        if len(predictions.features) != len(self.pseudo_label):
            raise ValueError(
                f"got predictions on {len(predictions.features)} target images, but the target set has "
                f"{len(self.pseudo_label)}"
            )
        features, probability = predictions.features.float(), predictions.probability.float()
        with torch.no_grad():
            self.pseudo_label.copy_(centroid_labels(features, probability, self.rounds))

    def loss(self, batch: Batch) -> Tensor:
        labels = self.pseudo_label[batch.target_index]
        if (labels < 0).any():
            raise ValueError("SHOT has no pseudo-labels yet: call refresh before the first step")
        return shot_loss(batch.target_logits, labels, beta=self.beta, diversity=self.diversity)
