"""Which images make up the batch of a step: a function of the seed and the step alone.

Nothing has to be remembered to resume a training, and the order does not depend on the number of
processes that read images.
"""

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler


class Shuffled:
    """An endless sequence of indices in which every image comes once before any comes again.

    Args:
        count: number of images.
        seed: of the order.
    """

    def __init__(self, count: int, seed: int) -> None:
        self._count = count
        self._seed = seed
        self._epoch = -1
        self._order: list[int] = []

    def slice(self, begin: int, end: int) -> list[int]:
        """Places ``begin`` to ``end`` of the sequence."""
        indices: list[int] = []
        while begin < end:
            epoch, place = divmod(begin, self._count)
            self._shuffle(epoch)
            taken = self._order[place : place + end - begin]
            indices += taken
            begin += len(taken)
        return indices

    def _shuffle(self, epoch: int) -> None:
        if epoch == self._epoch:
            return
        generator = torch.Generator().manual_seed(combine(self._seed, epoch))
        self._order = torch.randperm(self._count, generator=generator).tolist()
        self._epoch = epoch


class StepSampler(Sampler[list[int]]):
    """Batches of several sets that lie one after another, equal parts of each in every batch.

    Args:
        counts: images of each set.
        batch_size: images of a batch, over all processes.
        steps: first batch and the one after the last.
        seed: of the order.
        share: rank of this process and number of processes; each takes its part of a batch.
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
            Shuffled(count, combine(seed, number)) for number, count in enumerate(counts)
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
    """How many images of a set the batches before this step had; over all sets within 1 of each other."""
    size, rest = divmod(batch_size, sets)
    return step * size + (number + step * rest) // sets


def combine(*numbers: int) -> int:
    """One seed made of several numbers, well mixed."""
    state = 0x9E3779B97F4A7C15
    for number in numbers:
        state = ((state ^ (number & 0xFFFFFFFFFFFFFFFF)) * 0xBF58476D1CE4E5B9) % 2**64
        state ^= state >> 29
    return state % 2**63
