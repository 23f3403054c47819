"""Bodies of requests and answers over HTTP; the client for Python programs reads them too."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from service.vocabulary import BatchStatus, EventKind, Mode, ModelState, NotAdmittedKind, Status

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


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


Reason = Annotated[str, Field(min_length=1, max_length=500)]


class ReasonRequest(_Body):
    """Why something is done; it is recorded with the event."""

    reason: Reason | None = Field(None, examples=["the camera was replaced"])


class PromoteRequest(ReasonRequest):
    """How a version is promoted."""

    force: bool = Field(
        False, description="Whether a version that a guard rejected is served; needs a reason."
    )


class ModeRequest(ReasonRequest):
    """What becomes of good versions."""

    mode: Mode = Field(examples=["auto"])


class DomainRequest(ReasonRequest):
    """What a domain is called."""

    name: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    pinned: bool = False


class FeatureDrift(BaseModel):
    """One input feature of the last images, compared."""

    feature: str
    recent: float = Field(description="Mean over the last images, as a logarithm.")
    domain: float = Field(description="The same of the domain's images before them.")
    z: float = Field(description="Difference in standard errors.")


class Drift(BaseModel):
    """How far the last images are from those before, and the domain from the exported one."""

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


class EvidenceRequest(_Body):
    """Labels of images by their names."""

    labels: Annotated[dict[str, str], Field(min_length=1, max_length=256)]


class TargetInfo(BaseModel):
    """A target and a page of its versions, oldest first."""

    target: str = Field(description="Name of the target.", examples=["default"])
    serving: int = Field(description="Version that is served now.", examples=[4])
    frozen: bool = Field(description="Whether adaptation is switched off.")
    mode: Mode = Field("auto", description="What becomes of good versions.")
    domain: int = Field(0, description="Domain that the target is in.")
    shadow: int | None = Field(None, description="Version with the label `shadow`.")
    watched: int | None = Field(
        None,
        description="Images on which the served version was compared with its parent so far; null if it is"
        " not on probation.",
    )
    pending: int = Field(
        description="Admitted images that are not yet part of a version.", examples=[30]
    )
    unwritten: int = Field(
        0,
        description="Emergency stops that hold in this process and that the ledger does not know yet,"
        " because it cannot be used; they are lost if the process ends before.",
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
    reason: str | None = Field(
        None, description="Why the version was rejected, or why somebody did this."
    )
    by: str | None = Field(
        None, description="Name of the key of whoever did this; `guard` for the service itself."
    )
    domain: int | None = Field(None, description="Domain that it concerns.")
    previous_domain: int | None = Field(None, description="Domain before.")
    mode: Mode | None = Field(None, description="Mode that was chosen.")
    previous_mode: Mode | None = Field(None, description="Mode before.")
    set_aside: int | None = Field(None, description="Batches that are in no version.")
    labels: int | None = Field(None, description="Labels that a verdict rests on.")
    verdict: str | None = Field(None, description="What they say.")
    scores: dict[str, float] | None = Field(
        None, description="What the publication guard measured."
    )
    received: int | None = Field(None, description="Images in the batch.")
    admitted: int | None = Field(None, description="Images that moved the statistics.")
    not_admitted: int | None = Field(None, description="Images of the batch that did not.")
    held: int | None = Field(None, description="Outliers held in memory after the batch.")
    pending: int | None = Field(None, description="Admitted images that are in no version yet.")
    alarm: str | None = Field(None, description="What was alarming about the batch.")


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


class LabelRequest(PromoteRequest):
    """The version that gets a label."""

    version: Annotated[int, Field(ge=0, le=2**31 - 1, strict=True), _Whole] = Field(examples=[3])


class Labels(BaseModel):
    """The labels of a target, and the versions that carry them."""

    target: str = Field(description="Name of the target.", examples=["default"])
    serving: int = Field(description="Version that is served.", examples=[4])
    shadow: int | None = Field(
        description="Version that is ready to run beside it; null if there is none.", examples=[5]
    )


class RollbackRequest(ReasonRequest):
    """The version to roll back to."""

    version: Annotated[int, Field(ge=0, le=2**31 - 1, strict=True), _Whole] | None = Field(
        None, description="Default: the parent of the served version.", examples=[3]
    )


class TargetRequest(_Body):
    """A new target."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = Field(
        description="Up to 64 letters, digits, `.`, `_` and `-`, beginning with a letter or digit.",
        examples=["camera-7"],
    )


class TargetList(BaseModel):
    """The targets of a model."""

    model: str = Field(description="Name of the model.", examples=["digits"])
    targets: list[str] = Field(description="Names of all targets.", examples=[["default"]])
    loaded: list[str] = Field(description="Those that are in memory.", examples=[["default"]])


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
