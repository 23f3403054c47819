"""The targets of a model: list, make, delete."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from service.api.dependencies import ModelDep
from service.api.json_bodies import describe_body, read_json_body
from service.api.problems import problem_responses
from service.errors import (
    DefaultTargetNeeded,
    InvalidContent,
    LedgerError,
    Overloaded,
    RequestTimeout,
    TargetExists,
    TooLarge,
    TooManyTargets,
    UnknownModel,
    UnknownTarget,
    UnsupportedContent,
)
from service.models.model import Model
from service.schemas import TargetList, TargetRequest

router = APIRouter(tags=["targets"], prefix="/targets")

_LIST_ERRORS = problem_responses(UnknownModel)
_CREATE_ERRORS = problem_responses(
    UnknownModel,
    TargetExists,
    TooManyTargets,
    RequestTimeout,
    TooLarge,
    UnsupportedContent,
    InvalidContent,
    Overloaded,
    LedgerError,
)
_DELETE_ERRORS = problem_responses(
    UnknownModel, UnknownTarget, DefaultTargetNeeded, InvalidContent, LedgerError
)
_BODY = describe_body(TargetRequest, required=True)


@router.get("", responses=_LIST_ERRORS)
async def list_targets(model: ModelDep) -> TargetList:
    """List the targets of the model."""
    return _describe(model)


@router.post("", responses=_CREATE_ERRORS, openapi_extra=_BODY)
async def create_target(request: Request, model: ModelDep) -> TargetList:
    """Make a target, a stream with statistics of its own; it begins with the exported version."""
    name = (await read_json_body(request, TargetRequest)).name
    await model.write(lambda: model.targets.create(name))
    return _describe(model)


@router.delete("/{target}", responses=_DELETE_ERRORS)
async def delete_target(
    model: ModelDep, target: Annotated[str, Path(description="Name of the target.")]
) -> TargetList:
    """Delete a target with all its versions and events."""
    await model.write(lambda: model.targets.delete(target))
    return _describe(model)


def _describe(model: Model) -> TargetList:
    targets = model.targets
    return TargetList(model=model.name, targets=targets.names, loaded=[t.name for t in targets.all])
