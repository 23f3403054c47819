"""Tells the layers of a model which images of a batch are source and which are target."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from rn_model.domain_norm import Split, domain_norms


@contextmanager
def domain_split(model: nn.Module, *, source: int, target: int) -> Iterator[None]:
    """Within the block, a training batch is ``source`` source images followed by ``target`` target ones.

    The sizes may differ and be odd. With activation checkpointing, keep the backward pass in the block
    too: it runs the layers again.

    Raises:
        ValueError: if a size is negative or no image is left.
    """
    if source < 0 or target < 0 or source + target == 0:
        raise ValueError(f"cannot split a batch into {source} source and {target} target images")
    layers = [layer for _, layer in domain_norms(model)]
    before = [layer.split for layer in layers]
    for layer in layers:
        layer.split = Split(source, target)
    try:
        yield
    finally:
        for layer, split in zip(layers, before, strict=True):
            layer.split = split
