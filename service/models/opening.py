"""Opens the models of a service when it starts."""

from bundle.signing import read_public_key
from service.errors import ModelNotLoaded
from service.inference.background import Background
from service.inference.sessions import predictor_maker
from service.ledger.ledger import Ledger
from service.models.loader import Loader
from service.models.registry import Models
from service.models.repository import Repository
from service.monitoring.metrics import Metrics
from service.settings import Settings


def open_models(
    settings: Settings, ledger: Ledger, metrics: Metrics, background: Background
) -> Models:
    """Load the default model, and then every other one of the repository.

    The default model is the bundle that the settings name, or the first of the directory by name.

    Raises:
        BundleError, LedgerError, DeviceError, ModelNotLoaded: if the default model cannot be loaded.
    """
    key = None if settings.public_key is None else read_public_key(settings.public_key)
    repository = Repository(settings.models, key, predictor_maker(settings))
    loader = Loader(repository, ledger, settings, metrics, background)
    name = _default_name(settings, repository)
    models = Models(repository, loader, loader.load_first(name), settings.max_models)
    models.load_all()
    return models


def _default_name(settings: Settings, repository: Repository) -> str:
    """Name of the default model; a bundle outside the directory is added to the repository."""
    folders = repository.names()
    if settings.bundle is None:
        if not folders:
            raise ModelNotLoaded(
                f"{settings.models} holds no models: put each bundle into a folder of its own"
            )
        return folders[0]
    path = settings.bundle.absolute()
    if settings.models is not None and path.parent == settings.models.absolute():
        return path.name
    name = repository.add(settings.bundle)
    if name in folders:
        raise ModelNotLoaded(
            f"{settings.bundle} and {settings.models}/{name} would be models of the same name, {name!r}"
        )
    return name
