"""The FastAPI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.responses import RedirectResponse

from service.api.problems import install_problem_handlers
from service.api.rest import adapt, operations, predict, versions
from service.lifespan import Context
from service.settings import Settings

DESCRIPTION = """Predicts, and adapts to a target domain from unlabeled images.

Every path below also exists as `/targets/{target}/...`; without it, the target is `default`.
"""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Make the application; it is ready to answer when this returns.

    Args:
        settings: default from the environment.

    Raises:
        BundleError: if the bundle is missing or was changed.
        LedgerError: if the ledger cannot be opened.
        DeviceError: if the device that was asked for cannot be used.
    """
    context = Context(settings or Settings())

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        context.close()

    app = FastAPI(
        title="Reciprocal Normalization service",
        description=DESCRIPTION,
        version=version("reciprocal-norm"),
        lifespan=lifespan,
    )
    app.state.context = context
    install_problem_handlers(app, context.metrics.refusals)

    for prefix, in_schema in (("", True), ("/targets/{target}", False)):
        for module in (predict, adapt, versions):
            app.include_router(module.router, prefix=prefix, include_in_schema=in_schema)
    app.include_router(operations.router)

    @app.get("/", include_in_schema=False)
    async def root() -> RedirectResponse:
        return RedirectResponse("/docs")

    return app
