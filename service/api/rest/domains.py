"""Domains of a target, and its drift."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from service.api.dependencies import CallerDep, ModelDep, ResourcesDep, TargetDep, actor_of
from service.api.json_bodies import describe_body, read_json_body
from service.api.problems import problem_responses
from service.api.rest.answers import describe_domain, describe_domains, describe_drift
from service.errors import (
    ConcurrentChange,
    DomainInUse,
    InvalidContent,
    LedgerError,
    MomentsDropped,
    Overloaded,
    RequestTimeout,
    TooLarge,
    UnknownDomain,
    UnknownModel,
    UnknownTarget,
    UnsupportedContent,
)
from service.schemas import DomainInfo, DomainRequest, Domains, Drift

router = APIRouter(tags=["domains"])

MAX_NUMBER = 2**31 - 1
Number = Annotated[int, Path(ge=0, le=MAX_NUMBER, description="Number of the domain.")]

_ERRORS = problem_responses(UnknownModel, UnknownTarget)
# The served version may have to be read again.
_DRIFT_ERRORS = problem_responses(UnknownModel, UnknownTarget, MomentsDropped, LedgerError)
_CHANGE_ERRORS = problem_responses(
    UnknownModel,
    UnknownTarget,
    UnknownDomain,
    ConcurrentChange,
    RequestTimeout,
    TooLarge,
    UnsupportedContent,
    InvalidContent,
    Overloaded,
    LedgerError,
)
_FORGET_ERRORS = problem_responses(
    UnknownModel,
    UnknownTarget,
    UnknownDomain,
    DomainInUse,
    ConcurrentChange,
    InvalidContent,
    LedgerError,
)
_BODY = describe_body(DomainRequest, required=True)


@router.get("/domains", responses=_ERRORS)
async def list_domains(target: TargetDep) -> Domains:
    """List the domains that the target has been in; the next image may belong to any of them."""
    return describe_domains(target.record)


@router.put("/domains/{number}", responses=_CHANGE_ERRORS, openapi_extra=_BODY)
async def change_domain(
    request: Request, model: ModelDep, target: TargetDep, caller: CallerDep, number: Number
) -> DomainInfo:
    """Name a domain, and pin it, so that it is kept however many others come."""
    body = await read_json_body(request, DomainRequest)
    actor = actor_of(caller, body.reason)
    domain = await model.write(
        lambda: target.domains.change(number, name=body.name, pinned=body.pinned, actor=actor)
    )
    return describe_domain(domain)


@router.delete("/domains/{number}", responses=_FORGET_ERRORS)
async def forget_domain(
    model: ModelDep, target: TargetDep, caller: CallerDep, number: Number
) -> Domains:
    """Forget a domain: its images will be those of a new one."""
    await model.write(lambda: target.domains.forget(number, actor_of(caller)))
    return describe_domains(target.record)


@router.get("/drift", responses=_DRIFT_ERRORS)
async def get_drift(resources: ResourcesDep, model: ModelDep, target: TargetDep) -> Drift:
    """Compare the last images with the domain's before them, and the domain with the exported one."""
    report = await resources.offload(target.drift)
    limit = resources.settings.change_threshold
    return describe_drift(target.name, report, model.bundle.manifest.classes, limit)
