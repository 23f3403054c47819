"""Answers to batches of images, and about domains."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from service.schemas.predictions import ImagePrediction
from service.schemas.versions import VersionInfo
from service.vocabulary import BatchStatus, NotAdmittedKind


class ImageNotAdmitted(BaseModel):
    """An image that did not move the statistics."""

    index: int = Field(description="Position of the image in the request, from 0.", examples=[2])
    kind: NotAdmittedKind = Field(
        description="Why it was not admitted, for programs.", examples=["duplicate"]
    )
    reason: str = Field(
        description="Why it was not admitted.",
        examples=["duplicate of an image that was admitted before"],
    )


class AdaptResult(BaseModel):
    """The outcome of a batch of unlabelled images; admitted images are already stored."""

    target: str = Field(description="Name of the target.", examples=["default"])
    received: int = Field(description="Images in the request.", examples=[64])
    admitted: int = Field(
        description="Images that moved the statistics; earlier held ones may be among them.",
        examples=[62],
    )
    held: int = Field(
        description="Images that wait for more evidence of a change of the domain, or are foreign to it.",
        examples=[0],
    )
    refused: list[ImageNotAdmitted] = Field(
        description="Images of this request that were not admitted; those that are held are among them."
    )
    alarm: str | None = Field(
        None,
        description="What is alarming: most of the images are foreign, or the domain has changed.",
    )
    domain: int = Field(0, description="Domain that the target is in now.", examples=[0])
    new_domain: bool = Field(
        False, description="Whether a domain began that was never seen before."
    )
    recalled: bool = Field(False, description="Whether an earlier domain has come back.")
    pending: int = Field(
        description="Admitted images that are not yet part of a version.", examples=[30]
    )
    serving: int = Field(description="Version that is served now.", examples=[4])
    committed: VersionInfo | None = Field(
        None, description="The version that this batch completed: published, proposed or rejected."
    )
    rolled_back: str | None = Field(
        None,
        description="Why the version that was served is not any more, if the guards rolled it back.",
    )
    batch: str | None = Field(
        None,
        description="Name of the batch, for `GET /batches/{batch}`; null if nothing of it was admitted.",
    )
    dry_run: bool = Field(False, description="Whether nothing was changed or recorded.")
    predictions: list[ImagePrediction | None] | None = Field(
        None,
        description="With `predict=true`: predictions of the network adapted to these images, in their"
        " order; null for an image that could not be decoded.",
    )


class BatchInfo(BaseModel):
    """What became of a batch."""

    batch: str = Field(description="Name of the batch.")
    status: BatchStatus | Literal["processing", "failed"] = Field(
        description="`processing`, `failed`, `pending` until the next version, `merged` into one, or"
        " `set_aside` because it spoiled one or a rollback went to before it."
    )
    domain: int | None = Field(None, description="Domain that its images were merged into.")
    images: int | None = Field(None, description="Images that were admitted.")
    version: int | None = Field(
        None, description="Version that contains it, or was made without it."
    )
    client: str | None = Field(None, description="Name of the key that posted it.")
    created_at: str | None = None
    reason: str | None = Field(None, description="Why it failed.")


class DomainInfo(BaseModel):
    """A domain that a target has been in."""

    model_config = ConfigDict(from_attributes=True)

    number: int = Field(description="0 is the domain that the bundle was exported for.")
    name: str | None = Field(description="Name that a person gave it.", examples=["night"])
    pinned: bool = Field(description="Whether it is kept however many others come.")
    version: int = Field(description="Version that is served when it comes back.")
    count: float = Field(description="Effective number of images behind its moments.")
    created_at: str
    seen_at: str


class Domains(BaseModel):
    """The domains of a target."""

    target: str = Field(description="Name of the target.", examples=["default"])
    current: int = Field(description="Domain that the target is in.")
    domains: list[DomainInfo]


class FeatureDrift(BaseModel):
    """One input feature of the last images, compared."""

    feature: str
    recent: float = Field(description="Mean over the last images, as a logarithm.")
    domain: float = Field(description="The same of the domain's images before them.")
    z: float = Field(description="Difference in standard errors.")
    low: float = Field(
        description="Smallest mean of as many images of the domain that would be no change of it."
    )
    high: float = Field(description="The largest.")


class SiteDrift(BaseModel):
    """How far the moments of the domain are from others at one normalization layer."""

    model_config = ConfigDict(from_attributes=True)

    site: str = Field(description="Name of the layer.")
    mean: float = Field(
        description="Mean distance of the means from the exported ones, in standard deviations."
    )
    deviation: float = Field(
        description="Mean size of the logarithm of the ratio of the standard deviations to the exported"
        " ones."
    )
    served: float = Field(description="Like `mean`, from those of the served version.")


class TrafficDrift(BaseModel):
    """What the last images of predictions look like; no image is kept."""

    images: int = Field(
        description="Number of images that are compared; 0 unless RN_WATCH_PREDICTIONS is set."
    )
    z: float | None = Field(
        description="Largest difference of a feature from the domain, in standard errors."
    )
    features: list[FeatureDrift]
    class_shares: dict[str, float] = Field(description="Class shares of these predictions.")


class Drift(BaseModel):
    """How far the last images are from those before, and the domain from exported and served version."""

    target: str
    domain: int
    images: int = Field(description="Number of last images that are compared.")
    z: float | None = Field(
        description="Largest difference of a feature, in standard errors; null with too few images."
    )
    limit: float = Field(description="Difference at which the domain counts as changed.")
    features: list[FeatureDrift]
    shift: float = Field(
        description="Mean distance of the domain's means from the exported ones, in standard deviations."
    )
    class_shares: dict[str, float] = Field(
        description="Class shares of the domain as they are predicted."
    )
    class_shares_estimated: dict[str, float] | None = Field(
        None,
        description="The same, corrected by how the source's classes are confused; null if the bundle does"
        " not know that.",
    )
    share_distance: float | None = Field(
        None,
        description="Half the sum of their differences from the source's, 0 to 1; above 0.3, versions of"
        " other domains have to score no worse at all.",
    )
    held: int = Field(description="Number of the last images that did not move the statistics.")
    sites: list[SiteDrift] = Field(
        description="Distances at every normalization layer; empty before the first image."
    )
    traffic: TrafficDrift
