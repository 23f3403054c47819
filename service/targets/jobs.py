"""Batches whose clients did not wait for the outcome."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from service.errors import QueueFull, ServiceError

logger = logging.getLogger(__name__)

MAX_WAITING = 64
MAX_KEPT = 1024


@dataclass
class Job:
    """A batch that is processed after its answer.

    Attributes:
        done: whether it was processed.
        error: why it failed; None if it did not.
    """

    done: bool = False
    error: str | None = None


class Jobs:
    """The jobs of a target, the last of them also after their end; used on the event loop only."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Begin a job.

        Raises:
            QueueFull: if too many others are under way.
        """
        if len(self._tasks) >= MAX_WAITING:
            work.close()
            raise QueueFull(
                f"{MAX_WAITING} batches are waiting already; wait for the outcome of some"
            )
        self._jobs[name] = job = Job()
        while len(self._jobs) > MAX_KEPT:
            self._jobs.popitem(last=False)
        task = asyncio.get_running_loop().create_task(_run(job, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def find(self, name: str) -> Job | None:
        """A job by the name of its batch; None if there is none, or it was long ago."""
        return self._jobs.get(name)


async def _run(job: Job, work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except ServiceError as error:
        job.error = error.detail
    except Exception:
        logger.exception("a batch failed")
        job.error = "an error that the log describes"
    finally:
        job.done = True
