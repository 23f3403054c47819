"""Work that predictions come before: adaptation, in small pieces and at a low priority.

Before every piece, it waits until no image waits for a worker. Under constant load it would wait for ever;
so it waits at most a multiple of the processor time that the piece before took, which leaves it a small
share of one processor.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any, Protocol, TypeVar

from bundle.preprocessing import Pixels

T = TypeVar("T")

# Images that are scored in one piece; decoding is a piece per image.
PIECE = 8
# Images with more pixels are run in smaller parts: all that a network computes of a part is in memory at
# once.
LARGE_PIXELS = 128 * 128
# A thread at this priority gets a tenth of a processor that another one wants. At the lowest priority, a
# thread that holds the interpreter's lock would be kept from giving it back.
NICENESS = 10
# The lowest priority that there is.
MOST_NICE = 19
# Under constant load, one part in this number of the time of one processor is left to the background.
SHARE = 20
PATIENCE_SECONDS = 1.0
# How soon an urgent change is noticed.
POLL_SECONDS = 0.05


class Pieces(Protocol):
    """Runs the pieces of one line of work."""

    def run(self, piece: Callable[[], T]) -> T:
        """The result of a piece, once it was its turn."""

    def urgent(self) -> AbstractContextManager[None]:
        """A block in which no piece waits, because a change by hand waits for them."""


class AtOnce:
    """Runs pieces where and when they are wanted."""

    def run(self, piece: Callable[[], T]) -> T:
        """The result of a piece."""
        return piece()

    def urgent(self) -> AbstractContextManager[None]:
        """A block like any other."""
        return nullcontext()


AT_ONCE = AtOnce()


class Background:
    """Runs pieces of work in one thread of low priority, while no prediction waits.

    Args:
        wait_until_idle: waits until no prediction waits, for at most a number of seconds; returns whether
            that is so.
        patience: seconds that every piece waits, if predictions never stop waiting.

    Attributes:
        waiting: number of pieces that are waiting for predictions.
        done: number of pieces that were run in the background.
    """

    def __init__(
        self, wait_until_idle: Callable[[float], bool], patience: float = PATIENCE_SECONDS
    ) -> None:
        self.waiting = 0
        self.done = 0
        self._wait_until_idle = wait_until_idle
        self._patience = patience
        self._longest = patience
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(
            1, thread_name_prefix="background", initializer=_lower_priority
        )

    def line(self) -> "Line":
        """A new line of work; its pieces share the thread with those of the others."""
        return Line(self)

    def run(self, piece: Callable[[], T], is_urgent: Callable[[], bool] = lambda: False) -> T:
        """The result of a piece.

        Args:
            piece: the piece.
            is_urgent: whether it has to be run now, in the thread that calls.
        """
        self._give_way(is_urgent)
        if is_urgent():
            return piece()
        return self._thread.submit(self._timed, piece).result()

    def close(self) -> None:
        """Stop; nothing is running any more."""
        self._thread.shutdown()

    def _give_way(self, is_urgent: Callable[[], bool]) -> None:
        with self._lock:
            self.waiting += 1
        try:
            end = time.monotonic() + self._longest
            while not is_urgent() and (left := end - time.monotonic()) > 0:
                if self._wait_until_idle(min(left, POLL_SECONDS)):
                    return
        finally:
            with self._lock:
                self.waiting -= 1

    def _timed(self, piece: Callable[[], T]) -> T:
        begun = time.thread_time()
        try:
            return piece()
        finally:
            self.done += 1
            self._longest = max(self._patience, (SHARE - 1) * (time.thread_time() - begun))


class Line:
    """Pieces that one writer waits for, and that a change by hand makes urgent.

    Args:
        background: runs the pieces.
    """

    def __init__(self, background: Background) -> None:
        self._background = background
        self._urgent = 0
        self._lock = threading.Lock()

    def run(self, piece: Callable[[], T]) -> T:
        """The result of a piece, once it was its turn."""
        return self._background.run(piece, lambda: self._urgent > 0)

    @contextmanager
    def urgent(self) -> Iterator[None]:
        """A block in which no piece waits, because a change by hand waits for them."""
        with self._lock:
            self._urgent += 1
        try:
            yield
        finally:
            with self._lock:
                self._urgent -= 1


def in_parts(images: Sequence[Pixels] | Pixels, size: int, large: int) -> list[Any]:
    """Images, each ``(H, W, C)``, in parts of at most ``size``, or of ``large`` if any is a large one."""
    any_large = any(image.shape[0] * image.shape[1] > LARGE_PIXELS for image in images)
    most = large if any_large else size
    return [images[start : start + most] for start in range(0, len(images), most)]


def _lower_priority() -> None:
    """Lower the priority of this thread; only on Linux does a thread have one of its own."""
    if sys.platform != "linux":
        return
    thread = threading.get_native_id()
    # Below that of this process, whatever it is: nobody may raise a priority again.
    lower = min(MOST_NICE, os.getpriority(os.PRIO_PROCESS, thread) + NICENESS)
    # Where a sandbox forbids it, adaptation takes its turn with predictions, which is better than none.
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, thread, lower)
