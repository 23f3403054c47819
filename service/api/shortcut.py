"""A shortcut to the one route whose cost matters."""

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.problems import problem_of
from service.api.rest.predict import answer
from service.errors import ServiceError
from service.lifespan import Resources

PATH = "/predict"


class Shortcut:
    """Answers POST /predict without parameters, past the framework's routing.

    Finding the route, its dependencies and its parameters takes the framework longer than predicting a
    small image. The answer is the same; every other request goes its usual way.

    Args:
        app: application to call.
        resources: resources of the application.
        route: the route of ``POST /predict``, by which the request is counted.
    """

    def __init__(self, app: ASGIApp, resources: Resources, route: object) -> None:
        self._app = app
        self._resources = resources
        self._route = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope.get("path") != PATH or scope["method"] != "POST" or scope["query_string"]:
            await self._app(scope, receive, send)
            return
        scope["route"] = self._route
        resources, request = self._resources, Request(scope, receive, send)
        try:
            with resources.models.find(None).use() as model:
                target = model.targets.default
                response = await answer(request, resources, model, target)
        except (ServiceError, ClientDisconnect) as error:
            response = problem_of(resources.metrics, error)
        await response(scope, receive, send)
