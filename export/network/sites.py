"""Finds the normalization sites of a network by running it once."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bundle.text import describe_error
from export.errors import ExportError
from rn_model import DomainNorm, domain_norms
from rn_model.checks.errors import NetworkError
from rn_model.checks.trial import check_calls


@dataclass(frozen=True)
class NormSite:
    """A normalization layer as the exporter sees it.

    Attributes:
        name: name of the layer in the network.
        layer: the layer.
        offset: index in the flat vectors where its channels begin.
        rank: number of dimensions of its input, batch included.
    """

    name: str
    layer: DomainNorm
    offset: int
    rank: int

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.layer.num_features

    @property
    def slice(self) -> slice:
        """The part of the flat vectors that belongs to the site."""
        return slice(self.offset, self.offset + self.channels)

    @property
    def broadcast_shape(self) -> tuple[int, ...]:
        """Shape ``(C, 1, ...)`` in which a per-channel vector broadcasts against the layer's input."""
        return (self.channels, *[1] * (self.rank - 2))


def find_sites(model: nn.Module, x: Tensor) -> list[NormSite]:
    """Find every domain-specific normalization layer of a network, in definition order.

    Args:
        model: network in evaluation mode.
        x: an input of the network, images first.

    Raises:
        ExportError: if the network cannot be run; if it has no such layer; if a layer does not run exactly
            once in a forward pass, because one set of statistics cannot describe the inputs of two calls;
            or if the rows of a layer's input are not the images.
    """
    layers = list(domain_norms(model))
    if not layers:
        raise ExportError("the model has no normalization layer to adapt: convert it first")
    shapes: dict[str, list[torch.Size]] = {name: [] for name, _ in layers}
    handles = [
        layer.register_forward_pre_hook(
            lambda _, args, seen=shapes[name]: seen.append(args[0].shape)
        )
        for name, layer in layers
    ]
    try:
        with torch.no_grad():
            model(x)
    except Exception as error:  # a network may raise anything
        reason = describe_error(error)
        raise ExportError(
            f"the network cannot be run on images {tuple(x.shape)}: {reason}"
        ) from error
    finally:
        for handle in handles:
            handle.remove()
    sites: list[NormSite] = []
    offset = 0
    for name, layer in layers:
        _check_calls(name, shapes[name], len(x))
        sites.append(NormSite(name, layer, offset, len(shapes[name][0])))
        offset += layer.num_features
    return sites


def _check_calls(name: str, shapes: list[torch.Size], images: int) -> None:
    try:
        check_calls(name, len(shapes), shapes[0][0] if shapes else 0, images)
    except NetworkError as error:
        raise ExportError(str(error)) from error
