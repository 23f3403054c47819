"""Answers about models and the service."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from service.vocabulary import ModelState


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
