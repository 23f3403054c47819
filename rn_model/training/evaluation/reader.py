"""Reads image sets in order, as the input of a network in evaluation."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bundle.preprocessing import Preprocessing
from rn_model.data import ImageSet
from rn_model.data.tensors import to_input
from rn_model.training.batches.loader import ordered_batches

_BATCH = 256


@dataclass(frozen=True)
class Reader:
    """Reads images and turns them into the input of a network.

    Attributes:
        preprocessing: contract by which pixels are scaled.
        device: device of the network.
        workers: number of processes that read images.
        before_batch: called before each batch; may raise an exception to stop reading.
    """

    preprocessing: Preprocessing
    device: torch.device
    workers: int = 0
    before_batch: Callable[[], None] | None = None

    def inputs(self, images: ImageSet, indices: Sequence[int]) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of inputs ``(N, C, H, W)`` and labels ``(N,)``, in order."""
        for batch in ordered_batches(images, indices, batch_size=_BATCH, workers=self.workers):
            if self.before_batch is not None:
                self.before_batch()
            pixels, labels, _ = batch.to(self.device)
            yield to_input(pixels, self.preprocessing), labels

    def only_inputs(self, images: ImageSet, indices: Sequence[int]) -> Iterator[Tensor]:
        """Batches of inputs ``(N, C, H, W)`` without labels, in order."""
        return (inputs for inputs, _ in self.inputs(images, indices))


def spread(count: int, limit: int) -> list[int]:
    """Evenly spaced indices below ``count``: at most ``limit``, or all of them."""
    if count <= limit:
        return list(range(count))
    return [number * count // limit for number in range(limit)]
