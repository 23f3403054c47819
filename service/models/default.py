"""The default model of a service, whose bundle is read before everything else is ready."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from bundle.loaded import Bundle
from bundle.signing import read_public_key
from service.errors import ModelNotLoaded
from service.inference.sessions import predictor_maker
from service.models.repository import Repository
from service.settings import Settings


class DefaultModel(NamedTuple):
    """The bundle of the default model.

    Attributes:
        repository: all bundles that can be loaded.
        name: name of the model in the repository.
        bundle: its bundle.
    """

    repository: Repository
    name: str
    bundle: Bundle


def read_ahead(settings: Settings) -> "Future[DefaultModel]":
    """Begin to read the default model in a thread, so that the rest can be imported meanwhile.

    The default model is the bundle that the settings name, or the first of the directory by name.

    Returns:
        The model. It fails with BundleError or ModelNotLoaded if it cannot be read.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="read")
    try:
        return pool.submit(_read, settings)
    finally:
        pool.shutdown(wait=False)


def _read(settings: Settings) -> DefaultModel:
    key = None if settings.public_key is None else read_public_key(settings.public_key)
    repository = Repository(settings.models, key, predictor_maker(settings))
    name = _default_name(settings, repository)
    return DefaultModel(repository, name, repository.read(name))


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
