"""Chooses how a model is run on this machine, by measuring it when it is loaded.

On a CPU, one session that every worker calls is as fast as the processors are. Whether a run may use the
processors that are idle, and whether images are run in batches, depends on the model.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime as ort

from bundle.loaded import Bundle
from bundle.preprocessing import Pixels
from bundle.runtime import make_session, threads_of
from service.inference.device import providers_for
from service.settings import Settings

logger = logging.getLogger(__name__)

GPU_BATCH = 64
BATCHES = (4, 16)
# Larger pools gain little, and disturb each other when many workers use them.
MAX_THREADS = 8
# Below this time, sharing an image among processors costs more than it gains; above it, batches do.
TINY_SECONDS = 0.002
# A model that takes longer is not measured further, so that it is loaded soon.
SLOW_SECONDS = 0.15
# What warms up is little of a run that takes longer.
LONG_SECONDS = 0.05
# What shared runs may lose of the throughput, and a larger batch has to gain.
LOSS, GAIN = 0.02, 0.05


@dataclass(frozen=True)
class Plan:
    """How a model is run.

    Attributes:
        workers: threads that decode and run images at the same time.
        threads: threads within one run.
        max_batch: maximum number of images per run.
        gathers: whether one batch at a time is run, of images that all workers decoded.
        why: the reason, for people.
    """

    workers: int = 1
    threads: int = 1
    max_batch: int = 1
    gathers: bool = False
    why: str = "not measured"

    def __str__(self) -> str:
        """The plan in one line."""
        return (
            f"{_count(self.workers, 'worker')}, {_count(self.threads, 'thread')} a run, up to"
            f" {_count(self.max_batch, 'image')} a run: {self.why}"
        )


UNMEASURED = Plan()


def make_plan(bundle: Bundle, settings: Settings) -> Plan:
    """The plan for a bundle: what the settings say, and measured where they leave the choice."""
    plan = _plan(bundle, settings)
    logger.info("model %s: %s", bundle.manifest.name, plan)
    return plan


def _plan(bundle: Bundle, settings: Settings) -> Plan:
    workers, threads, max_batch = settings.worker_count, settings.threads, settings.max_batch
    if settings.device != "cpu":
        return Plan(workers, threads or 1, max_batch or GPU_BATCH, True, "one GPU")
    processors = min(settings.processors, MAX_THREADS)
    if settings.engine == "parallel":
        return Plan(workers, threads or 1, max_batch or 1, why="set: one processor per image")
    if settings.engine == "latency":
        why = "set: idle processors help"
        return Plan(workers, threads or processors, max_batch or 1, why=why)
    if settings.engine == "batch":
        return Plan(workers, threads or processors, max_batch or GPU_BATCH, True, "set: batches")
    if threads and max_batch:
        return Plan(workers, threads, max_batch, why="set: threads and batches")
    measurement = _Measurement(bundle, settings)
    found = measurement.plan()
    bundle.predictor.give(measurement.sessions[found.threads])
    return Plan(workers, threads or found.threads, max_batch or found.max_batch, why=found.why)


class _Measurement:
    """Measures a model for a fraction of a second.

    Args:
        bundle: the bundle.
        settings: device and processors.

    Attributes:
        sessions: the sessions that were measured, by their threads.
    """

    def __init__(self, bundle: Bundle, settings: Settings) -> None:
        self._bundle = bundle
        self._providers = providers_for(settings.device)
        self._workers = settings.worker_count
        self._processors = min(settings.processors, MAX_THREADS)
        self.sessions: dict[int, ort.InferenceSession] = {}
        shape = (max(BATCHES), *bundle.manifest.preprocessing.shape)
        self._images: Pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)

    def plan(self) -> Plan:
        """What is best, as far as the settings leave the choice."""
        narrow = self._session(1)
        alone = self._fastest(narrow, 1, 0.05)
        image = f"an image takes {1000 * alone:.2g} ms on one processor"
        if alone < TINY_SECONDS:
            batch, each = self._best_batch(alone)
            if batch == 1:
                return Plan(why=f"{image}, and no less in a batch")
            return Plan(max_batch=batch, why=f"{image}, {1000 * each:.2g} ms in a batch of {batch}")
        if min(self._processors, self._workers) == 1:
            return Plan(why=image)
        return self._share(narrow, alone, image)

    def _share(self, narrow: ort.InferenceSession, alone: float, image: str) -> Plan:
        """Let an image use idle processors, unless that costs throughput when none is idle."""
        wide = self._session(self._processors)
        together = self._fastest(wide, 1, 0.0 if alone > SLOW_SECONDS else 0.05)
        faster = f"{image}, {1000 * together:.2g} ms on {self._processors}"
        if together > (1 - GAIN) * alone:
            return Plan(why=f"{faster}, which is not worth it")
        if alone > SLOW_SECONDS:
            return Plan(threads=self._processors, why=faster)
        seconds: dict[int, list[float]] = {1: [], self._processors: []}
        runs = max(1, round(0.02 / alone))
        for _ in range(1 if alone > 0.05 else 2):
            seconds[1].append(self._saturated(narrow, runs))
            seconds[self._processors].append(self._saturated(wide, runs))
        kept = min(seconds[1]) / min(seconds[self._processors])
        why = f"{faster}, which keeps {kept:.0%} of the throughput"
        return Plan(threads=1 if kept < 1 - LOSS else self._processors, why=why)

    def _best_batch(self, alone: float) -> tuple[int, float]:
        """The smallest batch with nearly the shortest time per image, and that time."""
        # A session keeps the memory of its largest batch, so this one is not used for anything else.
        session = make_session(
            self._bundle.predict, self._bundle.predict_arrays, threads=1, providers=self._providers
        )
        each = {1: alone}
        for batch in BATCHES:
            each[batch] = self._fastest(session, batch, 0.04) / batch
        shortest = min(each.values())
        return next((b, s) for b, s in each.items() if s * (1 - GAIN) <= shortest)

    def _session(self, threads: int) -> ort.InferenceSession:
        bundle = self._bundle
        session = bundle.predictor.take()
        if session is None or threads_of(session) != threads:
            session = make_session(
                bundle.predict, bundle.predict_arrays, threads=threads, providers=self._providers
            )
        self.sessions[threads] = session
        return session

    def _fastest(self, session: ort.InferenceSession, batch: int, seconds: float) -> float:
        """Shortest time of a run, after one that warms up, unless already that one took long."""
        feed = {"image": self._images[:batch]}
        first = _seconds(lambda: session.run(None, feed))
        if first > LONG_SECONDS:
            return first
        times: list[float] = []
        while not times or sum(times) < seconds:
            times.append(_seconds(lambda: session.run(None, feed)))
        return min(times)

    def _saturated(self, session: ort.InferenceSession, runs: int) -> float:
        """Time in which as many threads as there are workers make some runs each."""
        feed = {"image": self._images[:1]}

        def run() -> None:
            for _ in range(runs):
                session.run(None, feed)

        return _seconds(lambda: _together([run] * self._workers))


def _together(tasks: Sequence[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=task) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _seconds(task: Callable[[], object]) -> float:
    begun = time.perf_counter()
    task()
    return time.perf_counter() - begun


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
