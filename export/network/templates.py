"""Traces normalization layers, once for every kind of layer in a network.

A network has many normalization layers but few kinds of them. Their equations are traced from the torch
modules, with the parameters and buffers of a layer as inputs, and inserted for every layer of that kind.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import onnx_ir as ir
import torch
from torch import Tensor, nn
from torch.func import functional_call

from bundle.interface import BATCH
from export.graphs.softmax import narrow_softmax
from export.graphs.tracing import image_dimensions, trace
from export.network.input_features import input_features
from export.network.sites import NormSite
from rn_model.layers.domain_norm import DomainNorm
from rn_model.layers.domains import Domain, other_domain
from rn_model.layers.moments import Moments
from rn_model.layers.observation import Observation
from rn_model.layers.shrinkage import Relations, Spread, shrink, split_spread

DOMAIN: Domain = "target"
# The tracer treats sizes of 0 and 1 as fixed.
_SIZE = 3

Kind = tuple[Any, ...]


@dataclass(frozen=True)
class Templates:
    """Traced graphs from which larger graphs are composed.

    Attributes:
        features: graph from an image to its input features.
        observe: graph by kind of site. Inputs: input of the layer, image weight, prior weight, prior mean
            and variance, spread of the images, state of the layer. Outputs: output of the layer, batch
            mean and batch variance. All in float32.
        compensate: graph by kind of site, from mean, variance, number of images, spread of the images and
            state of the layer to scale and shift. In float64, except in
            :func:`export.graphs.softmax.narrow_softmax`.
    """

    features: ir.Graph
    observe: dict[Kind, ir.Graph]
    compensate: dict[Kind, ir.Graph]


def kind(site: NormSite, spread: Spread) -> Kind:
    """Key of a layer: layers with equal keys compute the same function of input, spread and state."""
    options = sorted((k, repr(v)) for k, v in vars(site.layer).items() if not k.startswith("_"))
    shapes = [(name, value.dtype, tuple(value.shape)) for name, value in state(site.layer).items()]
    spreads = [tuple(value.shape) for value in spread.tensors()]
    return (type(site.layer), site.rank, *options, *shapes, *spreads)


def state(layer: DomainNorm) -> dict[str, Tensor]:
    """Parameters and buffers of a layer by name, in the order in which its templates expect them."""
    return dict(sorted(layer.state_dict().items()))


class _Observe(nn.Module):
    def __init__(self, site: NormSite, spread: Spread) -> None:
        super().__init__()
        self._spread = len(spread.tensors())
        self.layer = copy.deepcopy(site.layer)
        self._names = list(state(site.layer))
        self.example = [
            torch.zeros(_SIZE, site.channels, *[_SIZE] * (site.rank - 2)),
            torch.ones(_SIZE),
            torch.tensor(1.0),
            *torch.ones(2, site.channels),
            *spread.tensors(),
            *state(site.layer).values(),
        ]

    def forward(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        x, image_weight, prior_weight, mean, variance, *rest = inputs
        known, values = split_spread(rest[: self._spread]), rest[self._spread :]
        seen = Observation(DOMAIN, image_weight, prior_weight, Moments(mean, variance), *known)
        self.layer.observation = seen
        y = functional_call(self.layer, dict(zip(self._names, values, strict=True)), (x,))
        self.layer.observation = None
        assert seen.batch is not None
        return [y, *seen.batch]


class _Map(nn.Module):
    def __init__(self, layer: DomainNorm) -> None:
        super().__init__()
        self.layer = layer

    def forward(
        self, raw: Moments, count: Tensor, spread: Tensor, relations: Relations | None
    ) -> list[Tensor]:
        base, other = (self.layer.running(d) for d in (DOMAIN, other_domain(DOMAIN)))
        own = shrink(raw, count, base, spread, self.layer.eps, relations)
        return [*self.layer.affine_map(DOMAIN, own, other).fold()]


class _Compensate(nn.Module):
    def __init__(self, site: NormSite, spread: Spread) -> None:
        super().__init__()
        self._spread = len(spread.tensors())
        self.map = _Map(copy.deepcopy(site.layer).double())
        self._names = [f"layer.{name}" for name in state(site.layer)]
        values = state(self.map.layer).values()
        self.example = [
            *torch.ones(2, site.channels, dtype=torch.float64),
            torch.tensor(1.0, dtype=torch.float64),
            *spread.tensors(torch.float64),
            *values,
        ]

    def forward(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        mean, variance, count, *rest = inputs
        known, values = split_spread(rest[: self._spread]), rest[self._spread :]
        named = dict(zip(self._names, values, strict=True))
        given = (Moments(mean, variance), count, *known)
        found: list[Tensor] = functional_call(self.map, named, given)
        return found


class _All(nn.Module):
    """All templates in one module, so that they are traced together."""

    def __init__(self, parts: Sequence[_Observe | _Compensate], free_size: bool) -> None:
        super().__init__()
        self.free_size = free_size
        self.parts = nn.ModuleList(parts)

    def forward(self, image: Tensor, inputs: Sequence[Sequence[Tensor]]) -> list[Tensor]:
        outputs = [input_features(image, self.free_size)]
        for part, given in zip(self.parts, inputs, strict=True):
            outputs += part(given)
        return outputs


def trace_templates(
    sites: Sequence[NormSite], spreads: Sequence[Spread], image: Tensor, free_size: bool
) -> Templates:
    """Trace every kind of layer among the sites.

    Args:
        sites: normalization sites of the network.
        spreads: how much images differ at each site.
        image: example pixels ``(N, H, W, C)`` uint8.
        free_size: whether the height and width of images are free.
    """
    kinds = {kind(*pair): pair for pair in zip(sites, spreads, strict=True)}
    parts = [make(*pair) for make in (_Observe, _Compensate) for pair in kinds.values()]
    counts = [3] * len(kinds) + [2] * len(kinds)
    traced = trace(
        _All(parts, free_size),
        (image, [part.example for part in parts]),
        [
            "image",
            *(f"in_{i}_{j}" for i, part in enumerate(parts) for j in range(len(part.example))),
        ],
        ["features", *(f"out_{i}_{j}" for i, count in enumerate(counts) for j in range(count))],
        [image_dimensions(free_size), [_free(part) for part in parts]],
    ).graph
    inputs, outputs = iter(traced.inputs), iter(traced.outputs)
    cut = ir.convenience.extract
    features = cut(traced, [next(inputs)], [next(outputs)])
    pieces = [
        cut(traced, [*islice(inputs, len(part.example))], [*islice(outputs, count)])
        for part, count in zip(parts, counts, strict=True)
    ]
    observe, compensate = (
        dict(zip(kinds, part, strict=True)) for part in (pieces[: len(kinds)], pieces[len(kinds) :])
    )
    for piece in compensate.values():
        narrow_softmax(piece)
    return Templates(features, observe, compensate)


def _free(part: _Observe | _Compensate) -> list[dict[int, str] | None]:
    if isinstance(part, _Compensate):
        return [None] * len(part.example)
    x, _, *rest = part.example
    spatial = {axis: f"size_{axis}" for axis in range(2, x.dim())}
    return [{0: BATCH, **spatial}, {0: BATCH}, *[None] * len(rest)]
