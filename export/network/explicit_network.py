"""A network whose normalization layers are replaced by an explicit scale and shift."""

import copy

from torch import Tensor, nn

from export.network.pixel_scaling import PixelScaling
from export.network.sites import NormSite
from rn_model.layers.affine_map import Affine
from rn_model.layers.conversion.surgery import replace_modules


class _AffineSite(nn.Module):
    """Stands in for a normalization layer; applies a scale and shift that are set before each pass."""

    def __init__(self) -> None:
        super().__init__()
        self.affine: Affine | None = None

    def forward(self, x: Tensor) -> Tensor:
        assert self.affine is not None
        return x * self.affine.scale + self.affine.shift


class ExplicitNetwork(nn.Module):
    """Maps an image to logits; scale and shift of every normalization layer are inputs.

    They are inputs, not constants, so that the tracer does not optimize them away before they are folded,
    or replaced by nodes that observe the batch.
    """

    def __init__(self, model: nn.Module, sites: list[NormSite], scaling: PixelScaling) -> None:
        super().__init__()
        self.scaling = scaling
        self._stand_ins = [_AffineSite() for _ in sites]
        stand_ins = {
            site.name: stand_in for site, stand_in in zip(sites, self._stand_ins, strict=True)
        }
        self.network = replace_modules(copy.deepcopy(model), lambda name, _: stand_ins.get(name))

    def forward(self, image: Tensor, scales: list[Tensor], shifts: list[Tensor]) -> Tensor:
        for stand_in, scale, shift in zip(self._stand_ins, scales, shifts, strict=True):
            stand_in.affine = Affine(scale, shift)
        logits: Tensor = self.network(self.scaling(image))
        for stand_in in self._stand_ins:
            stand_in.affine = None
        return logits
