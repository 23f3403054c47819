"""Replaces the default model when the process is asked to read its files again."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from service.errors import ServiceError
from service.models.registry import Models


@contextmanager
def reloading_on_hangup(models: Models) -> Iterator[None]:
    """Load the default model anew on SIGHUP, as long as the block runs; if it fails, the log says why.

    Only the main thread of a process gets signals; elsewhere, nothing happens.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = loop.create_task(_reload(models))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


async def _reload(models: Models) -> None:
    # What goes wrong is logged where it is found.
    with suppress(ServiceError):
        await models.load(models.default.name)
