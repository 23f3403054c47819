"""Health and metrics."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from service.api.dependencies import ResourcesDep
from service.api.problems import problem_responses
from service.errors import ShuttingDown
from service.lifespan import Resources
from service.schemas import Health, Liveness

router = APIRouter(tags=["operations"])


@router.get("/health/live")
async def live() -> Liveness:
    """Report that the process answers."""
    return Liveness()


@router.get("/health/ready", responses=problem_responses(ShuttingDown))
async def ready(resources: ResourcesDep) -> Health:
    """Report whether requests are accepted, and by which version and provider they are answered."""
    if resources.draining:
        raise ShuttingDown("the service is shutting down")
    return _describe(resources)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus text format."}},
)
async def metrics(resources: ResourcesDep) -> Response:
    """Metrics in the text format of Prometheus."""
    return Response(resources.metrics.render(), media_type=CONTENT_TYPE_LATEST)


def _describe(resources: Resources) -> Health:
    model = resources.models.default
    return Health(
        status="ready",
        model=model.name,
        models=resources.models.names,
        bundle=model.bundle.fingerprint,
        serving=model.targets.default.record.serving,
        provider=model.provider,
        engine=str(model.plan),
    )
