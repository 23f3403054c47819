"""POST /adapt."""

import hashlib
from typing import Annotated

from fastapi import APIRouter, Header, Request

from bundle.preprocessing import Pixels
from service.api.problems import (
    BadRequest,
    Conflict,
    NotFound,
    ServiceError,
    TooLarge,
    Unavailable,
    Unprocessable,
    UnsupportedMedia,
    problem_responses,
)
from service.api.rest.bodies import IMAGES_BODY
from service.api.uploads import read_upload
from service.lifespan import ContextDep, TargetDep
from service.schemas import AdaptResult, Refusal
from service.targets.target import Idempotency

router = APIRouter(tags=["adapt"])

_ERRORS = problem_responses(
    BadRequest, NotFound, Conflict, TooLarge, UnsupportedMedia, Unprocessable, Unavailable
)


@router.post("/adapt", responses=_ERRORS, openapi_extra=IMAGES_BODY)
async def adapt(
    request: Request,
    context: ContextDep,
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
    """Move the target statistics by a batch of unlabeled images.

    Images that cannot be decoded are refused one by one; if none can, so is the request. What was
    admitted is stored before the answer is given. A batch that completes a version waits for it.
    """
    preprocessing = context.bundle.manifest.preprocessing
    upload = await read_upload(request, preprocessing, context.settings)
    decoded = await context.decode(lambda: upload.decode(preprocessing, context.settings))
    places = [i for i, image in enumerate(decoded) if not isinstance(image, ServiceError)]
    images = [image for image in decoded if not isinstance(image, ServiceError)]
    refused = [
        Refusal(index=i, reason=image.detail)
        for i, image in enumerate(decoded)
        if isinstance(image, ServiceError)
    ]
    if not images:
        raise next(image for image in decoded if isinstance(image, ServiceError))
    idempotency = await context.decode(lambda: _idempotency(idempotency_key, images))
    result = await context.write(lambda: target.adapt(images, idempotency))
    result.received = len(decoded)
    in_request = [
        Refusal(index=places[refusal.index], reason=refusal.reason) for refusal in result.refused
    ]
    result.refused = sorted([*refused, *in_request], key=lambda refusal: refusal.index)
    return result


def _idempotency(key: str | None, images: list[Pixels]) -> Idempotency | None:
    if key is None:
        return None
    content = hashlib.sha256()
    for image in images:
        content.update(image.tobytes())
    return Idempotency(key, content.hexdigest())
