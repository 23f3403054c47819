"""Torch modules to trace: pixel scaling, input features, and the network with explicit sites."""

import copy

import torch
from torch import Tensor, nn

from bundle.preprocessing import Preprocessing
from export.network.sites import NormSite
from rn_model.layers.affine_map import Affine
from rn_model.layers.conversion.surgery import replace_modules


class Scaling(nn.Module):
    """Maps pixels ``(N, H, W, C)`` uint8 to the network's input ``(N, C, H, W)`` float32."""

    factor: Tensor
    offset: Tensor

    def __init__(self, preprocessing: Preprocessing) -> None:
        super().__init__()
        mean = torch.tensor(preprocessing.mean, dtype=torch.float64)
        std = torch.tensor(preprocessing.std, dtype=torch.float64)
        self.register_buffer("factor", (1 / (255 * std)).float().view(1, -1, 1, 1))
        self.register_buffer("offset", (-mean / std).float().view(1, -1, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        return image.permute(0, 3, 1, 2).float() * self.factor + self.offset


class _AffineSite(nn.Module):
    """Stands in for a normalization layer; applies a scale and shift that are set before each pass."""

    def __init__(self) -> None:
        super().__init__()
        self.affine: Affine | None = None

    def forward(self, x: Tensor) -> Tensor:
        assert self.affine is not None
        return x * self.affine.scale + self.affine.shift


class PredictGraph(nn.Module):
    """Maps an image to logits; scale and shift of every normalization layer are inputs.

    They are inputs, not constants, so that the tracer does not optimize them away before they are folded,
    or replaced by nodes that observe the batch.
    """

    def __init__(self, model: nn.Module, sites: list[NormSite], scaling: Scaling) -> None:
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


def input_features(image: Tensor) -> Tensor:
    """Simple features ``(N, 4)`` float32 for detecting images that do not belong to the domain.

    In the order of :data:`bundle.interface.FEATURES`: mean and standard deviation over all pixels, and mean
    absolute difference of neighbouring pixels along the height and along the width, each in units of
    the full pixel range.

    Args:
        image: pixels ``(N, H, W, C)`` uint8.
    """
    x = image.float() / 255
    flat = x.flatten(1)
    mean = flat.mean(dim=1, keepdim=True)
    return torch.cat(
        [
            mean,
            (flat - mean).square().mean(dim=1, keepdim=True).sqrt(),
            (x[:, 1:] - x[:, :-1]).abs().flatten(1).mean(dim=1, keepdim=True),
            (x[:, :, 1:] - x[:, :, :-1]).abs().flatten(1).mean(dim=1, keepdim=True),
        ],
        dim=1,
    )
