"""The queue of predictions: one thread per device runs what is queued together, without added delay.

While a batch runs, requests queue up; when the runner is free, it takes as many as fit. Images are
counted, not requests.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from bundle.preprocessing import Pixels
from service.errors import DeadlinePassed, QueueFull, ShuttingDown
from service.inference.prediction import Prediction
from service.monitoring.metrics import Metrics

Run = Callable[[int | None, Pixels], Prediction]


@dataclass
class _Entry:
    run: Run
    pixels: Pixels
    version: int | None
    deadline: float
    queued_at: float
    reply: Future[Prediction] = field(default_factory=Future)


class PredictionQueue:
    """A bounded queue of images, and the thread that empties it.

    Args:
        metrics: metrics that count batches and times.
        max_batch: maximum number of images per batch; a larger request is run alone, in parts.
        max_queue: maximum number of images that wait.
    """

    def __init__(self, metrics: Metrics, max_batch: int, max_queue: int) -> None:
        self._metrics = metrics
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._entries: deque[_Entry] = deque()
        self._waiting = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._loop, name="predict", daemon=True)
        self._thread.start()

    def submit(
        self, run: Run, pixels: Pixels, version: int | None, timeout: float
    ) -> Future[Prediction]:
        """Queue images; cancel the reply to drop them.

        Args:
            run: predicts a batch with a version, None for the served one; requests that wait with the same
                one, and for the same version, are run together.
            pixels: the images, ``(N, H, W, C)`` uint8.
            version: number of the version, None for the served one.
            timeout: seconds after which nobody waits any more.

        Raises:
            QueueFull: if too many images are waiting.
            ShuttingDown: after :meth:`close`.
        """
        at = time.monotonic()
        entry = _Entry(run, pixels, version, at + timeout, at)
        with self._changed:
            if self._closed:
                raise ShuttingDown("the service is shutting down")
            # A request larger than the queue is accepted when nothing else waits.
            if self._waiting and self._waiting + len(pixels) > self._max_queue:
                raise QueueFull(
                    f"{self._waiting} images are waiting already; the maximum is {self._max_queue}"
                )
            self._entries.append(entry)
            self._count(len(pixels))
            self._changed.notify()
        return entry.reply

    def close(self) -> None:
        """Answer what is queued, then stop."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _loop(self) -> None:
        while True:
            with self._changed:
                while not self._entries and not self._closed:
                    self._changed.wait()
                if not self._entries:
                    return
                batch = self._take()
            if batch:
                self._answer(batch)

    def _take(self) -> list[_Entry]:
        """The next entries that fit into one batch; those that nobody waits for are dropped."""
        batch: list[_Entry] = []
        images = 0
        while self._entries:
            entry = self._entries[0]
            if batch and (
                images + len(entry.pixels) > self._max_batch or not _alike(entry, batch[0])
            ):
                break
            self._entries.popleft()
            self._count(-len(entry.pixels))
            if not entry.reply.set_running_or_notify_cancel():
                continue
            if time.monotonic() > entry.deadline:
                entry.reply.set_exception(DeadlinePassed("the request waited too long"))
                continue
            batch.append(entry)
            images += len(entry.pixels)
        return batch

    def _answer(self, batch: list[_Entry]) -> None:
        started = time.monotonic()
        try:
            pixels = np.concatenate([entry.pixels for entry in batch])
            prediction = self._run_in_parts(batch[0], pixels)
        except Exception as error:
            for entry in batch:
                entry.reply.set_exception(error)
            return
        elapsed = time.monotonic() - started
        self._metrics.batch_images.observe(len(pixels))
        start = 0
        for entry in batch:
            self._metrics.stage_seconds.labels("queue").observe(started - entry.queued_at)
            self._metrics.stage_seconds.labels("infer").observe(elapsed)
            stop = start + len(entry.pixels)
            part = prediction.probabilities[start:stop]
            entry.reply.set_result(Prediction(prediction.version, part))
            start = stop

    def _run_in_parts(self, entry: _Entry, pixels: Pixels) -> Prediction:
        first = entry.run(entry.version, pixels[: self._max_batch])
        parts = [first.probabilities]
        for start in range(self._max_batch, len(pixels), self._max_batch):
            # All images of a request are predicted by one version, even if it changes meanwhile.
            part = entry.run(first.version, pixels[start : start + self._max_batch])
            parts.append(part.probabilities)
        return Prediction(first.version, np.concatenate(parts))

    def _count(self, images: int) -> None:
        self._waiting += images
        self._metrics.queued.set(self._waiting)


def _alike(entry: _Entry, other: _Entry) -> bool:
    return entry.run == other.run and entry.version == other.version
