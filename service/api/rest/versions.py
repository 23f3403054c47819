"""Versions of a target: list, promote, roll back, reset, freeze."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from service.api.dependencies import CallerDep, ModelDep, ResourcesDep, TargetDep, actor_of
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
    RejectedVersion,
    RequestTimeout,
    TooLarge,
    UnknownModel,
    UnknownTarget,
    UnknownVersion,
    UnsupportedContent,
)
from service.ledger.change import Actor
from service.ledger.records import Page, VersionRecord
from service.lifespan import Resources
from service.schemas import (
    ModeRequest,
    PromoteRequest,
    ReasonRequest,
    RollbackRequest,
    TargetInfo,
    VersionInfo,
)
from service.security.authentication import Caller
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
    RejectedVersion,
    RequestTimeout,
    TooLarge,
    UnsupportedContent,
    InvalidContent,
    Overloaded,
    LedgerError,
)
_WRITE_ERRORS = problem_responses(
    UnknownModel,
    UnknownTarget,
    ConcurrentChange,
    RequestTimeout,
    TooLarge,
    UnsupportedContent,
    InvalidContent,
    Overloaded,
    LedgerError,
)
_ROLLBACK_ERRORS = problem_responses(
    UnknownModel,
    UnknownTarget,
    UnknownVersion,
    ConcurrentChange,
    MomentsDropped,
    NothingToRollBack,
    RejectedVersion,
    RequestTimeout,
    TooLarge,
    UnsupportedContent,
    InvalidContent,
    Overloaded,
    LedgerError,
)

_MODE_ERRORS = problem_responses(
    UnknownModel,
    UnknownTarget,
    ConcurrentChange,
    RequestTimeout,
    TooLarge,
    UnsupportedContent,
    InvalidContent,
    Overloaded,
    LedgerError,
)

_ROLLBACK_BODY = describe_body(RollbackRequest, required=False)
_PROMOTE_BODY = describe_body(PromoteRequest, required=False)
_REASON_BODY = describe_body(ReasonRequest, required=False)
_MODE_BODY = describe_body(ModeRequest, required=True)


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


@router.post("/versions/{number}/promote", responses=_PROMOTE_ERRORS, openapi_extra=_PROMOTE_BODY)
async def promote(
    request: Request,
    resources: ResourcesDep,
    model: ModelDep,
    target: TargetDep,
    caller: CallerDep,
    number: Number,
) -> TargetInfo:
    """Serve a version, and let adaptation continue from it.

    A version that a guard rejected is served only with `force: true` and a reason.
    """
    body = await read_json_body(request, PromoteRequest, PromoteRequest())
    actor = actor_of(caller, body.reason)
    await model.write(lambda: target.promote(number, actor, force=body.force))
    return await _describe(resources, target)


@router.post("/rollback", responses=_ROLLBACK_ERRORS, openapi_extra=_ROLLBACK_BODY)
async def rollback(
    request: Request, resources: ResourcesDep, model: ModelDep, target: TargetDep, caller: CallerDep
) -> TargetInfo:
    """Serve an earlier version again, by default the parent of the served one.

    Its predictions come back exactly, and so does the state from which adaptation continues.
    """
    body = await read_json_body(request, RollbackRequest, RollbackRequest())
    actor = actor_of(caller, body.reason)
    await model.write(lambda: target.rollback(body.version, actor))
    return await _describe(resources, target)


@router.post("/reset", responses=_WRITE_ERRORS, openapi_extra=_REASON_BODY)
async def reset(
    request: Request, resources: ResourcesDep, model: ModelDep, target: TargetDep, caller: CallerDep
) -> TargetInfo:
    """Serve version 0, the exported one, and forget what was observed since."""
    actor = await _actor(request, caller)
    await model.write(lambda: target.reset(actor))
    return await _describe(resources, target)


@router.post("/freeze", responses=_WRITE_ERRORS, openapi_extra=_REASON_BODY)
async def freeze(
    request: Request, resources: ResourcesDep, model: ModelDep, target: TargetDep, caller: CallerDep
) -> TargetInfo:
    """Switch adaptation off; predictions continue."""
    actor = await _actor(request, caller)
    await model.write(lambda: target.freeze(True, actor))
    return await _describe(resources, target)


@router.post("/unfreeze", responses=_WRITE_ERRORS, openapi_extra=_REASON_BODY)
async def unfreeze(
    request: Request, resources: ResourcesDep, model: ModelDep, target: TargetDep, caller: CallerDep
) -> TargetInfo:
    """Switch adaptation on again."""
    actor = await _actor(request, caller)
    await model.write(lambda: target.freeze(False, actor))
    return await _describe(resources, target)


@router.put("/mode", responses=_MODE_ERRORS, openapi_extra=_MODE_BODY)
async def set_mode(
    request: Request, resources: ResourcesDep, model: ModelDep, target: TargetDep, caller: CallerDep
) -> TargetInfo:
    """Say what becomes of good versions: `off` makes none, `shadow` proposes, `auto` publishes them."""
    body = await read_json_body(request, ModeRequest)
    actor = actor_of(caller, body.reason)
    await model.write(lambda: target.set_mode(body.mode, actor))
    return await _describe(resources, target)


async def _actor(request: Request, caller: Caller) -> Actor:
    body = await read_json_body(request, ReasonRequest, ReasonRequest())
    return actor_of(caller, body.reason)


async def _describe(
    resources: Resources, target: OnlineTarget, page: Page | None = None
) -> TargetInfo:
    wanted = page or Page(PAGE)
    versions: Sequence[VersionRecord] = ()
    try:
        versions = await resources.offload(lambda: target.queries.versions(wanted))
    except LedgerError:
        # What was asked for is done, and kept until the ledger can be used again.
        if not target.unwritten:
            raise
    # Version 0 is the first of all.
    earlier = versions[0].number if versions and versions[0].number > 0 else None
    return describe_target(target.record, versions, earlier, target.unwritten)
