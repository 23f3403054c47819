"""The protocol over HTTP."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute

from service.api.body.reading import parse, read_body
from service.api.dependencies import ModelByName, ResourcesDep, caller_of
from service.api.problems import protocol_error_of
from service.api.replies import Within, wait_for
from service.api.v2 import description
from service.api.v2.bodies import parse_json, read_request, write_answer
from service.api.v2.inference import infer as run
from service.api.v2.openapi import (
    ERRORS,
    INDEX_BODY,
    INFER_BODY,
    INFER_RESPONSES,
    LOAD_BODY,
    UNLOAD_BODY,
)
from service.errors import InvalidContent, ServiceError, ShuttingDown
from service.lifespan import Resources
from service.models.model import Model

JSON_LENGTH = "Inference-Header-Content-Length"
MAX_BODY = 64 * 2**10


class ProtocolRoute(APIRoute):
    """A route whose errors have the form of the protocol: ``{"error": "..."}``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with errors as answers."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except ServiceError as error:
                return _failed(request, error)
            except RequestValidationError as error:
                first = error.errors()[0]
                place = " ".join(map(str, first["loc"]))
                return _failed(request, InvalidContent(f"{place}: {first['msg']}"))

        return answer


router = APIRouter(prefix="/v2", tags=["open inference protocol"], route_class=ProtocolRoute)

JsonLength = Annotated[
    int | None, Header(ge=0, description="Bytes of the body that are JSON; unset: all.")
]

Version = Annotated[
    str, Path(description="Number or label of the version.", examples=["0"], max_length=20)
]


@router.get("", responses=ERRORS)
async def server_metadata() -> dict[str, Any]:
    """Name the server, its version, and the extensions of the protocol that it has."""
    return description.describe_server(description.HTTP_EXTENSIONS)


@router.get("/health/live", responses=ERRORS)
async def server_live() -> dict[str, bool]:
    """Report that the process answers."""
    return {"live": True}


@router.get("/health/ready", responses=ERRORS)
async def server_ready(resources: ResourcesDep) -> dict[str, bool]:
    """Report whether requests are accepted."""
    if resources.draining:
        raise ShuttingDown("the service is shutting down")
    return {"ready": True}


@router.get("/models/stats", responses=ERRORS)
async def all_statistics(resources: ResourcesDep) -> dict[str, Any]:
    """Count what every model answered since it was loaded."""
    models = [resources.models.find(name) for name in resources.models.names]
    found = [entry for model in models for entry in description.describe_statistics(model)]
    return {"model_stats": found}


@router.get("/models/{model}", responses=ERRORS)
async def model_metadata(resources: ResourcesDep, model: ModelByName) -> dict[str, Any]:
    """Describe a model: its versions, inputs and outputs."""
    return await resources.offload(lambda: description.describe_model(model))


@router.get("/models/{model}/versions/{version}", responses=ERRORS)
async def version_metadata(
    resources: ResourcesDep, model: ModelByName, version: Version
) -> dict[str, Any]:
    """Describe a version of a model."""
    return await resources.offload(lambda: description.describe_model(model, version))


@router.get("/models/{model}/ready", responses=ERRORS)
async def model_ready(resources: ResourcesDep, model: ModelByName) -> dict[str, Any]:
    """Report whether a model can be asked for predictions."""
    if resources.draining:
        raise ShuttingDown("the service is shutting down")
    return {"name": model.name, "ready": True}


@router.get("/models/{model}/versions/{version}/ready", responses=ERRORS)
async def version_ready(
    resources: ResourcesDep, model: ModelByName, version: Version
) -> dict[str, Any]:
    """Report whether a version of a model can be asked for predictions."""
    ready = await resources.offload(lambda: description.is_ready(resources, model.name, version))
    return {"name": model.name, "ready": ready}


@router.get("/models/{model}/stats", responses=ERRORS)
async def model_statistics(model: ModelByName) -> dict[str, Any]:
    """Count what the versions of a model answered since it was loaded."""
    return {"model_stats": description.describe_statistics(model)}


@router.get("/models/{model}/versions/{version}/stats", responses=ERRORS)
async def version_statistics(
    resources: ResourcesDep, model: ModelByName, version: Version
) -> dict[str, Any]:
    """Count what a version of a model answered since the model was loaded."""
    found = await resources.offload(lambda: description.describe_statistics(model, version))
    return {"model_stats": found}


@router.post(
    "/models/{model}/infer",
    responses=INFER_RESPONSES,
    openapi_extra=INFER_BODY,
    response_class=Response,
)
async def infer(
    request: Request,
    resources: ResourcesDep,
    model: ModelByName,
    inference_header_content_length: JsonLength = None,
) -> Response:
    """Predict with the served version."""
    return await _infer(request, resources, model, "", inference_header_content_length)


@router.post(
    "/models/{model}/versions/{version}/infer",
    responses=INFER_RESPONSES,
    openapi_extra=INFER_BODY,
    response_class=Response,
)
async def infer_with_version(
    request: Request,
    resources: ResourcesDep,
    model: ModelByName,
    version: Version,
    inference_header_content_length: JsonLength = None,
) -> Response:
    """Predict with a version of a model."""
    return await _infer(request, resources, model, version, inference_header_content_length)


@router.post("/repository/index", responses=ERRORS, openapi_extra=INDEX_BODY)
async def repository_index(request: Request, resources: ResourcesDep) -> list[dict[str, str]]:
    """List the models that are loaded, and those that can be."""
    content = await read_body(request, MAX_BODY)
    ready = parse_json(content).get("ready", False) if content else False
    if not isinstance(ready, bool):
        raise InvalidContent("'ready' is not true or false")
    return description.describe_index(await resources.models.statuses(), ready=ready)


@router.post("/repository/models/{model}/load", responses=ERRORS, openapi_extra=LOAD_BODY)
async def repository_load(request: Request, resources: ResourcesDep, model: str) -> dict[str, Any]:
    """Load a model, or replace it by its bundle as it is on disk now."""
    content = await read_body(request, MAX_BODY)
    if content and parse_json(content).get("parameters", {}) != {}:
        raise InvalidContent("a model is loaded as it is on disk; parameters are not offered")
    await resources.models.load(model)
    return {}


@router.post("/repository/models/{model}/unload", responses=ERRORS, openapi_extra=UNLOAD_BODY)
async def repository_unload(
    request: Request, resources: ResourcesDep, model: str
) -> dict[str, Any]:
    """Unload a model, after the requests that use it."""
    content = await read_body(request, MAX_BODY)
    if content:
        parse_json(content)
    await resources.models.unload(model)
    return {}


async def _infer(
    request: Request, resources: Resources, model: Model, version: str, json_length: int | None
) -> Response:
    with resources.engine.admit() as place:
        async with Within(place):
            body = await read_body(request, resources.settings.max_body_bytes)
        wanted = await parse(lambda: read_request(body, json_length), len(body))
        answer = await run(
            resources,
            model,
            version,
            wanted,
            place,
            caller_of(request),
            lambda reply: wait_for(reply, request, place),
        )
    content, length = write_answer(answer)
    if length is None:
        return Response(content, media_type="application/json")
    headers = {JSON_LENGTH: str(length)}
    return Response(content, headers=headers, media_type="application/octet-stream")


def _failed(request: Request, error: ServiceError) -> JSONResponse:
    return protocol_error_of(request.app.state.resources.metrics, error)
