"""Bodies of requests and answers over HTTP; the client for Python programs reads them too."""

from service.schemas.adaptation import (
    AdaptResult,
    BatchInfo,
    DomainInfo,
    Domains,
    Drift,
    FeatureDrift,
    ImageNotAdmitted,
    SiteDrift,
    TrafficDrift,
)
from service.schemas.bodies import (
    DomainRequest,
    EvidenceRequest,
    LabelRequest,
    ModeRequest,
    PromoteRequest,
    Reason,
    ReasonRequest,
    RollbackRequest,
    TargetRequest,
)
from service.schemas.models import Health, Liveness, ModelInfo, ModelList
from service.schemas.page import ActivityInfo, ExampleImage, ExampleList
from service.schemas.predictions import TOP_K, ImagePrediction, PredictResult
from service.schemas.targets import EventInfo, EventPage, TargetInfo, TargetList
from service.schemas.versions import EvidenceImage, EvidenceInfo, Labels, VersionInfo

__all__ = [
    "TOP_K",
    "ActivityInfo",
    "AdaptResult",
    "BatchInfo",
    "DomainInfo",
    "DomainRequest",
    "Domains",
    "Drift",
    "EventInfo",
    "EventPage",
    "EvidenceImage",
    "EvidenceInfo",
    "EvidenceRequest",
    "ExampleImage",
    "ExampleList",
    "FeatureDrift",
    "Health",
    "ImageNotAdmitted",
    "ImagePrediction",
    "LabelRequest",
    "Labels",
    "Liveness",
    "ModeRequest",
    "ModelInfo",
    "ModelList",
    "PredictResult",
    "PromoteRequest",
    "Reason",
    "ReasonRequest",
    "RollbackRequest",
    "SiteDrift",
    "TargetInfo",
    "TargetList",
    "TargetRequest",
    "TrafficDrift",
    "VersionInfo",
]
