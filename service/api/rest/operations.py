"""Health and metrics."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from service.api.problems import Unavailable, problem_responses
from service.lifespan import Context, ContextDep
from service.schemas import Health

router = APIRouter(tags=["operations"])


@router.get("/health/live")
async def live() -> dict[str, str]:
    """Whether the process answers at all."""
    return {"status": "live"}


@router.get("/health/ready", responses=problem_responses(Unavailable))
async def ready(context: ContextDep) -> Health:
    """Whether requests are taken, by which version, on which provider."""
    if context.draining:
        raise Unavailable("the service is shutting down")
    return _describe(context)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Prometheus text format."}},
)
async def metrics(context: ContextDep) -> Response:
    """Metrics in Prometheus' format."""
    return Response(context.metrics.render(), media_type=CONTENT_TYPE_LATEST)


def _describe(context: Context) -> Health:
    return Health(
        status="ready",
        model=context.bundle.manifest.name,
        bundle=context.bundle.fingerprint,
        serving=context.target.record.serving,
        provider=context.target.provider,
    )
