"""Answers about versions, and what labels say of them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from service.vocabulary import Status


class VersionInfo(BaseModel):
    """An immutable version of a target's statistics."""

    model_config = ConfigDict(from_attributes=True)

    number: int = Field(description="0 is the exported version.", examples=[4])
    parent: int | None = Field(
        description="The version that was served when this one was made.", examples=[3]
    )
    status: Status = Field(
        description="How the version was made.",
        examples=["published"],
    )
    reason: str | None = Field(description="Why the version was rejected; null if it was not.")
    domain: int = Field(0, description="Domain that it was made in.", examples=[0])
    count: float = Field(
        description="Effective number of images behind the moments.", examples=[320.0]
    )
    fingerprint: str = Field(description="SHA-256 of the moments.")
    scores: dict[str, float] = Field(
        description="What the guards measured, without labels. `largest_loss` is an upper confidence bound"
        " on the accuracy that it can have lost against the version served before."
    )
    created_at: str = Field(examples=["2026-01-31T12:00:00.000+00:00"])
    kept: bool = Field(
        True,
        description="Whether the moments are kept. A version without them cannot be run or served.",
    )


class Labels(BaseModel):
    """The labels of a target, and the versions that carry them."""

    target: str = Field(description="Name of the target.", examples=["default"])
    serving: int = Field(description="Version that is served.", examples=[4])
    shadow: int | None = Field(
        description="Version that is ready to run beside it; null if there is none.", examples=[5]
    )


class EvidenceImage(BaseModel):
    """An image on which a version and its parent disagree."""

    id: str = Field(description="Name of the image, for the label.")
    png: str = Field(description="The image, base64.")
    parent: str = Field(description="Label that the parent predicts.")
    version: str = Field(description="Label that the version predicts.")


class EvidenceInfo(BaseModel):
    """What labels say of a version, and the images whose labels would say more."""

    version: int
    parent: int
    verdict: Literal["undecided", "worse", "better"]
    reason: str
    labels: int = Field(description="Number of labels so far.")
    alpha: float = Field(description="Largest probability of a wrong verdict.")
    images: list[EvidenceImage] = Field(
        description="Images without a label on which they disagree; where they agree, a label says nothing."
    )
    serving: int = Field(description="Version that is served now.")
