"""Labels of a target: the names under which it offers two of its versions."""

from fastapi import APIRouter, Request

from service.api.dependencies import CallerDep, ModelDep, TargetDep, actor_of
from service.api.json_bodies import describe_body, read_json_body
from service.api.problems import problem_responses
from service.errors import (
    ConcurrentChange,
    InvalidContent,
    LedgerError,
    MomentsDropped,
    QueueFull,
    RejectedVersion,
    TooLarge,
    UnknownModel,
    UnknownTarget,
    UnknownVersion,
    UnsupportedContent,
)
from service.schemas import LabelRequest, Labels
from service.targets.target import OnlineTarget

router = APIRouter(tags=["versions"], prefix="/labels")

_ERRORS = problem_responses(UnknownModel, UnknownTarget)
_REMOVE_ERRORS = problem_responses(UnknownModel, UnknownTarget, ConcurrentChange, LedgerError)
_MOVE_ERRORS = problem_responses(
    UnknownModel,
    UnknownTarget,
    UnknownVersion,
    ConcurrentChange,
    MomentsDropped,
    RejectedVersion,
    TooLarge,
    UnsupportedContent,
    InvalidContent,
    QueueFull,
    LedgerError,
)
_BODY = describe_body(LabelRequest, required=True)


@router.get("", responses=_ERRORS)
async def get_labels(target: TargetDep) -> Labels:
    """List the labels, and the version that carries each."""
    return _describe(target)


@router.put("/serving", responses=_MOVE_ERRORS, openapi_extra=_BODY)
async def set_serving(
    request: Request, model: ModelDep, target: TargetDep, caller: CallerDep
) -> Labels:
    """Serve a version, and let adaptation continue from it."""
    body = await read_json_body(request, LabelRequest)
    actor = actor_of(caller, body.reason)
    await model.write(lambda: target.promote(body.version, actor, force=body.force))
    return _describe(target)


@router.put("/shadow", responses=_MOVE_ERRORS, openapi_extra=_BODY)
async def set_shadow(
    request: Request, model: ModelDep, target: TargetDep, caller: CallerDep
) -> Labels:
    """Keep a version ready to run beside the served one, for `/predict?version=shadow`.

    The label moves when the version is ready; if it cannot be made ready, the label stays.
    """
    body = await read_json_body(request, LabelRequest)
    actor = actor_of(caller, body.reason)
    await model.write(lambda: target.set_shadow(body.version, actor))
    return _describe(target)


@router.delete("/shadow", responses=_REMOVE_ERRORS)
async def remove_shadow(model: ModelDep, target: TargetDep, caller: CallerDep) -> Labels:
    """Remove the label `shadow`."""
    await model.write(lambda: target.set_shadow(None, actor_of(caller)))
    return _describe(target)


def _describe(target: OnlineTarget) -> Labels:
    record = target.record
    return Labels(target=target.name, serving=record.serving, shadow=record.shadow)
