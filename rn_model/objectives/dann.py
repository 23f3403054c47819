"""Adversarial alignment of the features of the two domains (DANN)."""

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from rn_model.objectives.base import Batch, Objective
from rn_model.objectives.parts.discriminator import DomainDiscriminator, domain_loss
from rn_model.objectives.parts.gradient_reversal import reversal_strength, reverse_gradient


def dann_loss(
    discriminator: nn.Module, features: Tensor, *, source: int, strength: float = 1.0
) -> Tensor:
    """The discriminator's loss, with its gradient reversed where it enters the network.

    Ganin and Lempitsky, "Unsupervised Domain Adaptation by Backpropagation" (arXiv:1409.7495),
    section 3, equations 1 to 3: binomial cross-entropy of the domain.

    Args:
        discriminator: maps ``(N, D)`` to logits ``(N,)`` of "is source".
        features: ``(N, D)``, source images first.
        source: how many images are source; the others are target.
        strength: factor of the reversed gradient.

    Returns:
        A scalar, the mean of both domains' mean losses.

    Raises:
        ValueError: if a domain is missing.
    """
    return domain_loss(discriminator(reverse_gradient(features, strength)), source)


class DANN(Objective):
    """:func:`dann_loss` with a discriminator of its own.

    Args:
        num_features: D.
        hidden: width of the discriminator's two hidden layers; the paper's 1024 (section 4).
    """

    scheduled = True

    def __init__(self, num_features: int, *, hidden: Annotated[int, Field(ge=1)] = 1024) -> None:
        super().__init__()
        self.discriminator = DomainDiscriminator(num_features, hidden)

    def loss(self, batch: Batch) -> Tensor:
        strength = reversal_strength(batch.progress)
        return dann_loss(self.discriminator, batch.features, source=batch.source, strength=strength)
