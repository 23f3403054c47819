"""Observes a folder of images in several processes; the outcome does not depend on how many."""

import hashlib
import multiprocessing
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from rn.observing import part
from rn.observing.part import ObservedPart
from service.adaptation.archive import PART
from service.settings import Settings

# Parts that wait for each process, so that none is idle, and results do not pile up.
AHEAD = 2


class PoolError(RuntimeError):
    """A process of the pool ended before its work was done; one line."""


def mixed(names: Sequence[str]) -> list[str]:
    """Names in an order that depends on nothing but themselves, and has nothing to do with folders.

    Images of one folder are often of one class or one hour; every part is to be a sample of all.
    """
    return sorted(
        names, key=lambda name: hashlib.blake2b(name.encode(errors="surrogateescape")).digest()
    )


def observe_folder(
    folder: Path, names: Sequence[str], bundle: Path, settings: Settings, workers: int
) -> Iterator[ObservedPart]:
    """Observe the images of a folder in parts, each image read once.

    Args:
        folder: the folder.
        names: paths of the images in it.
        bundle: directory of the bundle that observes.
        settings: the device, and the maximum number of pixels.
        workers: number of processes.

    Yields:
        The parts in an order that does not depend on the processes.

    Raises:
        PoolError: if a process ends before its work is done, such as for want of memory.
    """
    ordered = mixed(names)
    parts = [ordered[start : start + PART] for start in range(0, len(ordered), PART)]
    pool = ProcessPoolExecutor(
        min(workers, len(parts)),
        multiprocessing.get_context("spawn"),
        initializer=part.begin,
        initargs=(bundle, settings),
    )
    running: deque[Future[ObservedPart]] = deque()
    try:
        for chosen in parts:
            running.append(pool.submit(part.observe, folder, chosen))
            if len(running) > AHEAD * workers:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    except BrokenProcessPool as error:
        raise PoolError(
            "a process ended before its work was done, perhaps for want of memory; try fewer --workers"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
