"""Opens the models of a service when it starts."""

from concurrent.futures import Future

from service.inference.background import Background
from service.ledger.ledger import Ledger
from service.models.default import DefaultModel
from service.models.loader import Loader
from service.models.registry import Models
from service.monitoring.metrics import Metrics
from service.settings import Settings


def open_models(
    reading: "Future[DefaultModel]",
    settings: Settings,
    ledger: Ledger,
    metrics: Metrics,
    background: Background,
) -> Models:
    """Make the default model ready, and then load every other one of the repository.

    Args:
        reading: the default model.
        settings: settings of the service.
        ledger: ledger of everything durable.
        metrics: metrics of the application.
        background: runs what predictions come before.

    Raises:
        BundleError, LedgerError, DeviceError, ModelNotLoaded: if the default model cannot be loaded.
    """
    repository, name, bundle = reading.result()
    loader = Loader(repository, ledger, settings, metrics, background)
    models = Models(repository, loader, loader.make(name, bundle), settings.max_models)
    models.load_all()
    return models
