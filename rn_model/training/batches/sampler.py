"""Sampling of batches as a function of the seed and the step alone.

Resuming a training therefore needs no sampler state, and the order does not depend on the number of
worker processes.
"""

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler

from rn_model.training.seeds import combine_seeds


class Shuffled:
    """An endless sequence of indices, shuffled anew in every epoch.

    Args:
        count: number of images.
        seed: random seed of the order.
    """

    def __init__(self, count: int, seed: int) -> None:
        self._count = count
        self._seed = seed
        self._epoch = -1
        self._order: list[int] = []

    def slice(self, begin: int, end: int) -> list[int]:
        """Elements ``begin`` to ``end`` (exclusive) of the sequence."""
        indices: list[int] = []
        while begin < end:
            epoch, place = divmod(begin, self._count)
            self._shuffle(epoch)
            part = self._order[place : place + end - begin]
            indices += part
            begin += len(part)
        return indices

    def _shuffle(self, epoch: int) -> None:
        if epoch == self._epoch:
            return
        generator = torch.Generator().manual_seed(combine_seeds(self._seed, epoch))
        self._order = torch.randperm(self._count, generator=generator).tolist()
        self._epoch = epoch


class StepSampler(Sampler[list[int]]):
    """Batches of indices into several concatenated sets, with equal parts of each set.

    Args:
        counts: number of images of each set.
        batch_size: number of images per batch, over all processes.
        steps: range of the steps.
        seed: random seed of the order.
        share: rank of this process, and number of processes; each gets its share of every batch.
    """

    def __init__(
        self,
        counts: Sequence[int],
        batch_size: int,
        steps: range,
        seed: int,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self._offsets = [sum(counts[:number]) for number in range(len(counts))]
        self._orders = [
            Shuffled(count, combine_seeds(seed, number)) for number, count in enumerate(counts)
        ]
        self._batch_size = batch_size
        self._steps = steps
        self._share = share

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[list[int]]:
        rank, size = self._share
        for step in self._steps:
            yield self._batch(step)[rank::size]

    def _batch(self, step: int) -> list[int]:
        indices: list[int] = []
        sets = len(self._orders)
        for number, (order, offset) in enumerate(zip(self._orders, self._offsets, strict=True)):
            drawn = [_drawn(self._batch_size, number, sets, n) for n in (step, step + 1)]
            indices += [offset + index for index in order.slice(*drawn)]
        return indices


def _drawn(batch_size: int, number: int, sets: int, step: int) -> int:
    """Number of images drawn from a set before ``step``; the totals of all sets differ by at most 1."""
    size, rest = divmod(batch_size, sets)
    return step * size + (number + step * rest) // sets
