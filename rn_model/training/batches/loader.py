"""Batches of images as tensors, loaded by worker processes during training."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from rn_model.data import ImageSet
from rn_model.training.batches.sampler import StepSampler


class ImageBatch(NamedTuple):
    """A batch of images of one domain.

    Attributes:
        pixels: ``(N, H, W, C)`` uint8.
        labels: true classes, ``(N,)`` int64; -1 where unknown.
        indices: indices in the image set, ``(N,)`` int64.
    """

    pixels: Tensor
    labels: Tensor
    indices: Tensor

    def to(self, device: torch.device) -> "ImageBatch":
        """Copy the batch to another device."""
        return ImageBatch(*(part.to(device, non_blocking=True) for part in self))


class _Joined(Dataset[ImageBatch]):
    """Concatenation of several image sets, read one batch at a time."""

    def __init__(self, sets: Sequence[ImageSet]) -> None:
        self._sets = list(sets)
        self._ends = np.cumsum([len(images) for images in sets])

    def __getitem__(self, index: int) -> ImageBatch:
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> ImageBatch:
        owners = np.searchsorted(self._ends, indices, side="right")
        parts: list[ImageBatch] = []
        for owner in sorted(set(owners.tolist())):
            images = self._sets[owner]
            begin = int(self._ends[owner]) - len(images)
            own = [index - begin for index, of in zip(indices, owners, strict=True) if of == owner]
            parts.append(_read(images, own, begin))
        if not parts:
            parts = [_read(self._sets[0], [], 0)]
        return ImageBatch(*(torch.cat(columns) for columns in zip(*parts, strict=True)))


def _read(images: ImageSet, indices: Sequence[int], begin: int) -> ImageBatch:
    # One image is read for an empty list, because an empty batch needs a shape, too.
    pixels = torch.from_numpy(images.read(indices or [0]))[: len(indices)]
    index = torch.tensor(list(indices), dtype=torch.int64)
    if images.labels is None:
        labels = torch.full((len(index),), -1, dtype=torch.int64)
    else:
        labels = torch.from_numpy(images.labels)[index]
    return ImageBatch(pixels, labels, index + begin)


def training_batches(
    sets: Sequence[ImageSet],
    batch_size: int,
    steps: range,
    *,
    seed: int,
    share: tuple[int, int],
    workers: int,
) -> Iterator[ImageBatch]:
    """Load the batches of the given steps; every batch contains equal parts of all sets.

    Args:
        sets: image sets of one domain.
        batch_size: number of images per batch, over all processes.
        steps: range of the steps.
        seed: random seed of the order.
        share: rank of this process, and number of processes.
        workers: number of worker processes that read images.
    """
    sampler = StepSampler([len(images) for images in sets], batch_size, steps, seed, share)
    return iter(_loader(sets, sampler, workers))


def ordered_batches(
    images: ImageSet, indices: Sequence[int], *, batch_size: int, workers: int
) -> Iterator[ImageBatch]:
    """Load images of a set in the given order."""
    batches = [
        list(indices[begin : begin + batch_size]) for begin in range(0, len(indices), batch_size)
    ]
    # Starting a worker process for a single batch does not pay.
    return iter(_loader([images], batches, workers if len(batches) > 1 else 0))


def _loader(
    sets: Sequence[ImageSet], batches: StepSampler | list[list[int]], workers: int
) -> DataLoader[ImageBatch]:
    return DataLoader(
        _Joined(sets),
        batch_sampler=batches,
        collate_fn=_keep,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        prefetch_factor=4 if workers else None,
    )


def _keep(batch: Any) -> Any:
    """Return the batch unchanged: it is already complete."""
    return batch
