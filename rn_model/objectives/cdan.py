"""Conditional adversarial alignment of the two domains (CDAN), with entropy conditioning (CDAN+E)."""

from collections.abc import Callable
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from rn_model.objectives.base import Batch, Objective
from rn_model.objectives.parts.discriminator import DomainDiscriminator, domain_loss
from rn_model.objectives.parts.entropy import certainty_weight
from rn_model.objectives.parts.gradient_reversal import reversal_strength, reverse_gradient
from rn_model.objectives.parts.multilinear import MultilinearMap, multilinear_map


def cdan_loss(
    discriminator: nn.Module,
    features: Tensor,
    logits: Tensor,
    *,
    source: int,
    strength: float = 1.0,
    entropy: bool = True,
    joint_map: Callable[[Tensor, Tensor], Tensor] = multilinear_map,
    through_predictions: bool = True,
) -> Tensor:
    """The discriminator's loss, with its gradient reversed where it enters the network.

    Long et al., "Conditional Adversarial Domain Adaptation" (arXiv:1705.10667), equations 7 and 8: binary
    cross-entropy of the joint maps; with entropy conditioning, images are weighted by certainty and
    the weights of each domain normalised to sum to 1.

    Args:
        discriminator: maps joint maps ``(N, J)`` to logits ``(N,)`` of "is source".
        features: ``(N, D)``, source images first.
        logits: ``(N, K)``.
        source: how many images are source; the others are target.
        strength: factor of the reversed gradient.
        entropy: whether images are weighted by certainty (CDAN+E, equation 8) or not (CDAN, equation 7).
        joint_map: of features and probabilities; by default ``(N, K * D)``, their outer product.
        through_predictions: whether the reversed gradient enters the network by the predictions, too, as
            the equations have it. The authors' code lets it in by the features alone.

    Returns:
        A scalar, the mean of both domains' losses.

    Raises:
        ValueError: if a domain is missing.
    """
    probability = torch.softmax(logits if through_predictions else logits.detach(), dim=1)
    joint = joint_map(features, probability)
    domain_logit = discriminator(reverse_gradient(joint, strength))
    return domain_loss(domain_logit, source, certainty_weight(logits) if entropy else None)


class CDAN(Objective):
    """:func:`cdan_loss` without entropy conditioning, with a discriminator and joint map of its own.

    Args:
        num_features: D.
        num_classes: K.
        hidden: width of the discriminator's two hidden layers.
        map_size: length of the randomized joint map, used where ``K * D`` exceeds 4096.
        through_predictions: as of :func:`cdan_loss`.
    """

    scheduled = True
    entropy = False

    def __init__(
        self,
        num_features: int,
        num_classes: int,
        *,
        hidden: Annotated[int, Field(ge=1)] = 1024,
        map_size: Annotated[int, Field(ge=1)] = 1024,
        through_predictions: bool = True,
    ) -> None:
        super().__init__()
        self.through_predictions = through_predictions
        self.joint_map = MultilinearMap(num_features, num_classes, map_size)
        self.discriminator = DomainDiscriminator(self.joint_map.out_features, hidden)

    def loss(self, batch: Batch) -> Tensor:
        return cdan_loss(
            self.discriminator,
            batch.features,
            batch.logits,
            source=batch.source,
            strength=reversal_strength(batch.progress),
            entropy=self.entropy,
            joint_map=self.joint_map,
            through_predictions=self.through_predictions,
        )


class EntropyCDAN(CDAN):
    """:class:`CDAN` with entropy conditioning: CDAN+E."""

    entropy = True
