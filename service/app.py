"""The FastAPI application."""

import logging
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.middleware.cors import CORSMiddleware

from service.api.body.budget import BodyBudget, ByteBudget
from service.api.documentation import FILES, add_pages, describe_checks
from service.api.gate import Gate, SecurityHeaders
from service.api.http_forms import HttpForms
from service.api.observation import RequestObserver
from service.api.page import examples, stream
from service.api.page.files import page_router
from service.api.problems import install_problem_handlers
from service.api.rest import (
    adapt,
    domains,
    events,
    evidence,
    labels,
    models,
    operations,
    predict,
    targets,
    versions,
)
from service.api.route_access import RouteAccess
from service.api.shortcut import Shortcut
from service.api.v2 import rest as v2
from service.lifespan import Resources
from service.models.default import DefaultModel
from service.models.reloading import reloading_on_hangup
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


def create_app(
    settings: Settings | None = None, reading: "Future[DefaultModel] | None" = None
) -> FastAPI:
    """Make the application; it is ready to answer when this returns.

    Args:
        settings: settings of the service; by default they are read from the environment.
        reading: the default model of these settings, if it is being read already.

    Raises:
        KeysError: if the keys are wrong, or strangers could reach the service without one.
        BundleError: if the bundle is missing or invalid.
        LedgerError: if the ledger cannot be opened.
        ModelNotLoaded: if the directory of models cannot be used.
        DeviceError: if the requested device cannot be used.
        ExamplesError: if the example images cannot be read.
    """
    tracing.start()
    settings = settings or Settings()
    if settings.grpc_port is not None:
        # Imported only here, because it needs an extra.
        from service.api.v2.grpc_server import serving_grpc
    resources = Resources(settings, reading)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            stack.callback(tracing.stop)
            stack.callback(resources.close)
            stack.enter_context(reloading_on_hangup(resources.models))
            if settings.grpc_port is not None:
                calls = serving_grpc(resources, settings.grpc_port)
                resources.grpc_port = await stack.enter_async_context(calls)
            log_event(logger, logging.INFO, "ready", "ready for requests")
            yield
            log_event(logger, logging.INFO, "shutdown", "finishing what is under way")

    # The pages that describe the API bring their scripts with them: many services have no internet.
    app = FastAPIOffline(
        title="Reciprocal Normalization service",
        description=DESCRIPTION,
        version=version("reciprocal-norm"),
        lifespan=lifespan,
        telemetry=tracing.options,
        docs_url=None,
        redoc_url=None,
        static_url=FILES,
    )
    app.state.resources = resources
    install_problem_handlers(app, resources.metrics)

    add_routes(app)
    app.include_router(page_router())
    add_pages(app)
    describe_checks(app, resources.policy.authenticator.has_keys)
    _add_middleware(app, resources)
    return app


def add_routes(app: FastAPI) -> None:
    """Add all operations of the API to an application."""
    for prefix in PREFIXES:
        for module in (predict, adapt, versions, evidence, domains, labels, events, stream):
            app.include_router(module.router, prefix=prefix, include_in_schema=not prefix)
    for prefix in ("", "/models/{model}"):
        app.include_router(targets.router, prefix=prefix, include_in_schema=not prefix)
    for router in (models.router, v2.router, operations.router, examples.router):
        app.include_router(router)


def _add_middleware(app: FastAPI, resources: Resources) -> None:
    """Wrap the application; what is added last meets a request first."""
    settings, policy = resources.settings, resources.policy
    routes = RouteAccess(app.routes)
    if not tracing.active:
        app.add_middleware(Shortcut, resources=resources, route=predict.router.routes[0])
    app.add_middleware(Gate, policy=policy, routes=routes, metrics=resources.metrics)
    if policy.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=sorted(policy.origins),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "X-API-Key", "Content-Type", "Idempotency-Key"],
            expose_headers=["Retry-After", "X-Request-Id"],
        )
    app.state.body_bytes = held = ByteBudget(settings.held_body_bytes)
    resources.metrics.body_bytes.set_function(lambda: held.held)
    app.add_middleware(BodyBudget, budget=held)
    # Closer to the routes than HttpForms, which passes a changed copy of the request on.
    app.add_middleware(RequestObserver, resources.metrics, log=settings.logs_requests)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(HttpForms, root_path=settings.root_path)
