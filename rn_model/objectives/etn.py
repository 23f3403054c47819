"""Example Transfer Network (ETN): adaptation to a target that has some of the source's classes only."""

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
    """How much a source image looks like the target, scaled to a mean of 1 over the batch.

    Cao et al., "Learning to Transfer Examples for Partial Domain Adaptation" (arXiv:1903.12230),
    section 3.3: ``w = 1 - G_d``, where ``G_d``, the sum of an auxiliary classifier's leaky-softmax, is
    the probability of "is source"; then ``w / mean(w)``.

    Args:
        scores: of the auxiliary classifier for source images, ``(Ns, K)``.

    Returns:
        ``(Ns,)``, without gradient.
    """
    return len(scores) * torch.softmax(F.logsigmoid(-leaky_logit(scores.detach())), dim=0)


def transferability_loss(
    scores: Tensor, labels: Tensor, *, source: int, label_weight: float = 1.0
) -> Tensor:
    """What trains the auxiliary classifier behind :func:`transferability`.

    The same section: the classes of the source one against the rest, and the domain by the sum of all,
    so that what looks like a class of the target is no sure sign of the source.

    Args:
        scores: of the auxiliary classifier, ``(N, K)``, source images first.
        labels: of the source images, ``(Ns,)``.
        source: Ns.
        label_weight: of the classes beside the domain.

    Returns:
        A scalar, the sum over both domains and over classes of means over images.

    Raises:
        ValueError: if a domain is missing.
    """
    by_domain = 2 * domain_loss(leaky_logit(scores), source)
    is_class = F.one_hot(labels, scores.shape[1]).bool()
    of_source = scores[:source]
    likelihood = torch.where(
        is_class, leaky_log_softmax(of_source), leaky_log_complement(of_source)
    )
    return by_domain - label_weight * likelihood.sum(dim=1).mean()


class ETN(Objective):
    """Adversarial alignment and cross-entropy of the source images that look like the target.

    The same paper, sections 3.2 and 3.3: a domain discriminator that sees source images weighted by
    :func:`transferability`, the entropy of the predictions on the target, and the auxiliary classifier,
    which no gradient leaves for the network.

    Args:
        num_features: D.
        num_classes: K.
        hidden: width of the hidden layers of the discriminator and of the auxiliary classifier.
        entropy: weight of the target's entropy (the paper's gamma).
        label_weight: of the auxiliary classifier's classes beside its domain (the paper's lambda).
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
