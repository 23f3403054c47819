"""Resources that live as long as the application: bundle, ledger, targets and queue."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from bundle.loaded import Bundle
from bundle.reading.loading import load_bundle
from bundle.signing import read_public_key
from service.errors import UnknownTarget
from service.inference.queue import PredictionQueue
from service.ledger.ledger import Ledger
from service.monitoring.metrics import Metrics
from service.settings import Settings
from service.targets.target import OnlineTarget
from service.vocabulary import DEFAULT_TARGET

T = TypeVar("T")


class Resources:
    """Everything that the application opens when it starts and closes when it stops.

    Args:
        settings: settings of the service.

    Attributes:
        settings: settings of the service.
        metrics: metrics of the application.
        bundle: the bundle that is served.
        ledger: ledger of everything durable.
        target: the target that adapts.
        queue: queue of predictions.
        draining: whether the service is shutting down.

    Raises:
        BundleError, LedgerError, DeviceError: if the service cannot be started.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        key = None if settings.public_key is None else read_public_key(settings.public_key)
        self.bundle: Bundle = load_bundle(settings.bundle, key)
        self.ledger = Ledger(settings.ledger, settings.keep_versions)
        self.target = OnlineTarget(DEFAULT_TARGET, self.bundle, self.ledger, settings, self.metrics)
        self.queue = PredictionQueue(
            self.target.served.predict, self.metrics, settings.max_batch, settings.max_queue
        )
        self.draining = False
        # One worker, because the state of a target has one writer; the loop and the predictions continue.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="adapt")
        self._workers = ThreadPoolExecutor(settings.effective_threads, thread_name_prefix="work")
        self.metrics.build.info(
            {
                "model": self.bundle.manifest.name,
                "bundle": self.bundle.fingerprint,
                "provider": self.target.provider,
            }
        )

    def find_target(self, name: str) -> OnlineTarget:
        """Find a target by its name.

        Raises:
            UnknownTarget: if there is no such target.
        """
        if name != self.target.name:
            raise UnknownTarget(
                f"there is no target {name!r}; the only one is {self.target.name!r}"
            )
        return self.target

    async def write(self, change: Callable[[], T]) -> T:
        """Run a change of the target, after those that were requested before."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, change)

    async def offload(self, work: Callable[[], T]) -> T:
        """Run work in a thread that would block the event loop for long, such as decoding or a query."""
        return await asyncio.get_running_loop().run_in_executor(self._workers, work)

    def close(self) -> None:
        """Finish the work under way, and close the ledger."""
        self.draining = True
        self.queue.close()
        self._writer.shutdown()
        self._workers.shutdown()
        self.ledger.close()
