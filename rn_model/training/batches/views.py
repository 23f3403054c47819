"""Random views of training images, scaled to the input of the network."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from rn_model.layers.domains import Domain


@dataclass(frozen=True)
class Views:
    """Augmentation of training images, and scaling to the input of the network.

    Attributes:
        augment: per domain, a module from floats in 0 to 1, ``(N, C, H', W')``, to ``(N, C, H, W)``.
        normalize: from augmented images to the input of the network; the shape is kept.
    """

    augment: dict[Domain, nn.Module]
    normalize: Callable[[Tensor], Tensor]
