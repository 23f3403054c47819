"""POST /predict."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from pydantic_core import to_json

from bundle.preprocessing import Pixels, Preprocessing
from service.api.dependencies import ModelDep, ResourcesDep, TargetDep
from service.api.problems import problem_responses
from service.api.replies import Within, wait_for
from service.api.rest.bodies import IMAGES_BODY
from service.api.uploads import Upload, read_upload
from service.api.version_names import VersionName
from service.errors import (
    DeadlinePassed,
    InvalidContent,
    LedgerError,
    MalformedRequest,
    MomentsDropped,
    Overloaded,
    QueueFull,
    RequestTimeout,
    ShuttingDown,
    TooLarge,
    UnknownModel,
    UnknownTarget,
    UnknownVersion,
    UnsupportedContent,
)
from service.inference.jobs import Decode, Work
from service.inference.prediction import Prediction
from service.inference.ranking import most_probable
from service.lifespan import Resources
from service.models.model import Model
from service.schemas import TOP_K, PredictResult
from service.targets.labels import find_session
from service.targets.target import OnlineTarget
from service.vocabulary import Label

router = APIRouter(tags=["predict"])

_ERRORS = problem_responses(
    MalformedRequest,
    UnknownModel,
    UnknownTarget,
    UnknownVersion,
    MomentsDropped,
    RequestTimeout,
    TooLarge,
    UnsupportedContent,
    InvalidContent,
    QueueFull,
    ShuttingDown,
    Overloaded,
    LedgerError,
    DeadlinePassed,
)


@router.post("/predict", responses=_ERRORS, openapi_extra=IMAGES_BODY, response_model=PredictResult)
async def predict(
    request: Request,
    resources: ResourcesDep,
    model: ModelDep,
    target: TargetDep,
    version: Annotated[
        VersionName | None,
        Query(description="Number or label of the version to use; default: the served one."),
    ] = None,
    top_k: Annotated[
        Annotated[int, Field(ge=1, le=2**31 - 1)] | Literal["all"],
        Query(description="Number of classes to list for each image, the most probable, or `all`."),
    ] = TOP_K,
) -> Response:
    """Predict the class of one or more images, and name the version that predicted it."""
    return await answer(request, resources, model, target, version, top_k)


async def answer(
    request: Request,
    resources: Resources,
    model: Model,
    target: OnlineTarget,
    version: int | Label | None = None,
    top_k: int | Literal["all"] = TOP_K,
) -> Response:
    """Answer a request for predictions; see :func:`predict` for the parameters."""
    preprocessing, settings = model.bundle.manifest.preprocessing, resources.settings
    with resources.engine.admit() as place:
        async with Within(place):
            session = await find_session(target, version)
            with resources.metrics.stages.read.time():
                upload = await read_upload(request, preprocessing, settings)
        decode = _decoder(upload, preprocessing, settings.max_pixels)
        number = None if session is None else session.version
        counts = target.statistics
        work = Work(target.served, number, len(upload), decode, session, target.after_run)
        prediction = await wait_for(place.submit(work), request, place)
        counts.count_success(prediction, place.seconds)
    with resources.metrics.stages.answer.time():
        content = _describe(resources, model, target.name, prediction, top_k)
        # Built as the schema says: validating it again would cost as much as predicting a small image.
        return Response(to_json(content), media_type="application/json")


def _decoder(upload: Upload, preprocessing: Preprocessing, max_pixels: int) -> Decode:
    def decode(start: int, stop: int) -> Pixels:
        return upload.decode_part(start, stop, preprocessing, max_pixels)

    return decode


def _describe(
    resources: Resources,
    model: Model,
    target: str,
    prediction: Prediction,
    top_k: int | Literal["all"],
) -> dict[str, Any]:
    """The content of a :class:`PredictResult`."""
    classes = model.bundle.manifest.classes
    count = len(classes) if top_k == "all" else min(top_k, len(classes))
    best = most_probable(prediction.probabilities, 1 if count == len(classes) else count)
    predictions = []
    for row, indices in zip(prediction.probabilities, best.tolist(), strict=True):
        index = indices[0]
        listed = range(count) if count == len(classes) else indices
        resources.metrics.predictions.inc(model.name, target, classes[index])
        predictions.append(
            {
                "label": classes[index],
                "index": index,
                "probability": float(row[index]),
                "probabilities": {classes[other]: float(row[other]) for other in listed},
            }
        )
    return {
        "model": model.name,
        "target": target,
        "version": prediction.version,
        "predictions": predictions,
    }
