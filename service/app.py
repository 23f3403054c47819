"""The FastAPI application."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse
from fastapi_offline import FastAPIOffline

from service.api.body.budget import BodyBudget, ByteBudget
from service.api.http_forms import HttpForms
from service.api.observation import RequestObserver
from service.api.problems import install_problem_handlers
from service.api.rest import adapt, events, models, operations, predict, versions
from service.lifespan import Resources
from service.monitoring.logs import log_event
from service.monitoring.tracing import tracing
from service.settings import Settings

logger = logging.getLogger(__name__)

DESCRIPTION = """Predicts, and adapts to a target domain from unlabelled images.

Every path about predictions, adaptation, versions and events also exists as `/targets/{target}/...`,
`/models/{model}/...` and `/models/{model}/targets/{target}/...`; without them, the model is the default
one, and the target is `default`.
"""

# Paths under which the routes of a target exist.
PREFIXES = ("", "/targets/{target}", "/models/{model}", "/models/{model}/targets/{target}")


def create_app(settings: Settings | None = None) -> FastAPI:
    """Make the application; it is ready to answer when this returns.

    Args:
        settings: settings of the service; by default they are read from the environment.

    Raises:
        BundleError: if the bundle is missing or invalid.
        LedgerError: if the ledger cannot be opened.
        ModelNotLoaded: if the directory of models cannot be used.
        DeviceError: if the requested device cannot be used.
    """
    tracing.start()
    resources = Resources(settings or Settings())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        log_event(logger, logging.INFO, "ready", "ready for requests")
        yield
        log_event(logger, logging.INFO, "shutdown", "finishing what is under way")
        resources.close()
        tracing.stop()

    # The pages that describe the API bring their scripts with them: many services have no internet.
    app = FastAPIOffline(
        title="Reciprocal Normalization service",
        description=DESCRIPTION,
        version=version("reciprocal-norm"),
        lifespan=lifespan,
        telemetry=tracing.options,
    )
    app.state.body_bytes = held = ByteBudget(resources.settings.held_body_bytes)
    resources.metrics.body_bytes.set_function(lambda: held.held)
    app.add_middleware(BodyBudget, budget=held)
    # Closer to the routes than HttpForms, which passes a changed copy of the request on.
    app.add_middleware(RequestObserver, resources.metrics, log=resources.settings.logs_requests)
    app.add_middleware(HttpForms, root_path=resources.settings.root_path)
    app.state.resources = resources
    install_problem_handlers(app, resources.metrics)

    for prefix in PREFIXES:
        for module in (predict, adapt, versions, events):
            app.include_router(module.router, prefix=prefix, include_in_schema=not prefix)
    app.include_router(models.router)
    app.include_router(operations.router)

    @app.get("/", include_in_schema=False)
    async def root(request: Request) -> RedirectResponse:
        return RedirectResponse(f"{request.scope.get('root_path', '')}/docs")

    return app
