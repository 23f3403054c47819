"""POST /predict."""

import asyncio
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request

from bundle.preprocessing import Pixels
from service.api.dependencies import ResourcesDep, TargetDep
from service.api.problems import problem_responses
from service.api.rest.bodies import IMAGES_BODY
from service.api.uploads import Upload, read_upload
from service.errors import (
    ClientDisconnected,
    DeadlinePassed,
    InvalidContent,
    LedgerError,
    MalformedRequest,
    MomentsDropped,
    QueueFull,
    ServiceError,
    ShuttingDown,
    TooLarge,
    UnknownTarget,
    UnknownVersion,
    UnsupportedContent,
)
from service.inference.prediction import Prediction
from service.lifespan import Resources
from service.schemas import ImagePrediction, PredictResult

router = APIRouter(tags=["predict"])

_ERRORS = problem_responses(
    MalformedRequest,
    UnknownTarget,
    UnknownVersion,
    MomentsDropped,
    TooLarge,
    UnsupportedContent,
    InvalidContent,
    QueueFull,
    ShuttingDown,
    LedgerError,
    DeadlinePassed,
)


@router.post("/predict", responses=_ERRORS, openapi_extra=IMAGES_BODY)
async def predict(
    request: Request,
    resources: ResourcesDep,
    target: TargetDep,
    version: Annotated[
        int | None,
        Query(ge=0, le=2**31 - 1, description="Version to use; default: the served one."),
    ] = None,
) -> PredictResult:
    """Predict the class of one or more images, and name the version that predicted it."""
    if version is not None:
        await resources.offload(lambda: target.queries.version(version))
    upload = await read_upload(request, resources.bundle.manifest.preprocessing, resources.settings)
    pixels = await resources.offload(lambda: _decode(upload, resources))
    prediction = await _wait(request, resources, pixels, version)
    with resources.metrics.stage_seconds.labels("postprocess").time():
        return _describe(resources, target.name, prediction)


def _decode(upload: Upload, resources: Resources) -> Pixels:
    with resources.metrics.stage_seconds.labels("preprocess").time():
        images = upload.decode(resources.bundle.manifest.preprocessing, resources.settings)
    for image in images:
        if isinstance(image, ServiceError):
            raise image
    return np.stack([image for image in images if not isinstance(image, ServiceError)])


async def _wait(
    request: Request, resources: Resources, pixels: Pixels, version: int | None
) -> Prediction:
    timeout = resources.settings.timeout_seconds
    reply = asyncio.wrap_future(resources.queue.submit(pixels, version, timeout))
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((reply, gone), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if reply.done():
            return reply.result()
        if gone.done():
            raise ClientDisconnected("the client did not wait for the prediction")
        raise DeadlinePassed(f"no prediction within {timeout:g} s")
    finally:
        # Cancelling a reply drops its images from the queue.
        reply.cancel()
        gone.cancel()


async def _gone(request: Request) -> None:
    """Return when the client closes the connection; the request's body was read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _describe(resources: Resources, target: str, prediction: Prediction) -> PredictResult:
    classes = resources.bundle.manifest.classes
    predictions = []
    for row in prediction.probabilities:
        index = int(row.argmax())
        resources.metrics.predictions.labels(target, classes[index]).inc()
        predictions.append(
            ImagePrediction(
                label=classes[index],
                index=index,
                probability=float(row[index]),
                probabilities={name: float(p) for name, p in zip(classes, row, strict=True)},
            )
        )
    return PredictResult(
        model=resources.bundle.manifest.name,
        target=target,
        version=prediction.version,
        predictions=predictions,
    )
