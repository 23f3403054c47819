"""POST /predict."""

import asyncio
from concurrent.futures import Future
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request

from bundle.preprocessing import Pixels, Preprocessing
from service.api.dependencies import ModelDep, ResourcesDep, TargetDep
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
    UnknownModel,
    UnknownTarget,
    UnknownVersion,
    UnsupportedContent,
)
from service.inference.prediction import Prediction
from service.lifespan import Resources
from service.models.model import Model
from service.schemas import ImagePrediction, PredictResult

router = APIRouter(tags=["predict"])

_ERRORS = problem_responses(
    MalformedRequest,
    UnknownModel,
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
    model: ModelDep,
    target: TargetDep,
    version: Annotated[
        int | None,
        Query(ge=0, le=2**31 - 1, description="Version to use; default: the served one."),
    ] = None,
) -> PredictResult:
    """Predict the class of one or more images, and name the version that predicted it."""
    if version is not None:
        await resources.offload(lambda: target.queries.version(version))
    preprocessing = model.bundle.manifest.preprocessing
    upload = await read_upload(request, preprocessing, resources.settings)
    pixels = await resources.offload(lambda: _decode(upload, preprocessing, resources))
    queued = resources.queue.submit(
        target.served.predict, pixels, version, resources.settings.timeout_seconds
    )
    prediction = await _wait(request, resources, queued)
    with resources.metrics.stage_seconds.labels("postprocess").time():
        return _describe(resources, model, target.name, prediction)


def _decode(upload: Upload, preprocessing: Preprocessing, resources: Resources) -> Pixels:
    with resources.metrics.stage_seconds.labels("preprocess").time():
        images = upload.decode(preprocessing, resources.settings)
    for image in images:
        if isinstance(image, ServiceError):
            raise image
    return np.stack([image for image in images if not isinstance(image, ServiceError)])


async def _wait(request: Request, resources: Resources, queued: Future[Prediction]) -> Prediction:
    timeout = resources.settings.timeout_seconds
    reply = asyncio.wrap_future(queued)
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


def _describe(
    resources: Resources, model: Model, target: str, prediction: Prediction
) -> PredictResult:
    classes = model.bundle.manifest.classes
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
        model=model.name,
        target=target,
        version=prediction.version,
        predictions=predictions,
    )
