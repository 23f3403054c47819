"""The thread that uses a GPU, one run after another."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class DeviceThread:
    """Runs work in one thread, in the order in which it comes.

    ONNX Runtime keeps CUDA graphs, and the plans of cuDNN, for each thread that runs a session: a second
    thread would capture and plan again, for a tenth of a second per batch size. And while a graph is
    captured, an allocation or a copy by any other thread would break the capture.
    """

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, "device", initializer=self._remember)
        self._thread: int | None = None

    def run(self, work: Callable[[], T]) -> T:
        """Run work in the thread, and wait for its result; within the thread, run it at once."""
        if threading.get_ident() == self._thread:
            return work()
        return self._executor.submit(work).result()

    def free(self, contents: dict[str, object]) -> None:
        """Forget contents in the thread, whose memory on the device is freed while nothing runs.

        Does not wait, because objects are deleted wherever the last reference to them ends.
        """
        try:
            self._executor.submit(contents.clear)
        except RuntimeError:  # the interpreter ends, and no run comes any more
            contents.clear()

    def _remember(self) -> None:
        self._thread = threading.get_ident()


# All sessions of the process take turns, because they share the memory of the device.
DEVICE_THREAD = DeviceThread()
