"""BA3US (Liang et al., arXiv:2003.02541): adaptation to a target that lacks some of the classes."""

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from rn_model.objectives.base import Batch, Objective, TargetPredictions
from rn_model.objectives.parts.complement_entropy import complement_entropy_loss
from rn_model.objectives.parts.discriminator import DomainDiscriminator, weighted_mean
from rn_model.objectives.parts.entropy import certainty_weight, prediction_entropy
from rn_model.objectives.parts.gradient_reversal import reversal_strength, reverse_gradient


def balanced_domain_loss(
    discriminator: nn.Module,
    features: Tensor,
    weight: Tensor,
    *,
    source: int,
    borrowed: int,
    strength: float = 1.0,
) -> Tensor:
    """Balanced adversarial alignment: some source images are also presented as target images.

    Source: Liang et al., "A Balanced and Uncertainty-aware Approach for Partial Domain Adaptation"
    (arXiv:2003.02541), section 3.2. The borrowed source images stand for the classes that the target
    lacks. The discriminator's loss on source and borrowed images is averaged with their weights and
    multiplied by ``1 + borrowed / Ns``; the loss on target images is averaged with theirs.

    Args:
        discriminator: network from ``(N, D)`` to logits ``(N,)`` of "is source".
        features: features of the batch, ``(N, D)``, source images first.
        weight: weights of the images, ``(N,)``, not negative.
        source: number of source images, Ns; the others are target images.
        borrowed: number of source images, spread evenly over the batch, that are also presented as
            target images.
        strength: factor of the reversed gradient.

    Returns:
        A scalar: the sum of both losses, divided by ``2 + borrowed / Ns``.

    Raises:
        ValueError: if the batch has no images of one domain.
    """
    if not 0 < source < len(features):
        raise ValueError(
            f"{source} of {len(features)} images are source images: both domains are needed"
        )
    logit = discriminator(reverse_gradient(features, strength))
    # Every process of a distributed training must choose the same images of the joined batch.
    index = torch.arange(borrowed, device=features.device) * source // max(borrowed, 1)
    from_source = weighted_mean(
        torch.cat([F.softplus(-logit[:source]), F.softplus(logit[index])]),
        torch.cat([weight[:source], weight[index]]),
    )
    from_target = weighted_mean(F.softplus(logit[source:]), weight[source:])
    mass = 1 + borrowed / source
    return (mass * from_source + from_target) / (mass + 1)


class BA3US(Objective):
    """BA3US: balanced adversarial alignment, target entropy and adaptive uncertainty suppression.

    Source: arXiv:2003.02541, section 3. The weight of a source image is the mean probability of its
    class over the whole target set, here times K, so that an even target gives weights of 1. In the
    alignment, images are also weighted by certainty, as in CDAN+E. The borrowed images come from the
    batch itself, not from a third batch.

    Args:
        num_features: width of the classifier's input, D.
        num_classes: number of classes, K.
        hidden: width of the discriminator's two hidden layers.
        borrowed: share of the source images that are also presented as target images at the start of
            training; it falls linearly to 0.
        entropy: weight of the entropy of the target predictions.
        complement: weight of :func:`complement_entropy_loss` on the source.
        alpha: exponent of the uncertainty in :func:`complement_entropy_loss`.
    """

    scheduled = True
    needs_refresh = True
    class_weight: Tensor

    def __init__(
        self,
        num_features: int,
        num_classes: int,
        *,
        hidden: Annotated[int, Field(ge=1)] = 1024,
        borrowed: Annotated[float, Field(ge=0, le=1)] = 0.25,
        entropy: Annotated[float, Field(ge=0)] = 0.1,
        complement: Annotated[float, Field(ge=0)] = 1.0,
        alpha: Annotated[float, Field(ge=0)] = 1.0,
    ) -> None:
        super().__init__()
        self.borrowed, self.entropy = borrowed, entropy
        self.complement, self.alpha = complement, alpha
        self.discriminator = DomainDiscriminator(num_features, hidden)
        self.register_buffer("class_weight", torch.ones(num_classes))

    def refresh(self, predictions: TargetPredictions) -> None:
        mean = predictions.probability.float().mean(dim=0)
        self.class_weight.copy_(len(mean) * mean.detach())

    def weighting(self, batch: Batch) -> Tensor:
        return self.class_weight[batch.labels].to(batch.logits.dtype)

    def loss(self, batch: Batch) -> Tensor:
        source, by_class = batch.source, self.weighting(batch)
        weight = certainty_weight(batch.logits)
        weight = torch.cat([by_class * weight[:source], weight[source:]])
        alignment = balanced_domain_loss(
            self.discriminator,
            batch.features,
            weight,
            source=source,
            borrowed=int(self.borrowed * source * (1 - batch.progress)),
            strength=reversal_strength(batch.progress),
        )
        uncertainty = complement_entropy_loss(
            batch.logits[:source], batch.labels, by_class, self.alpha
        )
        return (
            alignment
            + self.entropy * prediction_entropy(batch.target_logits).mean()
            + self.complement * uncertainty
        )
