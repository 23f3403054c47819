"""An observation: a forward pass that measures the moments of a batch of one domain."""

from dataclasses import dataclass

from torch import Tensor

from rn_model.layers.domains import Domain
from rn_model.layers.moments import Moments
from rn_model.layers.shrinkage import Relations


@dataclass
class Observation:
    """Instructions for one observing forward pass of a layer, and the moments that it found.

    The layer normalizes the batch with ``prior`` and the batch's own moments merged, where the prior
    counts as ``prior_count`` images: 0 normalizes with the batch alone, infinity with the prior alone.
    The running moments do not change.

    Attributes:
        domain: domain that all images of the batch belong to.
        image_weight: weight of each image in the batch's moments, ``(N,)``.
        prior_count: number of images that the prior counts as.
        prior: raw moments of the domain so far, ``(C,)``; None for the layer's running moments.
        spread: how much images differ at this site, ``(2,)``, see :mod:`rn_model.layers.shrinkage`: the
            merged moments are shrunk towards the layer's running moments before they normalize. None to
            use them as they are.
        relations: how the channels are related there; None to shrink all alike.
        batch: population moments of the layer's input, ``(C,)``; set by the forward pass.
    """

    domain: Domain
    image_weight: Tensor
    prior_count: Tensor | float
    prior: Moments | None = None
    spread: Tensor | None = None
    relations: Relations | None = None
    batch: Moments | None = None
