"""The split of a training batch into source images and target images."""

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
    """State that training batches consist of ``source`` source images, then ``target`` target images.

    A context manager: it applies to all layers of the model within the block. The two numbers may
    differ, be odd, or be 0; without images of a domain, its running moments replace those of the batch.

    In a distributed training, the numbers are those of this process's batch. The moments are those of
    the joined batches of all processes, and every process has to enter the block. With activation
    checkpointing, keep the backward pass in the block too, because it runs the layers again.

    Args:
        model: model with domain-specific normalizations.
        source, target: number of images of each domain in a batch.

    Raises:
        ValueError: if a number is negative, or both are 0.

    Example:
        >>> from rn_model import ReciprocalNorm2d
        >>> layer = ReciprocalNorm2d(3)
        >>> with domain_split(layer, source=4, target=2):
        ...     y = layer(torch.randn(6, 3, 8, 8))
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
    """Both numbers as a tensor on the device on which the processes communicate."""
    first = next(chain(model.parameters(), model.buffers()), None)
    device = first.device if first is not None and world_size() > 1 else None
    return torch.tensor([source, target], device=device)
