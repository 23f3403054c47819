"""Loads models: reads a bundle, makes it ready to predict, and warms it."""

import threading

from bundle.loaded import Bundle
from service.errors import ModelNotLoaded
from service.inference.background import Background
from service.ledger.ledger import Ledger
from service.models.model import Model
from service.models.repository import Repository
from service.monitoring.metrics import Metrics
from service.settings import Settings


class Loader:
    """Makes models from bundles.

    The ledger knows a target by its name and the fingerprint of its bundle, so no two models have the
    same bundle: each would overwrite what the other learned.

    Args:
        repository: the bundles.
        ledger: ledger of everything durable.
        settings: settings of the service.
        metrics: metrics of the application.
        background: runs what predictions come before.
    """

    def __init__(
        self,
        repository: Repository,
        ledger: Ledger,
        settings: Settings,
        metrics: Metrics,
        background: Background,
    ) -> None:
        self._repository = repository
        self._ledger = ledger
        self._settings = settings
        self._metrics = metrics
        self._background = background
        self._owners: dict[str, str] = {}
        self._lock = threading.Lock()

    def load(self, name: str, loaded: Model | None = None) -> Model | None:
        """Make a model that is ready to predict.

        Args:
            name: name of the model, as the repository lists it.
            loaded: the model of this name that is loaded.

        Returns:
            The new model; None if the bundle is the one that is loaded.

        Raises:
            UnknownModel: if there is no such bundle.
            ModelNotLoaded: if another model has this bundle.
            BundleError, LedgerError, DeviceError: if it cannot be made ready.
        """
        bundle = self._repository.read(name)
        if loaded is not None and loaded.bundle.fingerprint == bundle.fingerprint:
            return None
        return self.make(name, bundle)

    def load_first(self, name: str) -> Model:
        """Make a model of which none is loaded; see :meth:`load`."""
        return self.make(name, self._repository.read(name))

    def make(self, name: str, bundle: Bundle) -> Model:
        """Make a model of which none is loaded from its bundle; see :meth:`load`."""
        with self._lock:
            owner = self._owners.get(bundle.fingerprint)
            if owner is not None:
                raise ModelNotLoaded(f"model {owner!r} has the same bundle; load it under one name")
            self._owners[bundle.fingerprint] = name
        try:
            line = self._background.line()
            return Model(name, bundle, self._ledger, self._settings, self._metrics, line)
        except BaseException:
            self._release(bundle)
            raise

    def close(self, model: Model) -> None:
        """Close a model that nothing uses any more, and let its bundle be loaded again."""
        model.close()
        self._release(model.bundle)

    def _release(self, bundle: Bundle) -> None:
        with self._lock:
            del self._owners[bundle.fingerprint]
