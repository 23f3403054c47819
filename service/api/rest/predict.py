"""POST /predict."""

import asyncio
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request

from bundle.preprocessing import Pixels
from service.api.problems import (
    BadRequest,
    ClientGone,
    DeadlinePassed,
    NotFound,
    ServiceError,
    TooLarge,
    TooManyRequests,
    Unavailable,
    Unprocessable,
    UnsupportedMedia,
    problem_responses,
)
from service.api.rest.bodies import IMAGES_BODY
from service.api.uploads import Upload, read_upload
from service.inference.queue import Prediction
from service.lifespan import Context, ContextDep, TargetDep
from service.schemas import ImagePrediction, PredictResult

router = APIRouter(tags=["predict"])

_ERRORS = problem_responses(
    BadRequest,
    NotFound,
    TooLarge,
    UnsupportedMedia,
    Unprocessable,
    TooManyRequests,
    Unavailable,
    DeadlinePassed,
)


@router.post("/predict", responses=_ERRORS, openapi_extra=IMAGES_BODY)
async def predict(
    request: Request,
    context: ContextDep,
    target: TargetDep,
    version: Annotated[
        int | None, Query(ge=0, le=2**31 - 1, description="Default: the version that is served.")
    ] = None,
) -> PredictResult:
    """Label one image or many, and say which version did."""
    if version is not None:
        await context.decode(lambda: target.version(version))
    upload = await read_upload(request, context.bundle.manifest.preprocessing, context.settings)
    pixels = await context.decode(lambda: _decode(upload, context))
    prediction = await _wait(request, context, pixels, version)
    with context.metrics.stage_seconds.labels("postprocess").time():
        return _describe(context, target.name, prediction)


def _decode(upload: Upload, context: Context) -> Pixels:
    with context.metrics.stage_seconds.labels("preprocess").time():
        images = upload.decode(context.bundle.manifest.preprocessing, context.settings)
    for image in images:
        if isinstance(image, ServiceError):
            raise image
    return np.stack([image for image in images if not isinstance(image, ServiceError)])


async def _wait(
    request: Request, context: Context, pixels: Pixels, version: int | None
) -> Prediction:
    timeout = context.settings.timeout_seconds
    reply = asyncio.wrap_future(context.batcher.submit(pixels, version, timeout))
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((reply, gone), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if reply.done():
            return reply.result()
        if gone.done():
            raise ClientGone("the client did not wait for the prediction")
        raise DeadlinePassed(f"no prediction within {timeout:g} s")
    finally:
        # A reply that is cancelled drops its images from the queue.
        reply.cancel()
        gone.cancel()


async def _gone(request: Request) -> None:
    """Returns when the client closes the connection; the request's body was read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _describe(context: Context, target: str, prediction: Prediction) -> PredictResult:
    classes = context.bundle.manifest.classes
    predictions = []
    for row in prediction.probabilities:
        index = int(row.argmax())
        context.metrics.predictions.labels(target, classes[index]).inc()
        predictions.append(
            ImagePrediction(
                label=classes[index],
                index=index,
                probability=float(row[index]),
                probabilities={name: float(p) for name, p in zip(classes, row, strict=True)},
            )
        )
    return PredictResult(
        model=context.bundle.manifest.name,
        target=target,
        version=prediction.version,
        predictions=predictions,
    )
