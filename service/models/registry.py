"""All models of the service: loaded, replaced and unloaded while predictions run."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from bundle.text import describe_error
from service.errors import DefaultModelNeeded, ModelNotLoaded, TooManyModels, UnknownModel
from service.models.loader import Loader
from service.models.model import Model
from service.models.repository import Repository
from service.models.status import ModelStatus
from service.monitoring.logs import log_event
from service.monitoring.requests import run_in_thread
from service.vocabulary import ModelState

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Models:
    """The models that are loaded, by name.

    Everything but loading and closing happens on the event loop. A model becomes visible when it is ready,
    by one reference that moves; the one before is closed when the last request that uses it is answered.

    Args:
        repository: the bundles that can be loaded.
        loader: makes models.
        default: the model that requests mean when they name none; it cannot be unloaded.
        limit: maximum number of models that are loaded.
    """

    def __init__(self, repository: Repository, loader: Loader, default: Model, limit: int) -> None:
        self._repository = repository
        self._loader = loader
        self._default = default.name
        self._limit = limit
        self._models = {default.name: default}
        self._changing: dict[str, ModelState] = {}
        self._reasons: dict[str, str] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        # One thread: models are loaded one after another, beside the predictions.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="load")
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def default(self) -> Model:
        """The model that requests mean when they name none."""
        return self._models[self._default]

    @property
    def names(self) -> list[str]:
        """Names of all models that are loaded."""
        return sorted(self._models)

    def find(self, name: str | None = None) -> Model:
        """Find a model by its name, None for the default one.

        Raises:
            UnknownModel: if no such model is loaded.
        """
        if name is None:
            return self.default
        model = self._models.get(name)
        if model is None:
            known = ", ".join(map(repr, self.names))
            raise UnknownModel(f"no model {name!r} is loaded; there is {known}")
        return model

    def load_all(self) -> None:
        """Load every model of the repository when the service starts, up to the limit.

        One that cannot be loaded is logged, and the others are served.
        """
        for name in self._repository.names():
            if name in self._models:
                continue
            if len(self._models) >= self._limit:
                self._reasons[name] = self._full
                _log_failure(name, self._full)
                continue
            try:
                self._models[name] = self._loader.load_first(name)
            except Exception as error:
                self._fail(name, error)

    async def statuses(self) -> list[ModelStatus]:
        """Describe every model of the repository."""
        names = await self._in_thread(self._repository.names)
        return [self.status(name) for name in sorted({*names, *self._models})]

    def status(self, name: str) -> ModelStatus:
        """Describe a model of the repository."""
        model = self._models.get(name)
        reason = self._reasons.get(name)
        return ModelStatus(
            name=name,
            state=self._state(name),
            default=name == self._default,
            bundle=None if model is None else model.bundle.fingerprint,
            targets=() if model is None else tuple(model.targets.names),
            reason=reason,
        )

    async def load(self, name: str) -> ModelStatus:
        """Load a model, or replace it by its bundle as it is on disk now, and close the old one.

        Raises:
            UnknownModel: if the repository has no such model.
            TooManyModels: if as many are loaded as the limit allows.
            ModelNotLoaded: if it cannot be made ready; what ran before runs on.
        """
        await self._to_the_end(self._load(name))
        return self.status(name)

    async def unload(self, name: str) -> ModelStatus:
        """Unload a model, after the requests that use it.

        Raises:
            UnknownModel: if no such model is loaded.
            DefaultModelNeeded: if it is the default one.
        """
        await self._to_the_end(self._unload(name))
        return self.status(name)

    def close(self) -> None:
        """Close every model."""
        self._thread.shutdown()
        for model in self._models.values():
            self._loader.close(model)

    @property
    def _full(self) -> str:
        return f"{self._limit} models are loaded already, the maximum; unload one first"

    def _state(self, name: str) -> ModelState:
        if name in self._changing:
            return self._changing[name]
        if name in self._models:
            return "ready"
        return "failed" if name in self._reasons else "unloaded"

    async def _load(self, name: str) -> None:
        if name not in await self._in_thread(self._repository.names):
            raise UnknownModel(f"there is no model {name!r} to load; GET /models lists them")
        async with self._locks[name]:
            old = self._models.get(name)
            if old is None:
                if len({*self._models, *self._changing}) >= self._limit:
                    raise TooManyModels(self._full)
                self._changing[name] = "loading"
            try:
                new = await self._in_thread(lambda: self._loader.load(name, old))
            except Exception as error:
                self._fail(name, error)
                raise ModelNotLoaded(f"model {name!r}: {self._reasons[name]}") from error
            finally:
                self._changing.pop(name, None)
            self._reasons.pop(name, None)
            if new is None:
                return
            self._models[name] = new
            if old is not None:
                await self._close(old)

    async def _unload(self, name: str) -> None:
        self.find(name)
        async with self._locks[name]:
            model = self.find(name)
            if name == self._default:
                raise DefaultModelNeeded(f"model {name!r} is the default one; it stays loaded")
            self._changing[name] = "unloading"
            del self._models[name]
            try:
                await self._close(model)
            finally:
                del self._changing[name]

    async def _close(self, model: Model) -> None:
        await model.wait_until_unused()
        await self._in_thread(lambda: self._loader.close(model))

    def _fail(self, name: str, error: Exception) -> None:
        self._reasons[name] = describe_error(error)
        _log_failure(name, self._reasons[name])

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await run_in_thread(self._thread, work)

    async def _to_the_end(self, change: Coroutine[Any, Any, None]) -> None:
        """Run a change to its end, even if the request that asked for it is cancelled."""
        task = asyncio.get_running_loop().create_task(change)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)


def _log_failure(name: str, reason: str) -> None:
    message = f"model {name} was not loaded: {reason}"
    log_event(logger, logging.WARNING, "model_failed", message, model=name, reason=reason)
