"""POST /adapt."""

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Request

from bundle.preprocessing import Pixels, Preprocessing
from service.api.dependencies import ModelDep, ResourcesDep, TargetDep
from service.api.problems import problem_responses
from service.api.rest.answers import describe_outcome
from service.api.rest.bodies import IMAGES_BODY
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
    UnknownModel,
    UnknownTarget,
    UnsupportedContent,
)
from service.lifespan import Resources
from service.schemas import AdaptResult, ImageNotAdmitted
from service.targets.idempotency import Idempotency

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


@router.post("/adapt", responses=_ERRORS, openapi_extra=IMAGES_BODY)
async def adapt(
    request: Request,
    resources: ResourcesDep,
    model: ModelDep,
    target: TargetDep,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=200,
            description="Repeats of a request with the same key count once.",
        ),
    ] = None,
) -> AdaptResult:
    """Move the target statistics with a batch of unlabelled images.

    Images that cannot be decoded are reported one by one; if none can be decoded, the request fails. What
    was admitted is stored before the answer is sent. A batch that completes a version waits for it.
    """
    preprocessing = model.bundle.manifest.preprocessing
    upload = await read_upload(request, preprocessing, resources.settings)
    decoded = await resources.take_in(lambda: _decode(upload, preprocessing, resources))
    places = [i for i, image in enumerate(decoded) if not isinstance(image, ServiceError)]
    images = [image for image in decoded if not isinstance(image, ServiceError)]
    if not images:
        raise next(image for image in decoded if isinstance(image, ServiceError))
    unreadable = [
        ImageNotAdmitted(index=i, kind="unreadable", reason=image.detail)
        for i, image in enumerate(decoded)
        if isinstance(image, ServiceError)
    ]
    idempotency = await resources.take_in(lambda: _idempotency(idempotency_key, images))
    outcome = await model.adapt(lambda: target.adapt(images, idempotency))
    return describe_outcome(target.name, outcome, places, unreadable)


def _decode(
    upload: Upload, preprocessing: Preprocessing, resources: Resources
) -> list[Pixels | ServiceError]:
    """Pixels of every image, or the error that says why there are none."""

    def decode(index: int) -> Pixels | ServiceError:
        try:
            return upload.decode(index, preprocessing, resources.settings.max_pixels)
        except ServiceError as error:
            return error

    run = resources.background.run
    return [run(partial(decode, index)) for index in range(len(upload))]


def _idempotency(key: str | None, images: Sequence[Pixels]) -> Idempotency | None:
    if key is None:
        return None
    content = hashlib.sha256()
    for image in images:
        content.update(image.tobytes())
    return Idempotency(key, content.hexdigest())
