"""Raw moments as the graphs of a bundle weigh them, computed by the torch function."""

from collections.abc import Iterable

import onnx
import torch
from torch import Tensor

from rn_model.layers.domain_norm import DomainNorm
from rn_model.layers.moments import Moments
from rn_model.layers.shrinkage import shrink


def spreads(compensate: bytes) -> list[Tensor]:
    """Spread of the images at every site, in the order of the sites, from ``compensate.onnx``."""
    graph = onnx.load_model_from_string(compensate).graph
    return [
        torch.from_numpy(onnx.numpy_helper.to_array(value).copy())
        for value in graph.initializer
        if value.name.endswith(".spread")
    ]


def set_shrunk(
    layers: Iterable[tuple[slice, DomainNorm]],
    compensate: bytes,
    mean: Tensor,
    variance: Tensor,
    count: float,
) -> None:
    """Give layers the target moments that the graphs make of raw moments and their number of images."""
    for (part, layer), spread in zip(layers, spreads(compensate), strict=True):
        base = layer.running("target").double()
        raw = Moments(mean[part].double(), variance[part].double())
        images = torch.tensor(count, dtype=torch.float64)
        layer.set_running("target", shrink(raw, images, base, spread, layer.eps), num_images=1)
