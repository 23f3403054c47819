"""Bodies of requests and answers over HTTP; the client for Python programs reads them too."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from service.vocabulary import EventKind, ModelState, NotAdmittedKind, Status

# Classes that a prediction lists unless the request says otherwise.
TOP_K = 5


class ImagePrediction(BaseModel):
    """Prediction for one image."""

    label: str = Field(description="The most probable class.", examples=["3"])
    index: int = Field(
        description="Position of the label in the list of classes, from 0.", examples=[3]
    )
    probability: float = Field(description="Probability of the label.", examples=[0.98])
    probabilities: dict[str, float] = Field(
        description="Probabilities of the `top_k` most probable classes, the most probable first; if that"
        " is all of them, in the order of the list of classes.",
        examples=[{"3": 0.98, "8": 0.02}],
    )


class PredictResult(BaseModel):
    """Predictions in the order of the images, and the version that made them."""

    model: str = Field(description="Name of the model.", examples=["digits"])
    target: str = Field(description="Name of the target.", examples=["default"])
    version: int = Field(description="Version that made the predictions.", examples=[4])
    predictions: list[ImagePrediction]


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
    count: float = Field(
        description="Effective number of images behind the moments.", examples=[320.0]
    )
    fingerprint: str = Field(description="SHA-256 of the moments.")
    scores: dict[str, float] = Field(
        description="What the publication guard measured, without labels."
    )
    created_at: str = Field(examples=["2026-01-31T12:00:00.000+00:00"])
    kept: bool = Field(
        True,
        description="Whether the moments are kept. A version without them cannot be run or served.",
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
        description="Outliers held in memory: once enough of them agree, they are a new domain.",
        examples=[0],
    )
    refused: list[ImageNotAdmitted] = Field(
        description="Images of this request that were not admitted; those that are held are among them."
    )
    alarm: str | None = Field(
        None,
        description="Why nothing of the batch was admitted, if most of its images were outliers.",
    )
    new_domain: bool = Field(
        False, description="Whether held images were admitted as a new domain."
    )
    pending: int = Field(
        description="Admitted images that are not yet part of a version.", examples=[30]
    )
    serving: int = Field(description="Version that is served now.", examples=[4])
    committed: VersionInfo | None = Field(
        None, description="The version that this batch completed, published or rejected."
    )


class TargetInfo(BaseModel):
    """A target and a page of its versions, oldest first."""

    target: str = Field(description="Name of the target.", examples=["default"])
    serving: int = Field(description="Version that is served now.", examples=[4])
    frozen: bool = Field(description="Whether adaptation is switched off.")
    pending: int = Field(
        description="Admitted images that are not yet part of a version.", examples=[30]
    )
    versions: list[VersionInfo]
    earlier: int | None = Field(
        None,
        description="Value of `before` for the page of earlier versions; null if there are none.",
    )


class EventInfo(BaseModel):
    """An event in the life of a target. Fields that do not belong to its kind are null."""

    id: int = Field(description="Position in the history; grows with time.", examples=[17])
    at: str = Field(examples=["2026-01-31T12:00:00.000+00:00"])
    kind: EventKind = Field(description="What happened.", examples=["published"])
    version: int | None = Field(None, description="Version that was made or is served.")
    parent: int | None = Field(None, description="Parent of the version that was made.")
    previous: int | None = Field(None, description="Version that was served before.")
    reason: str | None = Field(None, description="Why the version was rejected.")
    scores: dict[str, float] | None = Field(
        None, description="What the publication guard measured."
    )
    received: int | None = Field(None, description="Images in the batch.")
    admitted: int | None = Field(None, description="Images that moved the statistics.")
    not_admitted: int | None = Field(None, description="Images of the batch that did not.")
    held: int | None = Field(None, description="Outliers held in memory after the batch.")
    pending: int | None = Field(None, description="Admitted images that are in no version yet.")
    alarm: str | None = Field(None, description="Why nothing of the batch was admitted.")


class EventPage(BaseModel):
    """A page of the events of a target, oldest first."""

    target: str = Field(description="Name of the target.", examples=["default"])
    events: list[EventInfo]
    earlier: int | None = Field(
        None,
        description="Value of `before` for the page of earlier events, which may be empty; null if there"
        " are none.",
    )
    latest: int = Field(
        description="Value of `after` that gives the events that follow this page.", examples=[17]
    )


def _whole(value: object) -> object:
    # To JSON, 3.0 is an integer; to Python, false is one.
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Whole = BeforeValidator(_whole)


class LabelRequest(BaseModel):
    """The version that gets a label."""

    model_config = ConfigDict(extra="forbid")

    version: Annotated[int, Field(ge=0, le=2**31 - 1, strict=True), _Whole] = Field(examples=[3])


class Labels(BaseModel):
    """The labels of a target, and the versions that carry them."""

    target: str = Field(description="Name of the target.", examples=["default"])
    serving: int = Field(description="Version that is served.", examples=[4])
    shadow: int | None = Field(
        description="Version that is ready to run beside it; null if there is none.", examples=[5]
    )


class RollbackRequest(BaseModel):
    """The version to roll back to."""

    model_config = ConfigDict(extra="forbid")

    version: Annotated[int, Field(ge=0, le=2**31 - 1, strict=True), _Whole] | None = Field(
        None, description="Default: the parent of the served version.", examples=[3]
    )


class ModelInfo(BaseModel):
    """A model, loaded or not."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(examples=["digits"])
    state: ModelState = Field(description="Whether it is loaded.", examples=["ready"])
    default: bool = Field(description="Whether paths without a model mean it.")
    bundle: str | None = Field(description="Fingerprint of the bundle that is loaded.")
    targets: list[str] = Field(description="Names of its targets.", examples=[["default"]])
    reason: str | None = Field(
        description="Why its bundle was not loaded when that was tried last; null if it was."
    )


class ModelList(BaseModel):
    """All models, loaded or not."""

    models: list[ModelInfo]


class Liveness(BaseModel):
    """Answer of a process that is alive."""

    status: Literal["live"] = "live"


class Health(BaseModel):
    """State of the service; where keys are configured, all but the status is left out without one."""

    status: str = Field(examples=["ready"])
    model: str | None = Field(None, description="Name of the default model.", examples=["digits"])
    models: list[str] | None = Field(
        None, description="Names of all models that are loaded.", examples=[["digits"]]
    )
    bundle: str | None = Field(None, description="Fingerprint of the bundle.")
    serving: int | None = Field(None, description="Version that is served now.", examples=[4])
    provider: str | None = Field(
        None,
        description="Execution provider that is really used.",
        examples=["CPUExecutionProvider"],
    )
    engine: str | None = Field(
        None,
        description="How images are run, and why so.",
        examples=["2 workers, 1 thread a run, up to 1 image a run: an image takes 25 ms"],
    )
