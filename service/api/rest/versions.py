"""Versions of a target: list, promote, roll back, reset, freeze."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from service.api.dependencies import ModelDep, ResourcesDep, TargetDep
from service.api.json_bodies import describe_body, read_json_body
from service.api.problems import problem_responses
from service.api.rest.answers import describe_target, describe_version
from service.api.rest.paging import Limit
from service.errors import (
    ConcurrentChange,
    InvalidContent,
    LedgerError,
    MomentsDropped,
    NothingToRollBack,
    Overloaded,
    RequestTimeout,
    TooLarge,
    UnknownModel,
    UnknownTarget,
    UnknownVersion,
    UnsupportedContent,
)
from service.ledger.records import Page
from service.lifespan import Resources
from service.schemas import RollbackRequest, TargetInfo, VersionInfo
from service.targets.target import OnlineTarget

router = APIRouter(tags=["versions"])

MAX_NUMBER = 2**31 - 1
# A number, however it is written.
PAGE = 100

Number = Annotated[int, Path(ge=0, le=MAX_NUMBER, description="Number of the version.")]

_LIST_ERRORS = problem_responses(UnknownModel, UnknownTarget, InvalidContent, LedgerError)
_GET_ERRORS = problem_responses(
    UnknownModel, UnknownTarget, UnknownVersion, InvalidContent, LedgerError
)
_PROMOTE_ERRORS = problem_responses(
    UnknownModel,
    UnknownTarget,
    UnknownVersion,
    ConcurrentChange,
    MomentsDropped,
    InvalidContent,
    LedgerError,
)
# Resetting and freezing take no parameters, and version 0 always exists.
_WRITE_ERRORS = problem_responses(UnknownModel, UnknownTarget, ConcurrentChange, LedgerError)
_ROLLBACK_ERRORS = problem_responses(
    UnknownModel,
    UnknownTarget,
    UnknownVersion,
    ConcurrentChange,
    MomentsDropped,
    NothingToRollBack,
    RequestTimeout,
    TooLarge,
    UnsupportedContent,
    InvalidContent,
    Overloaded,
    LedgerError,
)

_ROLLBACK_BODY = describe_body(RollbackRequest, required=False)


@router.get("/versions", responses=_LIST_ERRORS)
async def list_versions(
    resources: ResourcesDep,
    target: TargetDep,
    limit: Limit = PAGE,
    before: Annotated[
        int | None, Query(ge=0, le=MAX_NUMBER, description="Only versions before this one.")
    ] = None,
) -> TargetInfo:
    """Describe the target and its newest versions; `before` pages back."""
    return await _describe(resources, target, Page(limit, before))


@router.get("/versions/{number}", responses=_GET_ERRORS)
async def get_version(resources: ResourcesDep, target: TargetDep, number: Number) -> VersionInfo:
    """Describe one version."""
    record = await resources.offload(lambda: target.queries.version_record(number))
    return describe_version(record)


@router.post("/versions/{number}/promote", responses=_PROMOTE_ERRORS)
async def promote(
    resources: ResourcesDep, model: ModelDep, target: TargetDep, number: Number
) -> TargetInfo:
    """Serve a version, and let adaptation continue from it."""
    await model.write(lambda: target.promote(number))
    return await _describe(resources, target)


@router.post("/rollback", responses=_ROLLBACK_ERRORS, openapi_extra=_ROLLBACK_BODY)
async def rollback(
    request: Request, resources: ResourcesDep, model: ModelDep, target: TargetDep
) -> TargetInfo:
    """Serve an earlier version again, by default the parent of the served one.

    Its predictions come back exactly, and so does the state from which adaptation continues.
    """
    number = (await read_json_body(request, RollbackRequest, RollbackRequest())).version
    await model.write(lambda: target.rollback(number))
    return await _describe(resources, target)


@router.post("/reset", responses=_WRITE_ERRORS)
async def reset(resources: ResourcesDep, model: ModelDep, target: TargetDep) -> TargetInfo:
    """Serve version 0, the exported one, and forget what was observed since."""
    await model.write(target.reset)
    return await _describe(resources, target)


@router.post("/freeze", responses=_WRITE_ERRORS)
async def freeze(resources: ResourcesDep, model: ModelDep, target: TargetDep) -> TargetInfo:
    """Switch adaptation off; predictions continue."""
    await model.write(lambda: target.freeze(True))
    return await _describe(resources, target)


@router.post("/unfreeze", responses=_WRITE_ERRORS)
async def unfreeze(resources: ResourcesDep, model: ModelDep, target: TargetDep) -> TargetInfo:
    """Switch adaptation on again."""
    await model.write(lambda: target.freeze(False))
    return await _describe(resources, target)


async def _describe(
    resources: Resources, target: OnlineTarget, page: Page | None = None
) -> TargetInfo:
    wanted = page or Page(PAGE)
    versions = await resources.offload(lambda: target.queries.versions(wanted))
    # Version 0 is the first of all.
    earlier = versions[0].number if versions and versions[0].number > 0 else None
    return describe_target(target.record, versions, earlier)
