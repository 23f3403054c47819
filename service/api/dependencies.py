"""Dependencies of the routes: the resources of the application, and the target of a request."""

from typing import Annotated

from fastapi import Depends, Request

from service.lifespan import Resources
from service.targets.target import OnlineTarget
from service.vocabulary import DEFAULT_TARGET


def get_resources(request: Request) -> Resources:
    """The resources of the application that received the request."""
    resources: Resources = request.app.state.resources
    return resources


ResourcesDep = Annotated[Resources, Depends(get_resources)]


def get_target(request: Request, resources: ResourcesDep) -> OnlineTarget:
    """The target that the request's path names, or the default one.

    Raises:
        UnknownTarget: if there is no such target.
    """
    return resources.find_target(request.path_params.get("target", DEFAULT_TARGET))


TargetDep = Annotated[OnlineTarget, Depends(get_target)]
