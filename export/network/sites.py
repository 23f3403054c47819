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
        name: of the layer in the network.
        layer: the module.
        offset: where its channels begin in the flat vectors.
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
        """Its part of the flat vectors."""
        return slice(self.offset, self.offset + self.channels)

    @property
    def broadcast_shape(self) -> tuple[int, ...]:
        """Shape in which a per-channel vector meets the layer's input, batch left out."""
        return (self.channels, *[1] * (self.rank - 2))


def find_sites(model: nn.Module, x: Tensor) -> list[NormSite]:
    """Every domain-specific normalization of a network, in definition order.

    Args:
        model: in evaluation mode.
        x: an input of the network.

    Raises:
        ExportError: if the network cannot be run; if there is no site; if one takes part not exactly
            once in a forward pass: its moments in two places are two things, and one set of statistics
            cannot be both; or if the rows of its input are not the images.
    """
    layers = list(domain_norms(model))
    if not layers:
        raise ExportError("the model has no normalization to adapt: convert it first")
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
        raise ExportError(f"the network does not take images {tuple(x.shape)}: {reason}") from error
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
            "give every place a layer of its own"
            if shapes
            else "take it out of the network, or leave it out of the conversion"
        )
        raise ExportError(
            f"normalization layer {name!r} runs {len(shapes)} times in a forward pass; {advice}"
        )
    if shapes[0][0] != images:
        raise ExportError(
            f"normalization layer {name!r} takes {shapes[0][0]} rows of {images} images, and cannot tell"
            " which image a row is of: let it take (N, C, *), one row an image"
        )
