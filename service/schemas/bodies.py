"""Bodies of requests that are JSON."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from service.vocabulary import Mode


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


class EvidenceRequest(_Body):
    """Labels of images by their names."""

    labels: Annotated[dict[str, str], Field(min_length=1, max_length=256)]


def _whole(value: object) -> object:
    # To JSON, 3.0 is an integer; to Python, false is one.
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Whole = BeforeValidator(_whole)


class LabelRequest(PromoteRequest):
    """The version that gets a label."""

    version: Annotated[int, Field(ge=0, le=2**31 - 1, strict=True), _Whole] = Field(examples=[3])


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
