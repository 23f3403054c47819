"""CDAN and CDAN+E (Long et al., arXiv:1705.10667): conditional adversarial domain adaptation."""

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
    """The CDAN loss: that of a discriminator of joint maps, whose gradient the network gets reversed.

    Source: Long et al., "Conditional Adversarial Domain Adaptation" (arXiv:1705.10667), equations 7
    (CDAN) and 8 (CDAN+E). It is the binary cross-entropy of the discriminator on joint maps of features
    and predictions. With entropy conditioning, images are weighted by certainty, and the weights of each
    domain are normalized to sum to 1.

    Args:
        discriminator: network from joint maps ``(N, J)`` to logits ``(N,)`` of "is source".
        features: inputs of the classifier, ``(N, D)``, source images first.
        logits: outputs of the classifier, ``(N, K)``.
        source: number of source images; the others are target images.
        strength: factor of the reversed gradient.
        entropy: whether to weight images by certainty (CDAN+E).
        joint_map: function of features and probabilities; by default their outer product,
            ``(N, K * D)``.
        through_predictions: whether the reversed gradient also enters the network through the
            predictions, as in the equations. In the authors' code it enters only through the features.

    Returns:
        A scalar, the mean of the losses of both domains.

    Raises:
        ValueError: if the batch has no images of one domain.
    """
    probability = torch.softmax(logits if through_predictions else logits.detach(), dim=1)
    joint = joint_map(features, probability)
    domain_logit = discriminator(reverse_gradient(joint, strength))
    return domain_loss(domain_logit, source, certainty_weight(logits) if entropy else None)


class CDAN(Objective):
    """CDAN: :func:`cdan_loss` without entropy conditioning (equation 7).

    Args:
        num_features: width of the classifier's input, D.
        num_classes: number of classes, K.
        hidden: width of the discriminator's two hidden layers.
        map_size: length of the randomized joint map, which is used if ``K * D`` exceeds 4096.
        through_predictions: see :func:`cdan_loss`.
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
    """CDAN+E: :class:`CDAN` with entropy conditioning (equation 8)."""

    entropy = True
