"""Raw moments as the graphs of a bundle weigh them, computed by the torch function."""

import copy
from collections.abc import Iterable

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rn_model import convert_normalization, domain_norms
from rn_model.layers.domain_norm import DomainNorm
from rn_model.layers.moments import Moments
from rn_model.layers.shrinkage import Relations, shrink


def spreads(compensate: bytes) -> list[Tensor]:
    """Spread of the images at every site, in the order of the sites, from ``compensate.onnx``."""
    graph = onnx.load_model_from_string(compensate).graph
    return [
        torch.from_numpy(onnx.numpy_helper.to_array(value).copy())
        for value in graph.initializer
        if value.name.endswith(".spread")
    ]


def relations(compensate: bytes) -> list[Relations | None]:
    """Relations of the channels at every site, in the order of the sites, from ``compensate.onnx``."""
    graph = onnx.load_model_from_string(compensate).graph
    arrays = {value.name: onnx.numpy_helper.to_array(value).copy() for value in graph.initializer}
    sites = [name.removesuffix("spread") for name in arrays if name.endswith(".spread")]
    names = Relations._fields
    return [
        Relations(*(torch.from_numpy(arrays[site + name]) for name in names))
        if site + names[0] in arrays
        else None
        for site in sites
    ]


def shrunk(
    model: nn.Module,
    compensate: bytes,
    mean: NDArray[np.float64],
    variance: NDArray[np.float64],
    count: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The moments by which a pretrained network normalizes, for raw moments of a number of images."""
    layers, part = list[tuple[slice, DomainNorm]](), 0
    for _, layer in domain_norms(convert_normalization(copy.deepcopy(model), "adabn")):
        layers.append((slice(part, part + layer.num_features), layer))
        part += layer.num_features
    set_shrunk(layers, compensate, torch.from_numpy(mean), torch.from_numpy(variance), count)
    means, variances = zip(*(layer.running("target") for _, layer in layers), strict=True)
    return torch.cat(means).double().numpy(), torch.cat(variances).double().numpy()


def set_shrunk(
    layers: Iterable[tuple[slice, DomainNorm]],
    compensate: bytes,
    mean: Tensor,
    variance: Tensor,
    count: float,
) -> None:
    """Give layers the target moments that the graphs make of raw moments and their number of images."""
    known = zip(layers, spreads(compensate), relations(compensate), strict=True)
    for (part, layer), spread, related in known:
        base = layer.running("target").double()
        raw = Moments(mean[part].double(), variance[part].double())
        images = torch.tensor(count, dtype=torch.float64)
        moments = shrink(raw, images, base, spread, layer.eps, related)
        layer.set_running("target", moments, num_images=1)
