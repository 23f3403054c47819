"""Bodies of the answers of the service."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from service.guards.admission import Verdict
from service.ledger.records import Status


class ImagePrediction(BaseModel):
    """What one image is taken for."""

    label: str = Field(description="The most probable class.", examples=["3"])
    index: int = Field(description="Its place in the list of classes.", examples=[3])
    probability: float = Field(description="Its probability.", examples=[0.98])
    probabilities: dict[str, float] = Field(description="Probability of every class.")


class PredictResult(BaseModel):
    """Predictions in the order of the images, and the version that made them."""

    model: str = Field(examples=["digits"])
    target: str = Field(examples=["default"])
    version: int = Field(examples=[4])
    predictions: list[ImagePrediction]


class Refusal(BaseModel):
    """An image that did not move the statistics."""

    index: int = Field(description="Its place in the request, from 0.", examples=[2])
    reason: str = Field(examples=["duplicate"])


class AdaptResult(BaseModel):
    """What became of a batch of unlabeled images. Everything admitted is stored when this arrives."""

    target: str = Field(examples=["default"])
    received: int = Field(description="Images in the request.", examples=[64])
    admitted: int = Field(
        description="Images that moved the statistics; earlier held ones may be among them.",
        examples=[62],
    )
    held: int = Field(
        description="Outliers kept in memory: enough that agree with one another are a new domain.",
        examples=[0],
    )
    refused: list[Refusal] = Field(description="Images of this request that were not admitted.")
    alarm: str | None = Field(None, description="Why the whole batch was refused, if it was.")
    new_domain: bool = Field(False, description="Whether held images were let in as a new domain.")
    pending: int = Field(description="Admitted images that are in no version yet.", examples=[30])
    serving: int = Field(description="Version that is served now.", examples=[4])
    committed: "VersionInfo | None" = Field(
        None, description="The version that this batch completed, published or rejected."
    )


class VersionInfo(BaseModel):
    """An immutable version of a target's statistics."""

    model_config = ConfigDict(from_attributes=True)

    number: int = Field(description="0 is the exported one.", examples=[4])
    parent: int | None = Field(
        description="The version served when this one was made.", examples=[3]
    )
    status: Status
    reason: str | None = Field(description="Why it was rejected, if it was.")
    count: float = Field(description="Effective number of images behind it.", examples=[320.0])
    fingerprint: str = Field(description="SHA-256 of its moments.")
    scores: dict[str, float] = Field(description="What the gate measured, without labels.")
    created_at: str = Field(examples=["2026-01-31T12:00:00.000+00:00"])


class TargetInfo(BaseModel):
    """A target's versions, oldest first, and which of them is served."""

    target: str = Field(examples=["default"])
    serving: int = Field(examples=[4])
    frozen: bool = Field(description="Whether adaptation is switched off.")
    pending: int = Field(description="Admitted images that are in no version yet.", examples=[30])
    versions: list[VersionInfo]


def _whole(value: object) -> object:
    # To JSON, 3.0 is an integer; to Python, false is one.
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Whole = BeforeValidator(_whole)


class RollbackRequest(BaseModel):
    """Which version to go back to."""

    model_config = ConfigDict(extra="forbid")

    version: Annotated[int, Field(ge=0, le=2**31 - 1, strict=True), _Whole] | None = Field(
        None, description="Default: the parent of the served one.", examples=[3]
    )


class Health(BaseModel):
    """The state of the service."""

    status: str = Field(examples=["ready"])
    model: str = Field(examples=["digits"])
    bundle: str = Field(description="Fingerprint of the bundle.")
    serving: int = Field(examples=[4])
    provider: str = Field(description="The one really used.", examples=["CPUExecutionProvider"])


def describe_verdict(verdict: Verdict) -> str:
    """A verdict in words."""
    return {
        "admitted": "the batch was refused",
        "duplicate": "duplicate of an image that was admitted before",
        "outlier": "unlike the images admitted before",
    }[verdict]
