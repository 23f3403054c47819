"""Tells the layers of a model which images of a batch are source and which are target."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn

from rn_model.layers.distributed import all_gather, world_size
from rn_model.layers.domain_norm import domain_norms
from rn_model.layers.domains import Split


@contextmanager
def domain_split(model: nn.Module, *, source: int, target: int) -> Iterator[None]:
    """Within the block, a training batch is ``source`` source images followed by ``target`` target ones.

    The sizes may differ, be odd, or be 0: then the running moments of the missing domain stand in for
    its batch's. In a distributed training the sizes are those of this process's batch; moments are
    those of all processes' batches joined, and every process has to enter the block. With activation
    checkpointing, keep the backward pass in the block too: it runs the layers again.

    Raises:
        ValueError: if a size is negative or no image is left.
    """
    if source < 0 or target < 0 or source + target == 0:
        raise ValueError(f"cannot split a batch into {source} source and {target} target images")
    layers = [layer for _, layer in domain_norms(model)]
    before = [(layer.split, layer.joint_split) for layer in layers]
    joint = Split(*all_gather(_on_device_of(model, source, target)).sum(dim=0).tolist())
    for layer in layers:
        layer.split, layer.joint_split = Split(source, target), joint
    try:
        yield
    finally:
        for layer, splits in zip(layers, before, strict=True):
            layer.split, layer.joint_split = splits


def _on_device_of(model: nn.Module, source: int, target: int) -> Tensor:
    """Counts as the processes exchange them, where their tensors are."""
    first = next(chain(model.parameters(), model.buffers()), None)
    device = first.device if first is not None and world_size() > 1 else None
    return torch.tensor([source, target], device=device)
