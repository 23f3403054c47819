"""Answers about targets and their events."""

from pydantic import BaseModel, Field

from service.schemas.versions import VersionInfo
from service.vocabulary import EventKind, Mode


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


class TargetList(BaseModel):
    """The targets of a model."""

    model: str = Field(description="Name of the model.", examples=["digits"])
    targets: list[str] = Field(description="Names of all targets.", examples=[["default"]])
    loaded: list[str] = Field(description="Those that are in memory.", examples=[["default"]])


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
