"""POST /adapt."""

import hashlib
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, NamedTuple
from uuid import uuid4

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import JSONResponse

from bundle.preprocessing import Pixels, Preprocessing
from service.adaptation.archive import Archive, ArchiveError
from service.api.body.reading import content_type, read_body
from service.api.dependencies import CallerDep, ModelDep, ResourcesDep, TargetDep, client_of
from service.api.problems import problem_responses
from service.api.rest.answers import describe_batch, describe_outcome
from service.api.rest.bodies import IMAGES_BODY, MOMENTS_BODY
from service.api.uploads import Upload, read_upload
from service.errors import (
    AdaptationFrozen,
    ConcurrentChange,
    InvalidContent,
    KeyReused,
    LedgerError,
    MalformedRequest,
    Overloaded,
    RequestTimeout,
    ServiceError,
    TooLarge,
    UnknownBatch,
    UnknownModel,
    UnknownTarget,
    UnsupportedContent,
)
from service.inference.ranking import most_probable
from service.lifespan import Resources
from service.models.model import Model
from service.schemas import TOP_K, AdaptResult, BatchInfo, ImageNotAdmitted, ImagePrediction
from service.targets.idempotency import Idempotency
from service.targets.outcome import AdaptOutcome
from service.targets.target import OnlineTarget

router = APIRouter(tags=["adapt"])

_ERRORS = problem_responses(
    MalformedRequest,
    UnknownModel,
    UnknownTarget,
    AdaptationFrozen,
    ConcurrentChange,
    RequestTimeout,
    TooLarge,
    UnsupportedContent,
    InvalidContent,
    KeyReused,
    Overloaded,
    LedgerError,
)
_BATCH_ERRORS = problem_responses(
    UnknownModel, UnknownTarget, UnknownBatch, InvalidContent, LedgerError
)

OCTETS = "application/octet-stream"

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        description="Repeats of a request with the same key count once.",
    ),
]


@router.post(
    "/adapt",
    responses={**_ERRORS, 202: {"model": BatchInfo, "description": "With `wait=false`."}},
    openapi_extra=IMAGES_BODY,
    response_model=AdaptResult,
)
async def adapt(
    request: Request,
    resources: ResourcesDep,
    model: ModelDep,
    target: TargetDep,
    caller: CallerDep,
    idempotency_key: IdempotencyKey = None,
    predict: Annotated[
        bool,
        Query(
            description="Whether to answer with the predictions of the network adapted to these images."
        ),
    ] = False,
    dry_run: Annotated[
        bool, Query(description="Whether only to say what would become of the images.")
    ] = False,
    wait: Annotated[
        bool,
        Query(
            description="Whether to wait for the outcome; `false` answers 202 with a name to ask for at"
            " `GET /batches/{batch}`. Until that says `pending`, nothing is stored."
        ),
    ] = True,
) -> Any:
    """Move the target statistics with a batch of unlabelled images.

    Images that cannot be decoded are reported one by one; if none can be decoded, the request fails. What
    was admitted is stored before the answer is sent. A batch that completes a version waits for it.
    """
    preprocessing = model.bundle.manifest.preprocessing
    upload = await read_upload(request, preprocessing, resources.settings)
    posted = _Posted(upload, preprocessing, idempotency_key, client_of(caller), dry_run, predict)
    if not wait:
        return _later(resources, model, target, posted)
    decoded, outcome = await _run(resources, model, target, posted, uuid4().hex)
    predictions = _predictions(decoded, outcome, model) if predict else None
    return describe_outcome(target.name, outcome, decoded.places, decoded.unreadable, predictions)


class _Posted(NamedTuple):
    """A request to adapt."""

    upload: Upload
    preprocessing: Preprocessing
    key: str | None
    client: str | None
    dry_run: bool
    predict: bool


class _Decoded(NamedTuple):
    """The images that could be decoded, their places in the request, and what is said of the others."""

    images: list[Pixels]
    places: list[int]
    unreadable: list[ImageNotAdmitted]


async def _run(
    resources: Resources, model: Model, target: OnlineTarget, posted: _Posted, name: str
) -> tuple[_Decoded, AdaptOutcome]:
    """Decode the images, and let them move the statistics."""
    decoded = await resources.take_in(lambda: _decode(posted, resources))
    idempotency = await resources.take_in(lambda: _idempotency(posted.key, decoded.images))

    def change() -> AdaptOutcome:
        return target.adapt(
            decoded.images,
            idempotency,
            posted.client,
            dry_run=posted.dry_run,
            predict=posted.predict,
            name=name,
        )

    return decoded, await model.adapt(change)


def _later(
    resources: Resources, model: Model, target: OnlineTarget, posted: _Posted
) -> JSONResponse:
    """Adapt after the answer, and answer with the name of the batch."""
    name = uuid4().hex

    async def work() -> None:
        with model.use():
            await _run(resources, model, target, posted, name)

    target.jobs.begin(name, work())
    info = BatchInfo(batch=name, status="processing", client=posted.client)
    return JSONResponse(info.model_dump(), HTTPStatus.ACCEPTED)


@router.post("/adapt/moments", responses=_ERRORS, openapi_extra=MOMENTS_BODY)
async def adapt_to_moments(
    request: Request,
    resources: ResourcesDep,
    model: ModelDep,
    target: TargetDep,
    caller: CallerDep,
    idempotency_key: IdempotencyKey = None,
    dry_run: Annotated[
        bool, Query(description="Whether only to say what would become of them.")
    ] = False,
) -> AdaptResult:
    """Move the target statistics with moments of images that stay where they are.

    `rn observe` computes them, on another machine or at another site. They are guarded as posted images
    are; but where no images are kept to judge a version with, a person has to promote it.
    """
    if content_type(request) != OCTETS:
        raise UnsupportedContent(f"send the file that `rn observe` wrote as {OCTETS}")
    body = await read_body(request, resources.settings.max_body_bytes)
    key = idempotency_key
    idempotency = None if key is None else Idempotency(key, hashlib.sha256(body).hexdigest())

    def change() -> AdaptOutcome:
        try:
            archive = Archive.from_bytes(body, model.bundle)
        except ArchiveError as error:
            raise InvalidContent(str(error)) from error
        return target.adapt_to_archive(archive, idempotency, client_of(caller), dry_run=dry_run)

    return describe_outcome(target.name, await model.adapt(change))


@router.get("/batches/{batch}", responses=_BATCH_ERRORS)
async def get_batch(
    resources: ResourcesDep,
    target: TargetDep,
    batch: Annotated[str, Path(max_length=64, description="Name that `POST /adapt` answered.")],
) -> BatchInfo:
    """Say what became of a batch."""
    job = target.jobs.find(batch)
    if job is not None and not job.done:
        return BatchInfo(batch=batch, status="processing")
    if job is not None and job.error is not None:
        return BatchInfo(batch=batch, status="failed", reason=job.error)
    return describe_batch(await resources.offload(lambda: target.queries.batch(batch)))


def _predictions(
    decoded: _Decoded, outcome: AdaptOutcome, model: Model
) -> list[ImagePrediction | None] | None:
    """Predictions of the adapted network; None for a repeated request, of which they were not stored."""
    if outcome.probabilities is None:
        return None
    classes = model.bundle.manifest.classes
    found: list[ImagePrediction | None] = [None] * (len(decoded.images) + len(decoded.unreadable))
    for place, row in zip(decoded.places, outcome.probabilities, strict=True):
        best = most_probable(row[None], TOP_K)[0].tolist()
        found[place] = ImagePrediction(
            label=classes[best[0]],
            index=best[0],
            probability=float(row[best[0]]),
            probabilities={classes[index]: float(row[index]) for index in best},
        )
    return found


def _decode(posted: _Posted, resources: Resources) -> _Decoded:
    """Decode every image; if there is none that can be, say why.

    Raises:
        ServiceError: why the first image cannot be decoded, if none can.
    """
    upload, run = posted.upload, resources.background.run
    found = [
        run(partial(_decode_one, upload, index, posted.preprocessing, resources))
        for index in range(len(upload))
    ]
    images = [image for image in found if not isinstance(image, ServiceError)]
    if not images:
        raise next(image for image in found if isinstance(image, ServiceError))
    return _Decoded(
        images,
        [index for index, image in enumerate(found) if not isinstance(image, ServiceError)],
        [
            ImageNotAdmitted(index=index, kind="unreadable", reason=image.detail)
            for index, image in enumerate(found)
            if isinstance(image, ServiceError)
        ],
    )


def _decode_one(
    upload: Upload, index: int, preprocessing: Preprocessing, resources: Resources
) -> Pixels | ServiceError:
    try:
        return upload.decode(index, preprocessing, resources.settings.max_pixels)
    except ServiceError as error:
        return error


def _idempotency(key: str | None, images: Sequence[Pixels]) -> Idempotency | None:
    if key is None:
        return None
    content = hashlib.sha256()
    for image in images:
        content.update(image.tobytes())
    return Idempotency(key, content.hexdigest())
