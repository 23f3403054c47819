"""What the routes of an application share."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, TypeVar

from fastapi import Depends, Request

from bundle.loaded import Bundle
from bundle.reading.loading import load_bundle
from bundle.signing import read_public_key
from service.api.problems import NotFound
from service.inference.queue import Batcher
from service.ledger.ledger import Ledger
from service.monitoring.metrics import Metrics
from service.settings import Settings
from service.targets.target import OnlineTarget

DEFAULT_TARGET = "default"

T = TypeVar("T")


class Context:
    """Everything that lives as long as the application.

    Raises:
        BundleError, LedgerError, DeviceError: if the service cannot be started.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics()
        key = None if settings.public_key is None else read_public_key(settings.public_key)
        self.bundle: Bundle = load_bundle(settings.bundle, key)
        self.ledger = Ledger(settings.ledger)
        self.target = OnlineTarget(DEFAULT_TARGET, self.bundle, self.ledger, settings, self.metrics)
        self.batcher = Batcher(
            self.target.models.predict, self.metrics, settings.max_batch, settings.max_queue
        )
        self.draining = False
        # One worker, because the state of a target has one writer; the loop and the predictions go on.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="adapt")
        self._decoders = ThreadPoolExecutor(settings.effective_threads, thread_name_prefix="decode")
        self.metrics.build.info(
            {
                "model": self.bundle.manifest.name,
                "bundle": self.bundle.fingerprint,
                "provider": self.target.provider,
            }
        )

    async def write(self, change: Callable[[], T]) -> T:
        """Run a change of the target, after those that were asked for before."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, change)

    async def decode(self, work: Callable[[], T]) -> T:
        """Run work that takes the processor for long."""
        return await asyncio.get_running_loop().run_in_executor(self._decoders, work)

    def close(self) -> None:
        """Finish what is under way and close the ledger."""
        self.draining = True
        self.batcher.close()
        self._writer.shutdown()
        self._decoders.shutdown()
        self.ledger.close()


def get_context(request: Request) -> Context:
    """The context of the application that got the request."""
    context: Context = request.app.state.context
    return context


ContextDep = Annotated[Context, Depends(get_context)]


def get_target(request: Request, context: ContextDep) -> OnlineTarget:
    """The target that the request's path names, or the default one.

    Raises:
        NotFound: if there is no such target.
    """
    target = request.path_params.get("target", DEFAULT_TARGET)
    if target != context.target.name:
        raise NotFound(f"there is no target {target!r}; the only one is {context.target.name!r}")
    return context.target


TargetDep = Annotated[OnlineTarget, Depends(get_target)]
