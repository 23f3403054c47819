"""Evidence about a version: labels of images on which it and its parent disagree."""

from fastapi import APIRouter, Request

from bundle.images.encoding import encode_png_text
from service.api.dependencies import CallerDep, ModelDep, TargetDep, actor_of
from service.api.json_bodies import describe_body, read_json_body
from service.api.problems import problem_responses
from service.api.rest.versions import Number
from service.errors import (
    ConcurrentChange,
    InvalidContent,
    LedgerError,
    MomentsDropped,
    NothingToRollBack,
    Overloaded,
    QueueFull,
    RequestTimeout,
    TooLarge,
    UnknownModel,
    UnknownTarget,
    UnknownVersion,
    UnsupportedContent,
)
from service.schemas import EvidenceImage, EvidenceInfo, EvidenceRequest
from service.targets.making.evidence import Dispute
from service.targets.target import OnlineTarget

router = APIRouter(tags=["versions"])

_GET_ERRORS = problem_responses(
    UnknownModel,
    UnknownTarget,
    UnknownVersion,
    MomentsDropped,
    NothingToRollBack,
    InvalidContent,
    QueueFull,
    LedgerError,
)
_POST_ERRORS = problem_responses(
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
    QueueFull,
    Overloaded,
    LedgerError,
)
_BODY = describe_body(EvidenceRequest, required=True)


@router.get("/versions/{number}/evidence", responses=_GET_ERRORS)
async def get_evidence(model: ModelDep, target: TargetDep, number: Number) -> EvidenceInfo:
    """List images on which a version and its parent disagree, and what labels said of it so far."""
    dispute = await model.write(lambda: target.evidence.describe(number))
    return _describe(dispute, target)


@router.post("/versions/{number}/evidence", responses=_POST_ERRORS, openapi_extra=_BODY)
async def add_evidence(
    request: Request, model: ModelDep, target: TargetDep, caller: CallerDep, number: Number
) -> EvidenceInfo:
    """Label some of these images. A served version that the labels show to be worse is rolled back."""
    labels = (await read_json_body(request, EvidenceRequest)).labels
    actor = actor_of(caller)
    dispute = await model.write(lambda: target.evidence.add(number, labels, actor))
    return _describe(dispute, target)


def _describe(dispute: Dispute, target: OnlineTarget) -> EvidenceInfo:
    evidence = dispute.evidence
    return EvidenceInfo(
        version=dispute.record.number,
        parent=dispute.parent,
        verdict=evidence.verdict,
        reason=evidence.reason,
        labels=evidence.labels,
        alpha=evidence.alpha,
        images=[
            EvidenceImage(
                id=each.name,
                png=encode_png_text(each.image),
                parent=each.parent,
                version=each.version,
            )
            for each in dispute.images
        ],
        serving=target.record.serving,
    )
