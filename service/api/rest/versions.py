"""Versions of a target: list, promote, roll back, reset, freeze."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import ValidationError

from service.api.problems import (
    Conflict,
    NotFound,
    TooLarge,
    Unavailable,
    Unprocessable,
    UnsupportedMedia,
    problem_responses,
)
from service.api.uploads import read_body
from service.lifespan import Context, ContextDep, TargetDep
from service.schemas import RollbackRequest, TargetInfo, VersionInfo
from service.targets.target import OnlineTarget, version_info

router = APIRouter(tags=["versions"])

Number = Annotated[int, Path(ge=0, le=2**31 - 1, description="Number of the version.")]

_READ_ERRORS = problem_responses(NotFound, Unprocessable, Unavailable)
_WRITE_ERRORS = problem_responses(NotFound, Conflict, Unprocessable, Unavailable)
_ROLLBACK_ERRORS = {**_WRITE_ERRORS, **problem_responses(TooLarge, UnsupportedMedia)}

# Read by hand, because FastAPI takes a body of any size into memory.
_ROLLBACK_BODY: dict[str, Any] = {
    "requestBody": {
        "content": {"application/json": {"schema": RollbackRequest.model_json_schema()}}
    }
}


@router.get("/versions", responses=_READ_ERRORS)
async def list_versions(context: ContextDep, target: TargetDep) -> TargetInfo:
    """All versions of the target, and which one is served."""
    return await _describe(context, target)


@router.get("/versions/{number}", responses=_READ_ERRORS)
async def get_version(context: ContextDep, target: TargetDep, number: Number) -> VersionInfo:
    """One version."""
    return version_info(await context.decode(lambda: target.version(number)))


@router.post("/versions/{number}/promote", responses=_WRITE_ERRORS)
async def promote(context: ContextDep, target: TargetDep, number: Number) -> TargetInfo:
    """Serve a version, and adapt on from it."""
    await context.write(lambda: target.promote(number))
    return await _describe(context, target)


@router.post("/rollback", responses=_ROLLBACK_ERRORS, openapi_extra=_ROLLBACK_BODY)
async def rollback(request: Request, context: ContextDep, target: TargetDep) -> TargetInfo:
    """Serve an earlier version again, by default the parent of the served one.

    Its predictions come back exactly, and so does the state from which adaptation goes on.
    """
    number = _parse_rollback(request, await read_body(request, context.settings.max_body_bytes))
    await context.write(lambda: target.rollback(number))
    return await _describe(context, target)


@router.post("/reset", responses=_WRITE_ERRORS)
async def reset(context: ContextDep, target: TargetDep) -> TargetInfo:
    """Serve version 0, the exported one, and forget what was observed since."""
    await context.write(target.reset)
    return await _describe(context, target)


@router.post("/freeze", responses=_WRITE_ERRORS)
async def freeze(context: ContextDep, target: TargetDep) -> TargetInfo:
    """Switch adaptation off; predictions go on."""
    await context.write(lambda: target.freeze(True))
    return await _describe(context, target)


@router.post("/unfreeze", responses=_WRITE_ERRORS)
async def unfreeze(context: ContextDep, target: TargetDep) -> TargetInfo:
    """Switch adaptation on again."""
    await context.write(lambda: target.freeze(False))
    return await _describe(context, target)


def _parse_rollback(request: Request, body: bytes) -> int | None:
    if not body:
        return None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UnsupportedMedia(f"content type {kind or '(none)'} is not read here; send JSON")
    try:
        return RollbackRequest.model_validate_json(body).version
    except ValidationError as error:
        first = error.errors()[0]
        place = " ".join(["body", *map(str, first["loc"])])
        raise Unprocessable(f"{place}: {first['msg']}") from error


async def _describe(context: Context, target: OnlineTarget) -> TargetInfo:
    versions = await context.decode(target.versions)
    record = target.record
    return TargetInfo(
        target=target.name,
        serving=record.serving,
        frozen=record.frozen,
        pending=record.state.pending,
        versions=[version_info(version) for version in versions],
    )
