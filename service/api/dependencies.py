"""Dependencies of the routes: resources of the application, model, target and caller of a request.

They are coroutines because a function would cost a thread for every request.
"""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Path, Request

from service.ledger.change import Actor
from service.lifespan import Resources
from service.models.model import Model
from service.security.authentication import ANONYMOUS, Caller
from service.targets.target import OnlineTarget
from service.vocabulary import DEFAULT_TARGET


async def get_resources(request: Request) -> Resources:
    """The resources of the application that received the request."""
    resources: Resources = request.app.state.resources
    return resources


ResourcesDep = Annotated[Resources, Depends(get_resources)]


async def get_model(request: Request, resources: ResourcesDep) -> AsyncIterator[Model]:
    """The model that the request's path names, or the default one; it stays open for the request.

    Raises:
        UnknownModel: if no such model is loaded.
    """
    with resources.models.find(request.path_params.get("model")).use() as model:
        yield model


ModelDep = Annotated[Model, Depends(get_model)]


async def find_model(
    resources: ResourcesDep, model: Annotated[str, Path(description="Name of the model.")]
) -> AsyncIterator[Model]:
    """The model that the request's path has to name; it stays open for the request.

    Raises:
        UnknownModel: if no such model is loaded.
    """
    with resources.models.find(model).use() as found:
        yield found


ModelByName = Annotated[Model, Depends(find_model)]


async def get_target(request: Request, resources: ResourcesDep, model: ModelDep) -> OnlineTarget:
    """The target that the request's path names, or the default one.

    Raises:
        UnknownTarget: if the model has no such target.
    """
    name = request.path_params.get("target", DEFAULT_TARGET)
    found = model.targets.find_loaded(name)
    if found is not None:
        return found
    # Its session may have to be built.
    return await resources.offload(lambda: model.targets.find(name))


async def check_target(request: Request, resources: ResourcesDep) -> None:
    """Bring the target that the request's path names into memory, without keeping its model open.

    Raises:
        UnknownModel: if no such model is loaded.
        UnknownTarget: if the model has no such target.
    """
    with resources.models.find(request.path_params.get("model")).use() as model:
        await get_target(request, resources, model)


TargetDep = Annotated[OnlineTarget, Depends(get_target)]


def caller_of(request: Request) -> Caller:
    """Who sent a request, as the gate found out."""
    caller: Caller = request.state.caller
    return caller


async def get_caller(request: Request) -> Caller:
    """Who sent a request."""
    return caller_of(request)


CallerDep = Annotated[Caller, Depends(get_caller)]


def client_of(caller: Caller) -> str | None:
    """Name of the caller's key; None where no keys are configured."""
    return None if caller.name == ANONYMOUS else caller.name


def actor_of(caller: Caller, reason: str | None = None) -> Actor:
    """Who makes a change by hand, and why."""
    return Actor(client_of(caller), reason)
