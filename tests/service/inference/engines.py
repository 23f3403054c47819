"""Networks and work for tests of the engine, which decide when a run ends."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bundle import Pixels
from service.inference.engine import Engine, Place
from service.inference.jobs import Work
from service.inference.prediction import Prediction
from service.inference.queue import Limits
from service.monitoring.metrics import Metrics

LONG = 300.0


@dataclass
class Network:
    """Stands for a version of a network: answers the first pixel of every image, when the test lets it.

    Attributes:
        version: number of the version.
        target: the target that it belongs to.
    """

    version: int
    target: "Target"

    def probabilities(self, pixels: Pixels) -> NDArray[np.float64]:
        """The first pixel of every image, ``(N, 1)``."""
        self.target.enter(self.version, pixels)
        return pixels[:, 0, 0].astype(np.float64)


@dataclass
class Target:
    """The versions of a target, and what was run.

    Attributes:
        runs: version and first pixels of every run, in the order in which they began.
        error: what every run raises.
    """

    runs: list[tuple[int, list[int]]] = field(default_factory=list)
    error: Exception | None = None
    max_batch: int = 8
    gathers: bool = False

    def __post_init__(self) -> None:
        self.served = Network(1, self)
        self._entered = threading.Semaphore(0)
        self._go = threading.Semaphore(0)

    def get(self, version: int | None) -> Network:
        """A version."""
        return self.served if version is None else Network(version, self)

    def enter(self, version: int, pixels: Pixels) -> None:
        """Record a run, and wait until it may end."""
        self.runs.append((version, pixels[:, 0, 0, 0].tolist()))
        self._entered.release()
        assert self._go.acquire(timeout=LONG)
        if self.error is not None:
            raise self.error

    def wait_for_run(self) -> None:
        """Wait until one more run has begun."""
        assert self._entered.acquire(timeout=LONG)

    def let_go(self, runs: int = 1) -> None:
        """Let runs end."""
        self._go.release(runs)

    def work(
        self, *values: int, version: int | None = None, decode: Callable[[], None] = lambda: None
    ) -> Work:
        """Work of images whose first pixels are given; ``decode`` is called whenever some are decoded."""
        pixels = images(*values)

        def decoded(start: int, stop: int) -> Pixels:
            decode()
            return pixels[start:stop]

        return Work(self, version, len(values), decoded)


def images(*values: int) -> Pixels:
    """Images of one pixel each."""
    return np.array(values, np.uint8).reshape(-1, 1, 1, 1)


def submit(engine: Engine, work: Work, arrived: float | None = None) -> Future[Prediction]:
    """Admit and queue work."""
    return admitted(engine, work, arrived)[1]


def admitted(
    engine: Engine, work: Work, arrived: float | None = None
) -> tuple[Place, Future[Prediction]]:
    """Admit and queue work; returns its place too."""
    place = engine.admit(arrived)
    try:
        return place, place.submit(work)
    except BaseException:
        place.leave()
        raise


def values(reply: Future[Prediction]) -> list[int]:
    """The first pixels that were predicted."""
    result: list[int] = reply.result(LONG).probabilities[:, 0].astype(int).tolist()
    return result


@contextmanager
def engine_of(
    target: Target,
    workers: int = 1,
    max_queue: int = 16,
    wait: float = LONG,
    timeout: float = LONG,
    metrics: Metrics | None = None,
) -> Iterator[Engine]:
    """An engine, closed at the end."""
    made = Engine(workers, Limits(max_queue, wait, timeout), metrics or Metrics())
    try:
        yield made
    finally:
        target.let_go(1000)
        made.close()


@contextmanager
def busy(target: Target, max_queue: int = 16) -> Iterator[Engine]:
    """An engine whose only worker is in the middle of a batch, so that new images have to wait."""
    with engine_of(target, max_queue=max_queue) as engine:
        submit(engine, target.work(0))
        target.wait_for_run()
        target.runs.clear()
        yield engine
