"""DANN (Ganin and Lempitsky, arXiv:1409.7495): domain-adversarial training."""

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from rn_model.objectives.base import Batch, Objective
from rn_model.objectives.parts.discriminator import DomainDiscriminator, domain_loss
from rn_model.objectives.parts.gradient_reversal import reversal_strength, reverse_gradient


def dann_loss(
    discriminator: nn.Module, features: Tensor, *, source: int, strength: float = 1.0
) -> Tensor:
    """The DANN loss: that of a discriminator of features, whose gradient the network gets reversed.

    Source: Ganin and Lempitsky, "Unsupervised Domain Adaptation by Backpropagation" (arXiv:1409.7495),
    section 3, equations 1 to 3. It is the binary cross-entropy of the domain.

    Args:
        discriminator: network from ``(N, D)`` to logits ``(N,)`` of "is source".
        features: inputs of the classifier, ``(N, D)``, source images first.
        source: number of source images; the others are target images.
        strength: factor of the reversed gradient.

    Returns:
        A scalar, the mean of the mean losses of both domains.

    Raises:
        ValueError: if the batch has no images of one domain.
    """
    return domain_loss(discriminator(reverse_gradient(features, strength)), source)


class DANN(Objective):
    """DANN: :func:`dann_loss` with its own discriminator.

    Args:
        num_features: width of the classifier's input, D.
        hidden: width of the discriminator's two hidden layers; 1024 in the paper (section 4).
    """

    scheduled = True

    def __init__(self, num_features: int, *, hidden: Annotated[int, Field(ge=1)] = 1024) -> None:
        super().__init__()
        self.discriminator = DomainDiscriminator(num_features, hidden)

    def loss(self, batch: Batch) -> Tensor:
        strength = reversal_strength(batch.progress)
        return dann_loss(self.discriminator, batch.features, source=batch.source, strength=strength)
