"""What a request wants predicted, and what has become of it so far."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from contextvars import copy_context
from dataclasses import astuple, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bundle.preprocessing import Pixels
from service.inference.prediction import Prediction

Decode = Callable[[int, int], Pixels]
OnRun = Callable[[int, Pixels, NDArray[np.float64]], None]


class Runnable(Protocol):
    """A version that is ready to run."""

    @property
    def version(self) -> int:
        """Number of the version."""

    def probabilities(self, pixels: Pixels) -> NDArray[np.float64]:
        """Probabilities ``(N, K)`` for images ``(N, H, W, C)``."""


class Versions(Protocol):
    """The versions of one target that can be run."""

    @property
    def max_batch(self) -> int:
        """Maximum number of images that are run together."""

    @property
    def gathers(self) -> bool:
        """Whether one batch at a time is run, of images that several workers decoded."""

    @property
    def served(self) -> Runnable:
        """The version that is served; one reference, so reading it costs nothing."""

    def get(self, version: int | None) -> Runnable:
        """A version by its number, which may have to be built first; None for the served one."""


@dataclass(frozen=True)
class Work:
    """What a request wants predicted.

    Attributes:
        versions: versions of the target.
        version: number of the version to use; None for the one that is served when the first image is run.
        images: number of images, 1 or more.
        decode: returns the pixels ``(stop - start, H, W, C)`` of the images from ``start`` to ``stop``;
            called in a worker thread. What it raises is the answer to this request alone.
        runnable: the version to use, if it is ready to run; None if it is looked up when the first image is
            run, where building it would stop other requests.
        on_run: called after every run with its version, images and probabilities, of the work that came
            first in its batch; must not raise.
    """

    versions: Versions
    version: int | None
    images: int
    decode: Decode
    runnable: Runnable | None = None
    on_run: OnRun | None = None


@dataclass(frozen=True)
class Seconds:
    """Time that a job spent in each stage.

    Attributes:
        queue: from its submission until its first image was taken.
        decode: decoding all of its images.
        infer: running the batches that its images were in.
    """

    queue: float
    decode: float
    infer: float


class Job:
    """Work in the queue, the results of its parts, and its reply.

    Args:
        work: what is wanted.
        deadline: time of :func:`time.monotonic` after which nobody waits for the reply.
        queued_at: time of its submission.

    Attributes:
        reply: the prediction of all images, in their order.
        taken: number of images that workers have taken.
        begun_at: time at which a worker took the first image.
        runnable: the version that predicts all images; None until it is known.
        dropped: whether nobody waits for the reply any more.
        context: context of the request, in which its times are reported.
    """

    def __init__(self, work: Work, deadline: float, queued_at: float) -> None:
        self.work = work
        self.context = copy_context()
        self.deadline = deadline
        self.reply: Future[Prediction] = Future()
        self.reply.set_running_or_notify_cancel()
        self.taken = 0
        self.runnable = work.runnable
        self.dropped = False
        self._queued_at = queued_at
        self.begun_at = queued_at
        self._decode = self._infer = 0.0
        self._answered = 0
        self._parts: dict[int, NDArray[np.float64]] = {}
        self._lock = threading.Lock()

    @property
    def left(self) -> int:
        """Number of images that no worker has taken."""
        return self.work.images - self.taken

    @property
    def key(self) -> tuple[Any, ...]:
        """What the images of one batch have in common: they are run by the same session."""
        return id(self.work.versions), self.work.version, id(self.runnable)

    def fail(self, error: BaseException) -> None:
        """Answer with an error, unless the job was answered before."""
        with suppress(InvalidStateError):
            self.reply.set_exception(error)

    def add(
        self, start: int, probabilities: NDArray[np.float64], decode: float, infer: float
    ) -> Seconds | None:
        """Add the probabilities of a part; the last part answers the job.

        Args:
            start: position of the first image of the part.
            probabilities: ``(images of the part, K)``.
            decode, infer: seconds that the part took.

        Returns:
            Where the time went if the job is complete, else None.
        """
        with self._lock:
            self._parts[start] = probabilities
            self._answered += len(probabilities)
            self._decode += decode
            self._infer += infer
            if self._answered < self.work.images:
                return None
        assert self.runnable is not None
        parts = [self._parts[key] for key in sorted(self._parts)]
        whole = parts[0] if len(parts) == 1 else np.concatenate(parts)
        seconds = Seconds(self.begun_at - self._queued_at, self._decode, self._infer)
        with suppress(InvalidStateError):
            self.reply.set_result(Prediction(self.runnable.version, whole, *astuple(seconds)))
        return seconds
