"""Finds the normalization sites of a network by running it once."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bundle.text import describe_error
from export.errors import ExportError
from rn_model import DomainNorm, domain_norms


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
    if len(shapes) != 1:
        advice = (
            "use a separate layer for every call"
            if shapes
            else "remove it from the network, or exclude it from the conversion"
        )
        raise ExportError(
            f"normalization layer {name!r} runs {len(shapes)} times in a forward pass; {advice}"
        )
    if shapes[0][0] != images:
        raise ExportError(
            f"normalization layer {name!r} takes {shapes[0][0]} rows for {images} images, so rows cannot be"
            " assigned to images: its input must be (N, C, *), one row per image"
        )
