"""Gathers what several workers decoded, for a device that runs one large batch at a time."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bundle.preprocessing import Pixels
from service.inference.jobs import Job, Runnable


@dataclass(frozen=True)
class Decoded:
    """Images of a job that are ready to run.

    Attributes:
        job: the job.
        start: position of the first image.
        pixels: ``(N, H, W, C)``.
        runnable: the version that runs them.
        seconds: time that decoding took.
    """

    job: Job
    start: int
    pixels: Pixels
    runnable: Runnable
    seconds: float


class Gatherer:
    """Lets one worker at a time run what all have decoded, while the others decode what comes next.

    Args:
        run: runs images together, all by one version; must not raise.
    """

    def __init__(self, run: Callable[[Sequence[Decoded]], None]) -> None:
        self._run = run
        self._waiting: deque[Decoded] = deque()
        self._images = 0
        self._running = False
        self._changed = threading.Condition()

    def add(self, decoded: Sequence[Decoded], max_batch: int) -> None:
        """Have images run, by this worker or by the one that is running now.

        Args:
            decoded: the images.
            max_batch: maximum number of images per run; if two such batches are waiting already, this
                waits, too.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._images < 2 * max_batch)
            self._waiting += decoded
            self._images += sum(len(each.pixels) for each in decoded)
            if self._running:
                return
            self._running = True
        while batch := self._next(max_batch):
            self._run(batch)

    def _next(self, max_batch: int) -> list[Decoded]:
        """The images to run next; if there are none, the next worker that comes runs its own."""
        batch: list[Decoded] = []
        images = 0
        with self._changed:
            while self._waiting:
                first = self._waiting[0]
                images += len(first.pixels)
                if batch and (images > max_batch or first.runnable is not batch[0].runnable):
                    break
                batch.append(self._waiting.popleft())
            self._images -= sum(len(each.pixels) for each in batch)
            self._running = bool(batch)
            self._changed.notify_all()
        return batch
