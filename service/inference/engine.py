"""The engine: one queue of images for the whole process, and threads that decode and run them.

A worker takes what is first in the queue, decodes it and runs it, so that an image never changes threads.
On a CPU, as many workers as there are processors share sessions that use one thread each.
"""

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Self

import numpy as np

from service.errors import DeadlinePassed, ShuttingDown
from service.inference.gathering import Decoded, Gatherer
from service.inference.jobs import Job, Seconds, Work
from service.inference.prediction import Prediction
from service.inference.queue import ImageQueue, Limits, Part
from service.monitoring.metrics import Metrics
from service.monitoring.tracing import tracing

logger = logging.getLogger(__name__)


class Engine:
    """Runs the predictions of every model and target of the process.

    Args:
        workers: number of threads that decode and run.
        limits: how much may wait, and for how long.
        metrics: metrics that count batches and times.
    """

    def __init__(self, workers: int, limits: Limits, metrics: Metrics) -> None:
        self._limits = limits
        self._metrics = metrics
        self._workers = workers
        self._queue = ImageQueue(limits, workers)
        self._gatherer = Gatherer(self._run)
        self._closed = False
        self._lock = threading.Lock()
        self._ready = threading.Condition(self._lock)
        self._idle = threading.Condition(self._lock)
        self._threads = [
            threading.Thread(target=self._loop, name=f"predict-{number}", daemon=True)
            for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def admit(self, arrived: float | None = None) -> "Place":
        """Admit a request to the queue, before its body is read.

        Args:
            arrived: time of :func:`time.monotonic` at which its headers had arrived; by default now. From
                then on its deadline counts.

        Raises:
            QueueFull: if too much is waiting.
            ShuttingDown: after :meth:`close`.
        """
        begun = time.monotonic() if arrived is None else arrived
        place = Place(self, begun, self._limits.timeout)
        place.hold(1)
        return place

    @property
    def waiting(self) -> int:
        """Number of images that wait."""
        return self._queue.waiting

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until no image that can be run waits for a worker, for at most some seconds.

        Returns:
            Whether that is so.
        """
        with self._lock:
            return self._idle.wait_for(lambda: not self._queue, seconds)

    def close(self) -> None:
        """Answer what is queued, then stop."""
        with self._lock:
            self._closed = True
            self._ready.notify_all()
        for thread in self._threads:
            thread.join()

    def hold(self, place: "Place", images: int) -> None:
        """Let a place hold a number of images; called by :meth:`Place.hold`."""
        with self._lock:
            self._hold(place, images)

    def enqueue(self, place: "Place", job: Job) -> None:
        """Queue the job of a place; called by :meth:`Place.submit`."""
        with self._lock:
            self._hold(place, job.work.images)
            self._queue.append(job)
            self._ready.notify()

    def drop(self, images: int, job: Job | None) -> None:
        """Give the places of images back, and give up what is left of their job."""
        with self._lock:
            if job is None:
                self._queue.release(images)
            else:
                job.dropped = True
                self._queue.remove(job)
            if not self._queue:
                self._idle.notify_all()
            self._metrics.queued.set(self._queue.waiting)

    def _hold(self, place: "Place", images: int) -> None:
        if self._closed:
            raise ShuttingDown("the service is shutting down")
        self._queue.hold(images, place.held)
        place.held = images
        self._metrics.queued.set(self._queue.waiting)

    def _loop(self) -> None:
        # In a function of its own, so that a thread that waits keeps no model in memory.
        while self._run_next():
            pass

    def _run_next(self) -> bool:
        """Wait for images, and run those that come next; False if there will be none any more."""
        with self._lock:
            while not self._queue and not self._closed:
                self._ready.wait()
            if not self._queue:
                return False
            batch, late = self._queue.take(time.monotonic())
            self._metrics.queued.set(self._queue.waiting)
            if self._queue:
                self._ready.notify()
            else:
                self._idle.notify_all()
        for job in late:
            job.fail(DeadlinePassed("the request waited too long"))
        if batch:
            self._answer(batch)
        return True

    def _answer(self, batch: Sequence[Part]) -> None:
        decoded = [found for part in batch if (found := self._decode(part)) is not None]
        if not decoded:
            return
        versions = decoded[0].job.work.versions
        if versions.gathers:
            self._gatherer.add(decoded, versions.max_batch)
        else:
            self._run(decoded)

    def _decode(self, part: Part) -> Decoded | None:
        """Pixels of a part; None if its job failed."""
        job = part.job
        if job.dropped or job.reply.done():
            return None
        begun = time.monotonic()
        try:
            if job.runnable is None:
                # Only a version that was asked for by its number may have to be built.
                job.runnable = job.work.versions.get(job.work.version)
            pixels = job.work.decode(part.start, part.stop)
        except Exception as error:
            self._fail(job, error)
            return None
        return Decoded(job, part.start, pixels, job.runnable, time.monotonic() - begun)

    def _run(self, decoded: Sequence[Decoded]) -> None:
        """Run images together, and give each job its part of the probabilities."""
        begun = time.monotonic()
        try:
            parts = [each.pixels for each in decoded]
            images = parts[0] if len(parts) == 1 else np.concatenate(parts)
            probabilities = decoded[0].runnable.probabilities(images)
        except Exception as error:
            for each in decoded:
                self._fail(each.job, error)
            return
        infer = time.monotonic() - begun
        self._measure(decoded, infer)
        on_run = decoded[0].job.work.on_run
        if on_run is not None:
            on_run(decoded[0].runnable.version, images, probabilities)
        start = 0
        for each in decoded:
            stop = start + len(each.pixels)
            seconds = each.job.add(each.start, probabilities[start:stop], each.seconds, infer)
            if seconds is not None:
                each.job.context.run(self._report, seconds)
            start = stop

    def _measure(self, decoded: Sequence[Decoded], infer: float) -> None:
        images = sum(len(each.pixels) for each in decoded)
        decode = sum(each.seconds for each in decoded)
        self._metrics.batch_images.observe(images)
        # A batch that was gathered occupies the device, and the workers decode beside it.
        gathers = decoded[0].job.work.versions.gathers
        busy = max(decode, infer * self._workers) if gathers else decode + infer
        with self._lock:
            self._queue.measure(images, busy)

    def _fail(self, job: Job, error: Exception) -> None:
        """Answer a job with an error, and drop what is left of it."""
        self.drop(0, job)
        job.fail(error)

    def _report(self, seconds: Seconds) -> None:
        stages = self._metrics.stages
        stages.queue.observe(seconds.queue)
        stages.decode.observe(seconds.decode)
        stages.infer.observe(seconds.infer)
        tracing.record(queue=seconds.queue, decode=seconds.decode, infer=seconds.infer)


class Place:
    """A place in the queue that a request holds while it is read, decoded and run.

    A context manager that leaves the place at its end.

    Args:
        engine: the engine.
        begun: time of :func:`time.monotonic` at which the request arrived.
        timeout: seconds after that until nobody waits for the answer.

    Attributes:
        timeout: see above.
        deadline: time of :func:`time.monotonic` after which nobody waits for the answer.
        held: number of images that hold the place.
    """

    def __init__(self, engine: Engine, begun: float, timeout: float) -> None:
        self.timeout = timeout
        self.deadline = begun + timeout
        self.held = 0
        self._engine = engine
        self._job: Job | None = None

    @property
    def seconds(self) -> float:
        """Seconds since the request arrived."""
        return time.monotonic() - self.deadline + self.timeout

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.leave()

    def leave(self) -> None:
        """Drop the images that no worker has taken."""
        if self._job is None or not self._job.reply.done():
            held, self.held = self.held, 0
            self._engine.drop(held, self._job)

    def hold(self, images: int) -> None:
        """Hold the place for a number of images, as soon as it is known.

        Raises:
            QueueFull: if so many do not fit.
            ShuttingDown: if the engine was closed.
        """
        self._engine.hold(self, images)

    def submit(self, work: Work) -> Future[Prediction]:
        """Queue the work of the request, once; the reply comes from a worker thread.

        Raises:
            QueueFull: if its images do not fit.
            ShuttingDown: if the engine was closed.
        """
        assert self._job is None
        job = Job(work, self.deadline, time.monotonic())
        self._engine.enqueue(self, job)
        self._job = job
        return job.reply
