"""A model: a bundle, its targets, and the thread that changes them."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from bundle.loaded import Bundle
from service.inference.background import AT_ONCE, Pieces
from service.inference.tuning import Plan, make_plan
from service.ledger.ledger import Ledger
from service.models.targets import Targets
from service.monitoring.metrics import Metrics
from service.monitoring.reporting import ModelReport, TargetReport
from service.monitoring.requests import run_in_thread
from service.settings import Settings
from service.targets.target import OnlineTarget

T = TypeVar("T")


class Model:
    """A bundle that is ready to predict and to adapt.

    Args:
        name: name of the model.
        bundle: the bundle.
        ledger: ledger of everything durable.
        settings: settings of the service.
        metrics: metrics of the application.
        background: runs what predictions come before.

    Attributes:
        name: name of the model.
        bundle: the bundle.
        plan: how its images are run.
        targets: targets of the model.

    Raises:
        LedgerError, DeviceError: if it cannot be made ready.
    """

    def __init__(
        self,
        name: str,
        bundle: Bundle,
        ledger: Ledger,
        settings: Settings,
        metrics: Metrics,
        background: Pieces = AT_ONCE,
    ) -> None:
        self.name = name
        self.bundle = bundle
        self.plan = make_plan(bundle, settings)

        def open_target(target: str, plan: Plan = self.plan) -> OnlineTarget:
            report = TargetReport(name, target, metrics)
            return OnlineTarget(target, bundle, ledger, settings, report, plan, background)

        limits = settings.max_targets, settings.loaded_targets
        self.targets = Targets(open_target, ledger, bundle.fingerprint, *limits)
        self._background = background
        # One worker, because the state of a target has one writer; the loop and the predictions continue.
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="adapt")
        self._turn = asyncio.Lock()
        self._ledger = ledger
        self._follower = ledger.follow(self._look)
        self._uses = 0
        self._unused = asyncio.Event()
        self._unused.set()
        self._report = ModelReport(name, bundle.fingerprint, self.provider, metrics)
        self._report.loaded()

    @property
    def provider(self) -> str:
        """The execution provider that is really used."""
        return self.targets.default.provider

    @contextmanager
    def use(self) -> Iterator["Model"]:
        """Keep the model open as long as the block runs; to be called on the event loop."""
        self._uses += 1
        self._unused.clear()
        try:
            yield self
        finally:
            self._uses -= 1
            if not self._uses:
                self._unused.set()

    async def wait_until_unused(self) -> None:
        """Wait until no request uses the model."""
        await self._unused.wait()

    async def write(self, change: Callable[[], T]) -> T:
        """Run a change by hand: after the change that runs, and before images that wait.

        No prediction delays it.
        """
        with self._background.urgent():
            return await run_in_thread(self._writer, change)

    async def adapt(self, change: Callable[[], T]) -> T:
        """Run a change by images, after those that were requested before, in pieces of the background."""
        # Those that wait do so here, so that an operator need not wait for them.
        async with self._turn:
            return await run_in_thread(self._writer, change)

    def _look(self) -> None:
        """Take over what other processes changed; called by the follower of the ledger."""
        for target in self.targets.all:
            changed = self._ledger.revision(target.record) != target.record.revision
            if changed or target.unwritten:
                self._writer.submit(target.follow).result()

    def close(self) -> None:
        """Finish the changes that were requested, and free the sessions."""
        self._follower.close()
        self._writer.shutdown()
        self.targets.close()
        self._report.unloaded()
