"""Balanced alignment and uncertainty suppression (BA3US) for a target with some of the classes only."""

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
    """A domain discriminator's loss in which some source images stand on the target's side as well.

    Liang et al., "A Balanced and Uncertainty-aware Approach for Partial Domain Adaptation"
    (arXiv:2003.02541), section 3.2, balanced adversarial alignment: the borrowed images bring the classes
    that the target lacks. The source's images and the borrowed ones share the mass ``1 + borrowed / Ns``
    by their weights, the target's images the mass 1.

    Args:
        discriminator: maps ``(N, D)`` to logits ``(N,)`` of "is source".
        features: ``(N, D)``, source images first.
        weight: of the images, ``(N,)``, not negative.
        source: Ns, how many images are source; the others are target.
        borrowed: how many source images, spread evenly over the batch, join the target's side.
        strength: factor of the reversed gradient.

    Returns:
        A scalar, divided by the whole mass.

    Raises:
        ValueError: if a domain is missing.
    """
    if not 0 < source < len(features):
        raise ValueError(f"{source} source images of {len(features)}: both domains must be there")
    logit = discriminator(reverse_gradient(features, strength))
    # Every process of a distributed training has to choose the same images of the joined batch.
    index = torch.arange(borrowed, device=features.device) * source // max(borrowed, 1)
    from_source = weighted_mean(
        torch.cat([F.softplus(-logit[:source]), F.softplus(logit[index])]),
        torch.cat([weight[:source], weight[index]]),
    )
    from_target = weighted_mean(F.softplus(logit[source:]), weight[source:])
    mass = 1 + borrowed / source
    return (mass * from_source + from_target) / (mass + 1)


class BA3US(Objective):
    """Balanced adversarial alignment, the target's entropy and adaptive uncertainty suppression.

    The same paper, section 3: source images count by the share that the predictions on the whole target
    set give to their class, here times K so that an even target gives weights of 1. Images count in the
    alignment by their certainty too, as in CDAN+E. The borrowed images are those of the batch itself, not
    a third batch of their own.

    Args:
        num_features: D.
        num_classes: K.
        hidden: width of the discriminator's two hidden layers.
        borrowed: share of the source images that join the target's side, at the start of training; it
            falls to 0 in a straight line.
        entropy: weight of the target's entropy.
        complement: weight of :func:`complement_entropy_loss` of the source.
        alpha: how much uncertain images count more there.
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
