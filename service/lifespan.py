"""Resources that live as long as the application: models, ledger and engine."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from service.inference.background import Background
from service.inference.engine import Engine
from service.inference.queue import Limits
from service.ledger.ledger import Ledger
from service.memory import release_free_memory
from service.models.default import DefaultModel, read_ahead
from service.models.examples import Examples, read_examples
from service.models.opening import open_models
from service.monitoring.metrics import Metrics
from service.monitoring.requests import run_in_thread
from service.security.policy import Policy
from service.settings import Settings

T = TypeVar("T")


class Resources:
    """Everything that the application opens when it starts and closes when it stops.

    Args:
        settings: settings of the service.
        reading: the default model, if it is being read already.

    Attributes:
        settings: settings of the service.
        policy: who may reach the service, and as whom.
        metrics: metrics of the application.
        ledger: ledger of everything durable.
        models: the models that are loaded.
        engine: engine of the predictions of all models.
        background: runs what predictions come before.
        examples: labelled images that visitors of the page may try; None if there are none.
        grpc_port: port on which gRPC is answered; None if it is not.
        draining: whether the service is shutting down.
        streams: number of readers that follow what happens.

    Raises:
        KeysError, BundleError, LedgerError, DeviceError, ModelNotLoaded, ExamplesError: if the service
            cannot be started.
    """

    def __init__(self, settings: Settings, reading: "Future[DefaultModel] | None" = None) -> None:
        self.settings = settings
        self.policy = Policy.of(settings)
        reading = reading or read_ahead(settings)
        self.metrics = Metrics(settings.metric_classes)
        self.ledger = Ledger(
            settings.ledger, settings.keep_versions, wait_seconds=settings.timeout_seconds
        )
        limits = Limits(settings.max_queue, settings.max_wait_seconds, settings.timeout_seconds)
        self.engine = Engine(settings.worker_count, limits, self.metrics)
        self.background = Background(self.engine.wait_until_idle)
        self.models = open_models(reading, settings, self.ledger, self.metrics, self.background)
        self.examples = self._read_examples()
        release_free_memory()
        self.grpc_port: int | None = None
        self.draining = False
        self.streams = 0
        self._workers = ThreadPoolExecutor(settings.processors, thread_name_prefix="work")
        # One thread, which waits for the background: at most one request to adapt is decoded at a time.
        self._intake = ThreadPoolExecutor(1, thread_name_prefix="intake")
        model = self.models.default
        self.metrics.build.info(
            {"model": model.name, "bundle": model.bundle.fingerprint, "provider": model.provider}
        )

    def _read_examples(self) -> Examples | None:
        folder = self.settings.examples
        if folder is None:
            return None
        manifest = self.models.default.bundle.manifest
        return read_examples(folder, manifest.classes, manifest.preprocessing)

    async def offload(self, work: Callable[[], T]) -> T:
        """Run work in a thread that would block the event loop for long, such as a query."""
        return await run_in_thread(self._workers, work)

    def announce_end(self) -> None:
        """Report from now on that the service is not ready; requests are still answered."""
        self.draining = True

    async def take_in(self, work: Callable[[], T]) -> T:
        """Run work of a request to adapt, in pieces of the background, after the requests before it."""
        return await run_in_thread(self._intake, work)

    def close(self) -> None:
        """Finish the work under way, and close the ledger."""
        self.announce_end()
        self.engine.close()
        self._intake.shutdown()
        self.models.close()
        self.background.close()
        self._workers.shutdown()
        self.ledger.close()
