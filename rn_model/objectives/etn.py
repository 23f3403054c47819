"""ETN (Cao et al., arXiv:1903.12230): adaptation to a target that lacks some of the classes."""

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from rn_model.objectives.base import Batch, Objective
from rn_model.objectives.parts.discriminator import DomainDiscriminator, domain_loss, perceptron
from rn_model.objectives.parts.entropy import prediction_entropy
from rn_model.objectives.parts.gradient_reversal import reversal_strength, reverse_gradient
from rn_model.objectives.parts.leaky_softmax import (
    leaky_log_complement,
    leaky_log_softmax,
    leaky_logit,
)


def transferability(scores: Tensor) -> Tensor:
    """The similarity of each source image to the target, scaled to a mean of 1 over the batch.

    Source: Cao et al., "Learning to Transfer Examples for Partial Domain Adaptation" (arXiv:1903.12230),
    section 3.3. The weights are ``w = 1 - G_d``, where ``G_d``, the sum of the leaky softmax of an
    auxiliary classifier, is the probability of "is source". They are then divided by their mean.

    Args:
        scores: outputs of the auxiliary classifier for source images, ``(Ns, K)``.

    Returns:
        Weights of the source images, ``(Ns,)``, without gradient.
    """
    return len(scores) * torch.softmax(F.logsigmoid(-leaky_logit(scores.detach())), dim=0)


def transferability_loss(
    scores: Tensor, labels: Tensor, *, source: int, label_weight: float = 1.0
) -> Tensor:
    """The loss of the auxiliary classifier that :func:`transferability` uses.

    Source: arXiv:1903.12230, section 3.3. It learns each class of the source against all others, and the
    domain from the sum over the classes, so that images of a class that the target also has look less
    certainly like the source.

    Args:
        scores: outputs of the auxiliary classifier, ``(N, K)``, source images first.
        labels: classes of the source images, ``(Ns,)`` int64.
        source: number of source images, Ns; the others are target images.
        label_weight: weight of the loss of the classes; that of the domain has weight 1.

    Returns:
        A scalar: the sum of mean losses over both domains and over the classes.

    Raises:
        ValueError: if the batch has no images of one domain.
    """
    by_domain = 2 * domain_loss(leaky_logit(scores), source)
    is_class = F.one_hot(labels, scores.shape[1]).bool()
    of_source = scores[:source]
    likelihood = torch.where(
        is_class, leaky_log_softmax(of_source), leaky_log_complement(of_source)
    )
    return by_domain - label_weight * likelihood.sum(dim=1).mean()


class ETN(Objective):
    """ETN: adversarial alignment and cross-entropy with source images weighted by transferability.

    Source: arXiv:1903.12230, sections 3.2 and 3.3. The loss has three parts: a domain discriminator that
    gets source images weighted by :func:`transferability`, the entropy of the target predictions, and
    :func:`transferability_loss`, whose gradient does not reach the network.

    Args:
        num_features: width of the classifier's input, D.
        num_classes: number of classes, K.
        hidden: width of the hidden layers of the discriminator and of the auxiliary classifier.
        entropy: weight of the entropy of the target predictions (gamma in the paper).
        label_weight: see :func:`transferability_loss` (lambda in the paper).
    """

    scheduled = True

    def __init__(
        self,
        num_features: int,
        num_classes: int,
        *,
        hidden: Annotated[int, Field(ge=1)] = 1024,
        entropy: Annotated[float, Field(ge=0)] = 0.2,
        label_weight: Annotated[float, Field(ge=0)] = 1.0,
    ) -> None:
        super().__init__()
        self.entropy, self.label_weight = entropy, label_weight
        self.discriminator = DomainDiscriminator(num_features, hidden)
        self.auxiliary = perceptron(num_features, hidden, num_classes)

    def weighting(self, batch: Batch) -> Tensor:
        return transferability(self.auxiliary(batch.features[: batch.source]))

    def loss(self, batch: Batch) -> Tensor:
        scores = self.auxiliary(batch.features.detach())
        weight = torch.ones_like(batch.features[:, 0])
        weight[: batch.source] = transferability(scores[: batch.source])
        strength = reversal_strength(batch.progress)
        domain_logit = self.discriminator(reverse_gradient(batch.features, strength))
        return (
            2 * domain_loss(domain_logit, batch.source, weight)
            + self.entropy * prediction_entropy(batch.target_logits).mean()
            + transferability_loss(
                scores, batch.labels, source=batch.source, label_weight=self.label_weight
            )
        )
