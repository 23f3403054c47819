"""Answers that the page needs besides those that every client uses."""

from pydantic import BaseModel, Field

from service.vocabulary import Mode


class ActivityInfo(BaseModel):
    """What the service did since the last event of this kind, and where the target stands."""

    at: str = Field(examples=["2026-01-31T12:00:00.000+00:00"])
    requests: float = Field(description="Answered requests to predict per second, of all targets.")
    median: float | None = Field(
        description="Median of their times in milliseconds; null if there were none."
    )
    p99: float | None = Field(description="Time below which 99 % of them stayed, in milliseconds.")
    queued: int = Field(description="Images that wait for prediction, of all targets.")
    images: float = Field(description="Predicted images of this target per second.")
    confidence: float | None = Field(
        description="Mean probability of their labels; null if there were none."
    )
    labels: dict[str, int] = Field(
        description="How often each class was predicted; those that were not are left out."
    )
    serving: int = Field(description="Version that is served now.", examples=[4])
    frozen: bool = Field(description="Whether adaptation is switched off.")
    mode: Mode = Field(description="What becomes of good versions.")
    domain: int = Field(description="Domain that the target is in.")
    pending: int = Field(description="Admitted images that are in no version yet.")


class ExampleImage(BaseModel):
    """A labelled image to try."""

    label: str = Field(description="Class that the image shows.", examples=["3"])
    png: str = Field(description="The image, base64.")


class ExampleList(BaseModel):
    """A page of the labelled images that visitors of the page may try."""

    total: int = Field(description="Number of all of them; 0 if there are none.")
    images: list[ExampleImage]
